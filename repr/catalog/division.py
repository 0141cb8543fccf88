"""How each source of a catalog is divided into training and test: by itself, or by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Bools
from repr.catalog.table import Catalog

OWN = "own"


@dataclass(frozen=True)
class Division:
    """How one source was divided.

    split: OWN where it brings a split, "random" or "grouped" where rows were drawn, "" where that is not known; seed: of the drawing;
    subset: the part of the source that was read, "" for all of it.
    """

    split: str = ""
    seed: int | None = None
    subset: str = ""

    def __str__(self) -> str:
        """In words; "" where there is nothing to say."""
        words = "its own split" if self.split == OWN else f"{self.split} split by seed {self.seed}" if self.split else ""
        return "; ".join(filter(None, [f"the part {self.subset!r}" if self.subset else "", words]))


def divisions(catalog: Catalog, split: str, seed: int, subset: str | None = None) -> tuple[Division, ...]:
    """How `fill_split` divides each source of a catalog; `subset` as it was opened with."""
    return tuple(Division(split, seed, subset or "") if without else Division(OWN, None, subset or "") for without in bare(catalog))


def bare(catalog: Catalog) -> Bools:
    """(sources,) whether a source has no split of its own."""
    column, source = catalog.column("split").astype(str), catalog.column("source")
    return np.array([not (column[source == s] != "").any() for s in range(len(catalog.sources))])
