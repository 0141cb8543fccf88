"""What a transfer run leaves on disk: results.json and one .npz a trial, so that a run goes on and reports can be drawn.

A trial is one learner with one start, one number of shots and one seed: `trials/<learner>-<key>.npz` with

    tests        (n,) positions in the list of test images of its seed in split.json (products in the order base, novel,
                 unknown, the images of each in the file's order); unreadable images are missing
    labels       (n,) class numbers: base products in their order, then novel ones; -1 for unknown products
    predictions  (n,) class numbers, over all classes
    novel_only   (n,) class numbers, the best novel class
    confidence   (n,) probability of the prediction; known (n,) higher for what is more surely taught
    figures      JSON text: the trial's metrics by name (null where one does not apply), "steps" and "per_supercategory"
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repr.errors import UserError
from repr.files import read_json, replacing, write_json
from repr.runs import Run

VERSION = 1
FILE = "results.json"
ARRAYS = ("tests", "labels", "predictions", "novel_only", "confidence", "known")


@dataclass(frozen=True)
class Trial:
    """One learner, start, number of shots and seed: the arrays of the module's text by name, and the figures."""

    arrays: dict[str, Any]
    figures: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the trial's file, whole or not at all. NaN figures become null."""
        text = json.dumps({"version": VERSION, **_without_nan(self.figures)}, allow_nan=False)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, figures=np.array(text, dtype=np.str_), **self.arrays)

    @classmethod
    def read(cls, path: Path) -> Trial:
        """Read a trial. Raises UserError when the file is missing or broken."""
        try:
            with np.load(path, allow_pickle=False) as file:
                figures = json.loads(str(file["figures"]))
                newer = figures["version"] > VERSION
                arrays = {name: file[name] for name in ARRAYS}
        except Exception as error:  # zipfile, zlib, numpy and json each have their own
            raise UserError(f"not a readable trial of a run ({error})", path, "Delete it and run the same command again") from None
        if newer:
            raise UserError(f"written by a newer version ({figures['version']} > {VERSION})", path, "Update the package")
        return cls(arrays, figures)


@dataclass(frozen=True)
class Results:
    """A run's results. content: the object of results.json, `rows` in it; folder: the run folder."""

    folder: Path
    content: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows; one that could not be run has "error" and null figures."""
        rows: list[dict[str, Any]] = self.content["rows"]
        return rows

    @property
    def split_path(self) -> Path:
        """The split file of the run."""
        return self.folder / "split.json"

    def trial(self, row: int, seed: int) -> Trial:
        """The trial of a row and a seed. Raises UserError when it is not there."""
        for entry in self.rows[row]["trials"]:
            if entry["seed"] == seed:
                return Trial.read(self.folder / entry["file"])
        raise UserError(f"row {row} has no seed {seed}", self.folder / FILE, "Run it with more `seeds`")

    def test_images(self, seed: int) -> list[str]:
        """The image names that `tests` of a trial counts in."""
        split = read_json(self.split_path)
        images = next(entry["images"] for entry in split["tests"] if seed in entry["seeds"])
        return [name for kind in ("base", "novel", "unknown") for product in split[kind] for name in images[product]]


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write results.json, whole or not at all."""
    write_json(folder / FILE, {"version": VERSION, **content})


def read(folder: Path) -> Results:
    """Read a run's results. Raises UserError when the folder holds none, those of a newer version, or of before a run that was stopped."""
    folder = Path(folder)
    if (folder / "config.json").is_file() and Run.open(folder).config.get("status") != "done":
        raise UserError("this run has not ended", folder, "Run the same command again; it goes on where it was")
    if not (folder / FILE).is_file():
        raise UserError("no results in this folder", folder, "Give the folder that `rpc_transfer run` wrote, of a finished run")
    content = read_json(folder / FILE)
    if not isinstance(content, dict) or "rows" not in content:
        raise UserError("not the results of a transfer run", folder / FILE, "Give the folder that `rpc_transfer run` wrote")
    if content.get("version", 0) > VERSION:
        raise UserError(f"written by a newer version ({content['version']} > {VERSION})", folder / FILE, "Update the package")
    return Results(folder, content)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return value
