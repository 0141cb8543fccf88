"""What a transfer run is told: the options of `rpc_transfer run`, usable without the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from repr.crops import checked
from repr.errors import UserError
from repr.learners import UPDATES

FIRST_LEARNERS = ("finetune", "ncm", "cosine")
SIZE = 64  # pixels a side of images for a random start, when no weights say otherwise
ARCH = "resnet18"
SHOTS, SEEDS = 10, 5
MOST_EPOCHS = 30  # of the base step
BATCH = 64  # the trained learners' own batch size

Encoders = Literal["given", "base-trained", "both"]


@dataclass(frozen=True)
class Settings:
    """Options of a run; see `rpc_transfer run --help`. The names are those of the options.

    data: sources, empty for $RPC_ROOT or the synthetic shop. novel: number of novel products, not needed with a split file.
    shots: one number, or several for a curve; empty for SHOTS, or as many as a split file has. weights: starting weights; "none" and
    "imagenet" are shown too unless `only_weights`.
    seeds: how many, counted from `seed`; they vary shots and initialisation, `split_seed` the products.
    None is SEEDS from 0 and split seed 0, or what a split file has.
    split: "random" or "grouped" for sources without a split of their own, or the path of a split file.
    features: which encoder frozen learners use: as given, as left by the base step, or a row for each.
    base_alpha: how much of the base step's training is mixed into the weights that it started from, for base-trained encoders; 1 is all.
    epochs, lr, batch_size, views, memory: for the learners that take them; None for the learner's own (epochs: by `updates`;
    memory: every shot is kept, as 10 shots a product are few; how many that are stands in the row).
    crops: the shares of a image's side that features are averaged over when a learner is taught or asked by them; learners that train do
    so on random views of the whole image, and are asked by the crops. None for what the weights say.
    preset: "paper" where the options went through `paper.fixed`; the run then says how far it departs from the paper.
    reject: the share of known training images, not shots, that the rejection threshold must accept; None for no threshold.
    """

    data: tuple[str, ...] = ()
    novel: int | None = None
    shots: tuple[int, ...] = ()
    weights: tuple[str, ...] = ()
    only_weights: bool = False
    learner: tuple[str, ...] = FIRST_LEARNERS
    seeds: int | None = None
    seed: int | None = None
    split_seed: int | None = None
    split: str = "grouped"
    base_shots: int | Literal["all"] | None = None
    shots_from: Literal["train", "val"] = "train"
    test_on: Literal["validation", "val", "test"] | None = None
    increments: str = ""
    unknown: int = 0
    reject: float | None = None
    features: Encoders = "given"
    base_alpha: float = 1.0
    memory: int | None = None
    arch: str | None = None
    size: int | None = None
    crops: tuple[float, ...] | None = None
    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    views: str | None = None
    preset: Literal["paper"] | None = None
    device: str = "auto"
    workers: int | None = None

    def __post_init__(self) -> None:
        """Raises UserError for numbers that make no sense."""
        if self.crops is not None:
            object.__setattr__(self, "crops", checked(self.crops))
        if self.shots and min(self.shots) < 1:
            raise UserError("must be 1 or more", "", "Give a whole number, or several such as 1,5,10", argument="shots")
        if self.seeds is not None and self.seeds < 1:
            raise UserError("must be 1 or more", "", "Five give an interval worth reading", argument="seeds")
        if self.novel is None and self.split_file is None:
            raise UserError(
                "how many products are novel was not said", "", "Give `novel` N, or a split file with `split` FILE", argument="novel"
            )
        if not 0 < self.base_alpha <= 1:
            raise UserError(
                f"{self.base_alpha} is no share", "", "Give a number above 0, up to 1 for all of the training", argument="base_alpha"
            )
        if self.reject is not None and not 0 < self.reject <= 1:
            raise UserError(f"{self.reject} is no share", "", "Give the share of known images to accept, such as 0.95", argument="reject")

    @property
    def split_file(self) -> Path | None:
        """The split file given, if any."""
        return None if self.split in ("random", "grouped") else Path(self.split)

    @property
    def run_seeds(self) -> tuple[int, ...]:
        """The seeds of the runs, where no split file says which."""
        first = self.seed or 0
        return tuple(range(first, first + (self.seeds or SEEDS)))

    def arguments(self) -> dict[str, Any]:
        """The options as typed, JSON-able: what config.json keeps and --config gives back."""
        values = asdict(self)
        values["shots"] = ",".join(map(str, self.shots)) or None
        values["base_shots"] = None if self.base_shots is None else str(self.base_shots)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def for_learner(self, takes: frozenset[str]) -> dict[str, Any]:
        """The settings typed that a learner takes (`Learner.takes`), beside seed, device and updates."""
        typed = {"memory": self.memory, "epochs": self.epochs, "lr": self.lr, "batch_size": self.batch_size, "views": self.views}
        return {name: value for name, value in typed.items() if value is not None and name in takes}

    def updates(self, images: Sequence[int]) -> tuple[int, int]:
        """Updates of the base step and of each increment. images: shots of each step, the base step first.

        Without epochs typed the base step has UPDATES, or what MOST_EPOCHS make, and each of n increments 1/√n of that:
        as many where there is one, whether images are seen again or not. Equal numbers would make 17 increments take 17
        times as long; equal shares of one budget would show the last products once.
        With epochs typed: what they make when every image is seen again, for increments on average.
        """
        a_epoch = [math.ceil(n / (self.batch_size or BATCH)) for n in accumulate(images)]
        increments = len(images) - 1
        if self.epochs is not None:
            return self.epochs * a_epoch[0], round(self.epochs * sum(a_epoch[1:]) / increments)
        base = min(UPDATES, MOST_EPOCHS * a_epoch[0])
        return base, round(base / math.sqrt(increments))
