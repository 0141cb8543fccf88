"""What is asked of noise pruning; the options of `repr classify noise find`.

Loads nothing heavy: the command line makes its options of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Literal

from repr.classify import ENCODERS, MODELS, PRESETS
from repr.classify.settings import Shared
from repr.errors import UserError
from repr.settings import check, setting
from repr.shared import Part, Seeded, Source

TENTH = 0.1  # of the flagged rows: 2,120 of 21,200, Bi, Wang and Fan, SIGIR eCom 2020, section 4.1, and their report


@dataclass(frozen=True, kw_only=True)
class Request(Shared, Part, Source, Seeded):
    """Which rows are looked at, by which model. split: None for the preset's. level: None for the data's own."""

    model: str = setting("ngram", f"What classifies: {', '.join(MODELS)}.", choices=tuple(MODELS), metavar="NAME", group="what")
    preset: str = setting("grouped", "paper: random 8:2, halved rates; rakuten: as its winners.", choices=PRESETS, group="what")
    folds: int = setting(4, "Models, each trained without one fold.", low=2, high=100, group="what")
    drop: str = setting("tenth", "flagged (all), tenth (of the flagged, worst first), or N% of the flagged.", metavar="SHARE", group="what")
    level: int | None = setting(None, "Class level.", low=1, high=3, usual="the usual one", group="data")
    split: Literal["random", "stratified", "grouped"] | None = setting(
        None, "How to divide a source without a split of its own.", usual="the preset's", group="data"
    )
    test_share: float | None = setting(
        None, "Share of its rows that are for the test.", low=0, above=True, high=1, below=True, usual="0.2; Rakuten 0.1", group="data"
    )
    mask: bool = setting(False, "Whether class names leave the titles.", group="data")
    weights: str = setting("", "Of the images' network.", metavar="W", usual="imagenet, or from scratch", group="model")
    text_encoder: str = setting("ngram", "Text features of image + text rows.", choices=ENCODERS, group="model")

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits."""
        check(self)
        to_drop(self.drop, 0)


def to_drop(drop: str, flagged: int) -> int:
    """How many of the flagged rows are dropped, rounded up. Raises UserError for what is neither flagged, tenth nor 0 to 100 per cent."""
    shares = {"flagged": 1.0, "tenth": TENTH}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", drop.strip())
    share = shares.get(drop, float(match[1]) / 100 if match else -1.0)
    if not 0 <= share <= 1:
        raise UserError(f"{drop!r} is no share of the flagged rows", "", "Give flagged, tenth, or per cent such as 25%", argument="drop")
    return ceil(round(share * flagged, 9))
