"""Folders of weights as timm, open_clip and transformers write them: which of the three it is, by the files in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from repr.errors import UserError
from repr.files import read_json
from repr.models import open_clip_towers, timm_networks, transformers_towers
from repr.models.network_files import ForeignNetwork
from repr.models.tensors import OPEN_CLIP_FILES, TIMM_FILES, TRANSFORMERS_FILES
from repr.models.transformers_towers import TOKENIZERS

LOCAL = "local-dir:"  # as timm and open_clip write a folder where a name is wanted
NEITHER = "Give the run folder of a finished `repr pretrain`, a folder of timm, open_clip or transformers, or a weights file"


def read_folder(folder: Path) -> ForeignNetwork:
    """What a folder of others holds. Raises UserError that names the file that is missing, and for files that do not fit each other."""
    read = _reader(folder)
    try:
        return read(folder)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # a config may say anything in the place of anything
        what = f"its config does not say rightly which network it is ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
        raise UserError(what, folder, "Mend the config, or fetch the whole folder again") from error


def _reader(folder: Path) -> Callable[[Path], ForeignNetwork]:
    """By which library a folder was written. Raises UserError where none was, or its config is missing."""
    there = {file.name for file in folder.iterdir()}
    weights = {*TIMM_FILES, *TRANSFORMERS_FILES} & there
    if open_clip_towers.CONFIG in there and (not weights or set(OPEN_CLIP_FILES) & there):
        return open_clip_towers.read_folder
    if "config.json" in there:
        content = read_json(folder / "config.json")
        if isinstance(content, dict) and "architecture" in content:
            return timm_networks.read_folder
        if isinstance(content, dict) and "model_type" in content:
            if not weights and set(TOKENIZERS) & there:
                raise UserError("a tokenizer, and no weights", folder, f"Fetch the whole folder: {TRANSFORMERS_FILES[0]} is missing")
            return transformers_towers.read_folder
        raise UserError("says neither an architecture (timm) nor a model_type (transformers)", folder / "config.json", "Fetch it again")
    if set(OPEN_CLIP_FILES) & there:
        raise UserError(f"no {open_clip_towers.CONFIG} in this folder", folder, "Fetch the whole folder: it says which network it is")
    if weights:
        raise UserError("no config.json in this folder", folder, "Fetch the whole folder: it says which network it is")
    if set(TOKENIZERS) & there:
        raise UserError("a tokenizer, and no weights", folder, "Give the folder of a whole model")
    raise UserError("no weights.safetensors in this folder", folder, NEITHER)
