"""Trials: what is wanted is looked for in the store, else computed and stored; so a run that was interrupted goes on.

A trial's file is `<name>-<key>.npz`: the trial's arrays by name, and beside them `trial`, JSON text with "version", "metrics" (a number
or null each), "details" (any JSON) and "note".
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from repr import progress
from repr.arrays import Array
from repr.errors import UserError
from repr.files import content_key, replacing
from repr.records import Json

log = logging.getLogger(__name__)

VERSION = 1  # of the files
TEXT = "trial"  # the name of the JSON among the arrays


@dataclass(frozen=True)
class Trial:
    """What one config gave with one seed.

    metrics: a number each; None or NaN where one does not apply. details: other findings, JSON. arrays: such as the predictions.
    note: what a reader must know.
    """

    metrics: Mapping[str, float | None]
    details: Mapping[str, Json] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """A trial to be had: the config's position among the rows, a seed, and what its file is called.

    name: begins the file's name, for people. key: of all that its numbers depend on (`key`). split: of what it learns from and is tested
    on, by content: trials of one seed and equal splits are compared. label: what is said while it is computed.
    """

    row: int
    seed: int
    name: str
    key: str
    split: str = ""
    label: str = ""

    @property
    def file(self) -> str:
        """The name of the trial's file."""
        return f"{self.name}-{self.key}.npz"


class NotRun(Exception):
    """A trial that cannot be run here; the text says why. Raised by what computes trials, and found in the row as its error."""


Found = tuple[Wanted, Trial | NotRun]  # a trial that was wanted, and what came of it


def key(version: int, seed: int, depends: Mapping[str, Json | bytes]) -> str:
    """The content key of a trial.

    version: of the code that computes it; raise it when stored trials are no longer what would be computed. depends: by name, all that
    the numbers depend on: data and weights by content (never by where they lie), split, settings. The order of names does not matter.
    """
    parts = [part for name in sorted(depends) for part in (name, depends[name])]
    return content_key(VERSION, version, seed, *parts)


@dataclass(frozen=True)
class Store:
    """A folder of trials, one file each, written whole or not at all."""

    folder: Path

    def write(self, file: str, trial: Trial) -> None:
        """Write a trial's file. NaN metrics become null."""
        metrics = {name: None if value is None or math.isnan(value) else float(value) for name, value in trial.metrics.items()}
        content = {"version": VERSION, "metrics": metrics, "details": trial.details, "note": trial.note}
        text = json.dumps(content, allow_nan=False)
        assert TEXT not in trial.arrays
        with replacing(self.folder / file) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **{TEXT: np.array(text, dtype=np.str_)}, **trial.arrays)

    def read(self, file: str, *, arrays: bool = True) -> Trial:
        """Read a trial, with or without its arrays. Raises UserError when the file is missing, broken or of a newer version."""
        path = self.folder / file
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                content = json.loads(str(stored[TEXT]))
                version = int(content["version"])
                named = {name: stored[name] for name in stored.files if name != TEXT} if arrays else {}
                trial = Trial(dict(content["metrics"]), dict(content["details"]), named, str(content["note"]))
        except Exception as error:  # zipfile, zlib, numpy and json each have their own
            raise UserError(f"not a readable trial of a run ({error})", path, "Delete it and run the same command again") from None
        if version > VERSION:
            raise UserError(f"written by a newer version ({version} > {VERSION})", path, "Update the package")
        return trial

    def find(self, file: str) -> Trial | None:
        """A stored trial without its arrays; None when there is none. A damaged one is told, and is then computed again."""
        if not (self.folder / file).is_file():
            return None
        try:
            return self.read(file, arrays=False)
        except UserError as error:
            log.info(f"Computed again: {error}")
            return None


def run(wanted: Sequence[Wanted], compute: Callable[[Wanted], Trial], store: Store | None = None) -> list[Trial | NotRun]:
    """The trials that are wanted, in their order and without their arrays; those that the store lacks are computed and stored.

    They are computed in the order given: put beside each other what shares work. compute: may raise NotRun, which takes the trial's place
    and is tried again next time; another error ends the run, and what is computed stays in the store.
    """
    trials: list[Trial | NotRun | None] = [store.find(one.file) if store else None for one in wanted]
    done = sum(one is not None for one in trials)
    if done:
        log.info(f"{done} of {len(wanted)} trials are already there.")
    with progress.bar(len(wanted), "", "trial", done=done) as bar:
        for i, one in enumerate(wanted):
            if trials[i] is None:
                bar.describe(one.label)
                trials[i] = _computed(one, compute, store)
                bar.update()
    return cast(list[Trial | NotRun], trials)


def _computed(one: Wanted, compute: Callable[[Wanted], Trial], store: Store | None) -> Trial | NotRun:
    try:
        trial = compute(one)
    except NotRun as reason:
        return reason
    if store:
        store.write(one.file, trial)
    return replace(trial, arrays={})
