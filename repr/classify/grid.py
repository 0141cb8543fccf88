"""What a classification is asked for: a grid of rows, or a table of the paper; the options of `repr classify`.

Loads nothing heavy: the command line makes its options of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from repr.classify import ENCODERS, MODELS, PRESETS
from repr.classify.hierarchy import NETS
from repr.classify.settings import Shared
from repr.errors import UserError
from repr.settings import check, setting
from repr.shared import SEEDS, Part, Seeded, Source


@dataclass(frozen=True, kw_only=True)
class Request(Shared, Part, Source, Seeded):
    """What is run: every combination of models, levels, parts, nets, weights and shares, with `seeds` seeds from `seed` on.

    Empty is the usual one, or what a table names. presets: "paper" is its split and its training. split: None for the preset's.
    mask: None for both in tables, and whole titles in a grid.
    """

    models: tuple[str, ...] = setting((), f"{', '.join(MODELS)}.", choices=tuple(MODELS), usual="ngram", metavar="NAME", group="what")
    nets: tuple[str, ...] = setting((), f"A hierarchical net: {', '.join(NETS)}.", choices=tuple(NETS), metavar="NET", group="what")
    presets: tuple[str, ...] = setting(
        (),
        "paper: random 8:2, halved rates; rakuten: as its winners.",
        choices=PRESETS,
        usual="grouped; in tables paper",
        group="what",
    )
    paper: str = setting("", "Other figures than the paper's beside a table's: CSV.", metavar="FILE", group="what")
    levels: tuple[int, ...] = setting((), "Class levels.", low=1, high=3, usual="the usual one", group="data")
    parts: tuple[str, ...] = setting((), "Only what is below this class (id or name).", metavar="CLASS", group="data")
    split: Literal["random", "stratified", "grouped"] | None = setting(
        None, "How to divide a source without a split of its own.", usual="the preset's", group="data"
    )
    test_share: float | None = setting(
        None, "Share of its rows that are for the test.", low=0, above=True, high=1, below=True, usual="0.2; Rakuten 0.1", group="data"
    )
    mask: bool | None = setting(None, "Whether class names leave the titles.", usual="tables show both", group="data")
    shares: tuple[float, ...] = setting((), "Share of rows with fine labels.", low=0, above=True, high=1, usual="1", group="data")
    weights: tuple[str, ...] = setting((), "Of the images' network.", metavar="W", usual="imagenet, or from scratch", group="model")
    text_encoder: str | None = setting(
        None, "Text features of image + text rows.", choices=ENCODERS, usual="ngram; in tables as there", group="model"
    )
    seeds: int = setting(1, "How many seeds; they vary split and start.", low=1, high=SEEDS, group="training")

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits, and for two settings that do the same."""
        check(self)
        if self.balanced and self.adjust:
            raise UserError("given with `balanced`: each makes up for the classes' sizes", "", "Give one of them", argument="adjust")
