"""Settings of automatic checkout, declared once; light, so that commands can show them at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from repr.errors import UserError
from repr.settings import again, check, setting
from repr.shared import Machine, Network, Seeded

Method = Literal["ground", "grabcut"]


@dataclass(frozen=True, kw_only=True)
class Scenes(Seeded):
    """What is set of a set of scenes."""

    scenes: int = setting(1000, "How many; a third each of easy, medium and hard.", low=1)
    side: int = setting(800, "Side of a scene in pixels.", low=64, high=4000)
    split: Literal["train", "val", "test"] = setting("train", "The name of the part that the scenes are written as.")
    part: Literal["train", "val", "test"] = setting(
        "train", "Of the data, that exemplars are from; what is not divided is train.", group="data"
    )
    masks: Literal["ground", "grabcut"] = setting("ground", "How masks are found where the records have none.")
    occlusion: float = setting(0.4, "The most of a product that others may cover.", low=0, high=0.9)
    exemplars: int = setting(24, "Exemplars of a product that are cut out.", low=1, group="data")

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits."""
        check(self)


@dataclass(frozen=True, kw_only=True)
class Training(Seeded, Machine):
    """What is set of the training of a detector. None is the preset's own value: `resolved` has them all."""

    preset: Literal["small", "large"] = setting("small", "small: half an hour of two cores; large: for a GPU.", group="model")
    init: str | None = setting(
        None,
        "Start of the backbone: none, imagenet, a run folder, a weights file, or a network of timm's by name.",
        usual="small: imagenet, large: none",
        metavar="WEIGHTS",
        group="model",
    )
    arch: str | None = again(Network, "arch", usual="small: resnet18, large: resnet50")
    side: int | None = setting(
        None, "Side in pixels that images are seen at, a multiple of 32.", low=64, high=2048, usual="small: 320, large: 800", group="model"
    )
    per_class: bool = setting(False, "Learn a class a product, not one of all: such a detector finds no new ones.", group="model")
    epochs: int | None = setting(None, "Times every scene is seen.", low=1, usual="small: 12, large: 24", group="training")
    batch_size: int | None = setting(None, "Scenes a step.", low=1, usual="small: 8, large: 16", group="training")
    lr: float | None = setting(
        None, "Base learning rate of AdamW.", low=0, above=True, usual="small: 0.001, large: 0.0005", group="training"
    )
    val_share: float = setting(
        0.05, "Share of the scenes held out, if the data have no val part.", low=0, high=0.5, below=True, group="data"
    )

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits, and a side that is no multiple of 32."""
        check(self)
        if self.side is not None and self.side % 32:
            near = round(self.side / 32) * 32
            raise UserError(f"side is {self.side}", "", f"Give a multiple of 32, such as {near}", argument="side")

    def resolved(self) -> Training:
        """The same, with the preset's values where none were set."""
        usual = PRESETS[self.preset]
        init = self.init or ("none" if self.arch is not None else usual.init)
        made = {name: value if (value := getattr(self, name)) is not None else getattr(usual, name) for name in OWN}
        return replace(self, init=init, **made)


@dataclass(frozen=True)
class Preset:
    """What `Training` is where nothing else is said; channels, convs: of the detector's pyramid and heads."""

    init: str
    arch: str
    side: int
    epochs: int
    batch_size: int
    lr: float
    channels: int
    convs: int


MACHINE = frozenset({"device", "workers"})  # settings that change nothing of what is computed
OWN = ("arch", "side", "epochs", "batch_size", "lr")
# One image forward and back, one busy core: EfficientNet-Lite0 at 320 px 0.25 to 0.34 s, ResNet-18 0.50 s; at 256 px 0.16 and 0.26 s.
# bfloat16 on a CPU without units for it took eight times that.
PRESETS = {
    "small": Preset("imagenet", "resnet18", 320, 12, 8, 1e-3, channels=64, convs=2),
    "large": Preset("none", "resnet50", 800, 24, 16, 5e-4, channels=256, convs=4),
}
