"""What a pretraining run is told: one dataclass, checked when it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from repr.errors import UserError, nearest
from repr.images.views import preset
from repr.methods import METHODS, load
from repr.methods.method import Recipe

SCHEDULES = ("cosine", "step", "constant")

# What may differ between a run and its continuation: where it runs, not what it computes.
MACHINE = frozenset({"device", "devices", "workers", "pixels", "compile"})


@dataclass(frozen=True)
class Settings:
    """The settings of one run. None means the method's own value, or that of the starting weights (arch, size).

    size: side of the views in pixels. batch_size: images a step, over all devices. lr: the base rate itself, not scaled again.
    warmup: epochs. views: name of a preset of repr.images.views. val_share: share of the training images held out
    to watch generalisation where the data have no val split. pixels: where packed images live while training.
    The last block belongs to single methods; None means its default, and setting one that the method does not take is an error.
    """

    method: str = "supervised"
    arch: str | None = None
    size: int | None = None
    init: str = "none"
    epochs: int = 20
    batch_size: int = 64
    lr: float | None = None
    optimiser: str | None = None
    momentum: float = 0.9
    weight_decay: float | None = None
    warmup: float | None = None
    schedule: str = "cosine"
    balanced: bool = False
    min_images: int = 1
    val_share: float = 0.05
    ema: float = 0.0
    views: str | None = None
    level: int | None = None
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    workers: int | None = None
    pixels: str = "auto"
    compile: bool = False

    label_smoothing: float | None = None
    projector: bool | None = None
    temperature: float | None = None
    decoupled: bool | None = None
    queue: int | None = None
    contrast: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UserError(f"no such method: {self.method}", "", nearest(self.method, METHODS), argument="method")
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("optimiser", self.optimiser, (None, "sgd", "lars"))
        if self.optimiser not in (None, self.recipe.optimiser) and self.lr is None:
            raise UserError(
                f"{self.method}'s rate is for {self.recipe.optimiser}, not {self.optimiser}", "", "Give `lr` too", argument="optimiser"
            )
        if self.views:
            preset(self.views, 16)  # raises UserError for what it does not know
        _one_of("pixels", self.pixels, ("auto", "disk", "device"))
        for name, least in (("epochs", 1), ("batch_size", 1), ("devices", 1), ("min_images", 1), ("size", 16)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"must be at least {least}, not {value}", argument=name)
        for name, (low, below) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value < below:
                limits = f"at least {low:g}" + (f" and below {below:g}" if below < float("inf") else "")
                raise UserError(f"must be {limits}, not {value}", argument=name)
        if self.warmup and self.warmup >= self.epochs:
            raise UserError(
                f"{self.warmup:g} epochs of warm-up in a run of {self.epochs}", "", "Lower it, or raise `epochs`", argument="warmup"
            )
        takes = load(self.method).takes
        for name in OF_METHODS:
            if getattr(self, name) is not None and name not in takes:
                able = [method for method in METHODS if name in load(method).takes]
                raise UserError(f"the method {self.method} has no such setting", "", f"It belongs to {', '.join(able)}", argument=name)

    @property
    def recipe(self) -> Recipe:
        """The method's recipe."""
        return load(self.method).recipe

    def rate(self) -> float:
        """The base rate: the one given, else the method's, scaled to the batch size."""
        return self.lr if self.lr is not None else self.recipe.rate(self.batch_size, from_weights=self.init != "none")

    def resolved(self) -> Settings:
        """The same with the method's own rate, optimiser, weight decay, warm-up and views where none were set."""
        recipe = self.recipe
        return replace(
            self,
            lr=self.rate(),
            optimiser=self.optimiser or recipe.optimiser,
            weight_decay=recipe.weight_decay if self.weight_decay is None else self.weight_decay,
            warmup=min(recipe.warmup, self.epochs / 10) if self.warmup is None else self.warmup,
            views=self.views or load(self.method).default_views,
        )

    def in_force(self) -> dict[str, Any]:
        """The resolved settings by name, JSON-able, without those that are of other methods: for the records."""
        return {name: value for name, value in self.resolved().as_dict().items() if value is not None}

    def of_method(self) -> dict[str, Any]:
        """The keywords for the method's constructor: what it takes and was set."""
        return {name: getattr(self, name) for name in OF_METHODS if getattr(self, name) is not None}

    def as_dict(self) -> dict[str, Any]:
        """All settings, JSON-able."""
        return asdict(self)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Names of the settings that change what is computed and differ from `other`'s (an older run's `as_dict`)."""
        mine = self.as_dict()
        return [name for name in mine if name not in MACHINE and mine[name] != other.get(name)]


INF = float("inf")
LIMITS = {
    "lr": (0.0, INF),
    "momentum": (0.0, 1.0),
    "weight_decay": (0.0, INF),
    "warmup": (0.0, INF),
    "val_share": (0.0, 0.5),
    "ema": (0.0, 1.0),
    "label_smoothing": (0.0, 1.0),
    "temperature": (1e-4, INF),
    "contrast": (0.0, 1.0 + 1e-9),
}
OF_METHODS = ("label_smoothing", "projector", "temperature", "decoupled", "queue", "contrast")
assert set(OF_METHODS) <= {f.name for f in fields(Settings)}


def _one_of(argument: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        names = [name for name in known if name]
        raise UserError(f"no such choice: {value}", "", nearest(str(value), names), argument=argument)
