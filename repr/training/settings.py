"""What a pretraining run is told: one dataclass, declared for all who read it, and checked when it is made.

Loads nothing heavy: the command line makes its options of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from repr.catalog.division import WHOLE
from repr.errors import UserError
from repr.methods import METHODS, entry, load, read
from repr.methods.recipe import Recipe
from repr.methods.settings import MethodSettings
from repr.records import Json, Scalar
from repr.settings import again, check, declared, setting
from repr.shared import SPLITS, Divided, Labelled, Machine, Network, Seeded

# What may differ between a run and its continuation: where it runs, not what it computes.
MACHINE = frozenset({"device", "devices", "workers", "pixels", "compile"})
UNSET = MethodSettings()  # stands for the defaults of whatever method it is
VAL_SHARE = 0.05  # of the training images, where nothing else is said


@dataclass(frozen=True, kw_only=True)
class DividedOrWhole(Divided):
    """As other commands divide data, or not at all: then every image is trained on, those of the source's own val and test splits too."""

    split: str = setting(
        "grouped",
        f"How to divide a source without a split of its own; {WHOLE}: train on every image of all sources, and hold nothing out.",
        choices=(*SPLITS, WHOLE),
        group="data",
    )


@dataclass(frozen=True, kw_only=True)
class Settings(Labelled, Seeded, Machine):
    """The settings of one run. None means the method's own value, or that of the starting weights (arch, size).

    method: a name of METHODS; own: that method's settings, by default its defaults. size: side of the views in pixels. batch_size: images
    a step, over all devices. lr: the base rate itself, not scaled again. warmup: epochs. views: name of a preset of repr.images.views.
    val_share: share of the training images held out to watch generalisation where the data have no val split. pixels: where packed
    images live while training.
    """

    method: str = setting(
        "supervised",
        f"What is learned from: {', '.join(METHODS)}; with settings: simclr:temperature=0.2,decoupled=true.",
        metavar="NAME[:SETTING=VALUE,…]",
        group="what",
    )
    arch: str | None = again(Network, "arch", usual="that of the start, else resnet18")
    size: int | None = setting(
        None, "Side of the views in pixels.", low=16, usual="that of the start, else 64", metavar="PX", group="model"
    )
    init: str = setting(
        "none",
        "Start: none (from scratch), imagenet, imagenet-lite2, a run folder, a weights file, a folder as timm, open_clip or transformers "
        "write it, or a network of timm's by name.",
        metavar="WEIGHTS",
        group="model",
    )
    epochs: int = setting(20, "Times every image is seen.", low=1, group="training")
    batch_size: int = setting(64, "Images a step, over all devices.", low=1, group="training")
    lr: float | None = setting(None, "Base learning rate.", low=0, usual="the method's, scaled to the batch size", group="training")
    optimiser: Literal["sgd", "lars"] | None = setting(None, "Who takes the steps.", usual="the method's", group="training")
    momentum: float = setting(0.9, "Momentum of the optimiser.", low=0, high=1, below=True, group="training")
    weight_decay: float | None = setting(None, "Weight decay; norms and biases have none.", low=0, usual="the method's", group="training")
    warmup: float | None = setting(
        None, "Linear warm-up.", low=0, usual="the method's, at most a tenth of the run", metavar="EPOCHS", group="training"
    )
    schedule: Literal["cosine", "step", "constant"] = setting("cosine", "The rate after warm-up.", group="training")
    balanced: bool = setting(False, "Draw every class equally often.", group="data")
    min_images: int = setting(1, "Leave out classes with fewer.", low=1, group="data")
    val_share: float | None = setting(
        None,
        "Share held out to watch, if the data have no val split.",
        low=0,
        high=0.5,
        below=True,
        usual=f"{VAL_SHARE}; 0 with `split` {WHOLE}",
        group="data",
    )
    ema: float = setting(0.0, "Write the moving average of the weights.", low=0, high=1, below=True, metavar="DECAY", group="training")
    views: str | None = setting(
        None,
        "supervised, simclr or product, minus kinds: product-rotate-blur.",
        usual="the method's",
        metavar="NAME",
        group="training",
    )
    devices: int = setting(1, "GPUs, or processes on a CPU.", low=1, group="machine")
    pixels: Literal["auto", "disk", "device"] = setting("auto", "Where images live.", group="machine")
    compile: bool = setting(False, "Compile the network (worth it on GPUs).", group="machine")
    own: MethodSettings = UNSET

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits, and for some that do not go together."""
        check(self)
        owner = entry(self.method).settings
        if self.own is UNSET:
            object.__setattr__(self, "own", owner())
        assert isinstance(self.own, owner), f"{self.own} are no settings of {self.method}"
        if self.optimiser is not None and self.optimiser != self.recipe.optimiser and self.lr is None:
            raise UserError(
                f"{self.method}'s rate is for {self.recipe.optimiser}, not {self.optimiser}", "", "Give `lr` too", argument="optimiser"
            )
        if self.warmup and self.warmup >= self.epochs:
            raise UserError(
                f"{self.warmup:g} epochs of warm-up in a run of {self.epochs}", "", "Lower it, or raise `epochs`", argument="warmup"
            )

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        """From arguments by name, as typed or as config.json has them: the method with its settings in one text. Others are passed over.

        Raises UserError as the constructor does, and where nothing is to be held out (`split` WHOLE) and a share of it is, or a seed says
        how to divide it.
        """
        values = {name: value for name, value in arguments.items() if name in declared(cls)}
        if arguments.get("split") == WHOLE:
            if values.get("val_share"):
                held = f"a share of {values['val_share']:g} is to be held out, and `split` {WHOLE} trains on every image"
                raise UserError(held, "", f"Leave out one of `val_share` and `split` {WHOLE}", argument="val_share")
            if arguments.get("data_seed") is not None:
                raise UserError(f"would do nothing: `split` {WHOLE} divides nothing", "", "Leave it out", argument="data_seed")
            values["val_share"] = 0.0
        if "method" in values:
            values["method"], values["own"] = read(values["method"])
        return cls(**values)

    @property
    def recipe(self) -> Recipe:
        """The method's recipe."""
        return load(self.method).recipe

    def rate(self) -> float:
        """The base rate: the one given, else the method's, scaled to the batch size."""
        return self.lr if self.lr is not None else self.recipe.rate(self.batch_size, from_weights=self.init != "none")

    @property
    def held_out(self) -> float:
        """The share of the training images that are held out to watch, where the data have no val split."""
        return VAL_SHARE if self.val_share is None else self.val_share

    def resolved(self) -> Self:
        """The same with the method's own rate, optimiser, weight decay, warm-up and views where none were set, and the share held out."""
        recipe = self.recipe
        return replace(
            self,
            lr=self.rate(),
            optimiser=self.optimiser or recipe.optimiser,
            weight_decay=recipe.weight_decay if self.weight_decay is None else self.weight_decay,
            warmup=min(recipe.warmup, self.epochs / 10) if self.warmup is None else self.warmup,
            views=self.views or load(self.method).default_views,
            val_share=self.held_out,
        )

    def in_force(self) -> dict[str, Scalar]:
        """The resolved settings by name, those of the method among them, JSON-able: for the records."""
        return {name: value for name, value in _flat(self.resolved().as_dict()).items() if isinstance(value, str | int | float)}

    def as_dict(self) -> dict[str, Json]:
        """All settings, JSON-able; those of the method under "own"."""
        return asdict(self)

    def differences(self, other: Mapping[str, Json]) -> dict[str, tuple[Json, Json]]:
        """Name → (`other`'s, own) of the settings that change what is computed and differ from an older run's `as_dict`."""
        mine, theirs = _flat(self.as_dict()), _flat(other)
        return {name: (theirs.get(name), mine[name]) for name in mine if name not in MACHINE and mine[name] != theirs.get(name)}


def _flat(settings: Mapping[str, Json]) -> dict[str, Json]:
    own = settings["own"]
    assert isinstance(own, Mapping)
    return {name: value for name, value in settings.items() if name != "own"} | dict(own)
