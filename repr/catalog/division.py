"""How each source of a catalog is divided into training and test: by itself, or by chance."""

from __future__ import annotations

from dataclasses import dataclass

OWN, WHOLE = "own", "none"


@dataclass(frozen=True)
class Division:
    """How one source was divided.

    split: OWN where it brings a split, "random" or "grouped" where rows were drawn, WHOLE where every row is for training, "" where that
    is not known; seed: of the drawing; subset: the part of the source that was read, "" for all of it.
    """

    split: str = ""
    seed: int | None = None
    subset: str = ""

    def __str__(self) -> str:
        """In words; "" where there is nothing to say."""
        named = {OWN: "its own split", WHOLE: "every image, none held out", "": ""}
        words = named.get(self.split, f"{self.split} split by seed {self.seed}")
        return "; ".join(filter(None, [f"the part {self.subset!r}" if self.subset else "", words]))
