"""The data of a classification: the whole catalogue or the part that a row names, divided for its seed, training rows limited."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from repr.catalog import parts
from repr.catalog.sources import fill_split
from repr.catalog.table import Catalog
from repr.classify import SUBSETS
from repr.classify.subtree import largest, subtree
from repr.commands import command_line
from repr.errors import UserError

log = logging.getLogger(__name__)


@dataclass
class Opened:
    """read: the sources as they are. subset: what all rows are narrowed to, "" for nothing. limit: as in `Settings`.

    data_seed: of the division of sources that bring no split; None for that of each row. test_share: of
    their rows, those for the test; None for the usual one.
    """

    read: Catalog
    subset: str = ""
    limit: int = 0
    data_seed: int | None = None
    test_share: float | None = None
    _last: dict[tuple[int, str, str], Catalog] = field(default_factory=dict)

    def __call__(self, seed: int, part: str, split: str) -> Catalog:
        """The catalog of a seed and a part (one of SUBSETS, a class to look below, "" for all), every row with its split.

        split: as rows record it, how what brings none is divided.

        Raises UserError for a part that is not there.
        """
        if (seed, part, split) not in self._last:
            catalog = self._named(part)
            for note in catalog.notes[len(self.read.notes) :]:
                log.info(f"Note: {note}.")
            self._last.clear()  # one at a time: three million rows take a gigabyte
            data_seed = seed if self.data_seed is None else self.data_seed
            divided = fill_split(catalog, split.rpartition(", ")[2], data_seed, self.test_share)
            self._last[seed, part, split] = limited(self._below(divided, part), self.limit, seed)
        return self._last[seed, part, split]

    def check_ocr(self, data: Sequence[str]) -> None:
        """Raise UserError where not one row has OCR text: a row would be called text+ocr and be none."""
        if not pc.any(pc.not_equal(self.read.table.column("ocr"), "")).as_py():
            reading = command_line("repr catalog ocr", data=data, out="with-ocr.parquet")
            raise UserError("no row has OCR text", "", f"Leave it out, or read the images first: {reading}", argument="ocr")

    def levels(self, named: Sequence[str]) -> dict[str, int]:
        """The usual class level of each part; of the whole for none. Raises UserError for a class that is not there."""
        return {part: self._below(self._named(part), part).default_level for part in named or ("",)}

    def own_parts(self) -> tuple[str, ...]:
        """Where no two classes of any of SUBSETS are in the data: the largest classes with several below them, to stand in; else ().

        Raises UserError where there are none of these either.
        """
        for name in SUBSETS:
            try:
                part = self._named(name)
            except UserError:
                continue
            if len(part.labels()[1]) > 1:
                return ()
        stand_ins = largest(self.read, len(SUBSETS))
        if not stand_ins:
            listed = ", ".join(SUBSETS)
            lacking = f"none of the subsets {listed} is in it, and no class has two or more below it to stand in for them"
            raise UserError(lacking, self.read.name, "Give data whose classes have classes below them, or choose another table")
        return stand_ins

    def _named(self, part: str) -> Catalog:
        subset = part if part in SUBSETS else self.subset
        return parts.subset(self.read, subset) if subset else self.read

    def _below(self, catalog: Catalog, part: str) -> Catalog:
        return subtree(catalog, part) if part and part not in SUBSETS else catalog


def limited(catalog: Catalog, limit: int, seed: int) -> Catalog:
    """The catalog with at most `limit` training rows, drawn by chance; all others stay. 0: no limit.

    The rest is dropped here, before anything is looked at, so that no image or title of it is decoded or encoded.
    """
    if not limit:
        return catalog
    training = np.flatnonzero(catalog.column("split").astype(str) == "train")
    if limit >= len(training):
        return catalog
    stays = np.ones(len(catalog), bool)
    stays[np.random.default_rng([seed, 3]).permutation(training)[limit:]] = False
    return catalog.select(stays)
