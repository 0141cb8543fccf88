"""The weights of an index: what it notes of them, where they lie, and the encoder that is made of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from repr.errors import UserError
from repr.lookup.info import MadeWith
from repr.models.backbones import backbone
from repr.models.encoder import Encoder
from repr.models.weights import Weights, load_encoder

ANEW = "Restore a backup, or build it again"
WEIGHTS = "weights.safetensors"
CROPS = (1.0, 0.5)  # of weights that say nothing of them; chosen by tools/experiments/crops.toml on training images


def made_with(weights: Weights) -> MadeWith:
    """What an index notes of the weights that it is made with."""
    return {
        "identity": weights.identity,
        "name": weights.name,
        "arch": weights.arch,
        "size": weights.size,
        "crops": list(weights.crops),
        "dim": backbone(weights.arch).dim,
        "synthetic": weights.synthetic,
    }


def beside(folder: Path, identity: str) -> Path:
    """Where weights lie that an index is to have next (`repr.lookup.reindex`), by their identity."""
    return folder / f"weights-{identity}.safetensors"


def weights_file(folder: Path, identity: str) -> Path:
    """Where the weights of an index of this identity are; those of a switch that was just committed get their name first."""
    following = beside(folder, identity)
    if following.is_file():
        with suppress(OSError):  # a read-only folder, or another process was faster
            following.replace(folder / WEIGHTS)
    return following if following.is_file() else folder / WEIGHTS


def own_file(folder: Path, identity: str) -> Path:
    """The same where they are there. Raises UserError where they are not."""
    file = weights_file(folder, identity)
    if not file.is_file():
        raise UserError("the index's weights are not there", file, ANEW)
    return file


def read_encoder(folder: Path, made: MadeWith) -> Encoder:
    """The encoder of an index's weights, current or next, at its own image size and crops. Raises UserError when they were changed."""
    following = beside(folder, made["identity"])
    file = following if following.is_file() else own_file(folder, made["identity"])
    encoder = load_encoder(file, size=made["size"], crops=tuple(made["crops"]))
    if encoder.identity != made["identity"]:
        raise UserError(f"not the weights the index was made with ({made['identity']})", file, ANEW)
    return encoder
