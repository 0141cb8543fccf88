"""How much room a catalog's image files take on the disk (the MEP-3M papers say 76 GB of theirs)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repr.catalog.table import Catalog


@dataclass(frozen=True)
class Storage:
    """Of the image files of a catalog, each counted once: how many are there, their bytes, and how many are not there."""

    files: int
    bytes: int
    missing: int

    def line(self) -> str:
        """It in words."""
        if not self.files:
            return "storage: none of the image files is there"
        size = f"{self.bytes / 1e9:,.2f} GB" if self.bytes >= 1e9 else f"{self.bytes / 1e6:,.1f} MB"
        missing = f"; {self.missing:,} more are not there" if self.missing else ""
        return f"storage: {size} in {self.files:,} image files, {self.bytes / self.files / 1e3:,.1f} kB each on average{missing}"


def storage(catalog: Catalog) -> Storage:
    """Look at every image file of a catalog, without opening it. A path that cannot be asked for counts as one that is not there."""
    sizes = [_size(root, path) for root, path in dict.fromkeys(catalog.located())]
    there = [size for size in sizes if size is not None]
    return Storage(len(there), sum(there), len(sizes) - len(there))


def _size(root: str, path: str) -> int | None:
    try:
        return Path(root, path).stat().st_size
    except (OSError, ValueError):
        return None
