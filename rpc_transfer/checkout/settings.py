"""Settings of automatic checkout, declared once; light, so that commands can show them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from repr.settings import setting
from repr.shared import Seeded

Method = Literal["ground", "grabcut"]


@dataclass(frozen=True, kw_only=True)
class Scenes(Seeded):
    """What is set of a set of scenes."""

    scenes: int = setting(1000, "How many; a third each of easy, medium and hard.", low=1)
    side: int = setting(800, "Side of a scene in pixels.", low=64, high=4000)
    split: Literal["train", "val", "test"] = setting("train", "The name of the part that the scenes are written as.")
    part: Literal["train", "val", "test"] = setting("train", "The part of the data that exemplars are taken from.", group="data")
    masks: Literal["ground", "grabcut"] = setting("ground", "How masks are found where the records have none.")
    occlusion: float = setting(0.4, "The most of a product that others may cover.", low=0, high=0.9)
    exemplars: int = setting(24, "Exemplars of a product that are cut out.", low=1, group="data")
