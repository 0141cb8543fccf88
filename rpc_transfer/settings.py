"""What is set of a transfer run: the options of `rpc_transfer run`, usable without the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from repr.crops import checked
from repr.errors import UserError
from repr.learners import FROZEN, LEARNERS, TRAINED, UPDATES, VARIANTS
from repr.records import Json
from repr.settings import Value, again, check, setting, values
from repr.shared import Cropped, Machine, Network, Source

FIRST_LEARNERS = ("finetune", "ncm", "cosine")
SIZE = 64  # pixels a side of images for a random start, when no weights say otherwise
ARCH = "resnet18"
SHOTS, SEEDS = 10, 5
MOST_EPOCHS = 30  # of the base step
BATCH = 64  # the trained learners' own batch size

GROUPS = {"all": (*LEARNERS, *VARIANTS), "frozen": (*FROZEN, *VARIANTS), "trained": tuple(TRAINED)}  # of learners, by the name of the group


@dataclass(frozen=True, kw_only=True)
class Settings(Source, Cropped, Machine):
    """Options of a run; see `rpc_transfer run --help`. The names are those of the options.

    data: sources, empty for $RPC_ROOT or the synthetic shop. novel: not needed with a split file. shots: one number, or several for a
    curve; empty for SHOTS, or as many as a split file has. weights: starting weights; "none" and "imagenet" are shown too unless
    `only_weights`. learner: names of LEARNERS or VARIANTS with or without settings; groups (GROUPS) are spelt out when this is made.
    seeds: how many, counted from `seed`; they vary shots and initialisation, `split_seed` the products, `data_seed` (None: as `split_seed`)
    what is test where the source does not say. None is SEEDS from 0 and split seed 0, or what a split file has.
    split: "random" or "grouped" for sources without a split of their own, or the path of a split file.
    features: which encoder frozen learners use: as given, as left by the base step, or a row for each; None is "given", but "both" where
    all learners are asked for, as the base step is trained anyway.
    base_alpha: how much of the base step's training is mixed into the weights that it started from, for base-trained encoders; 1 is all.
    epochs, lr, batch_size, views, memory: for the learners that take them; None for the learner's own (epochs: by `updates`;
    memory: every shot is kept, as 10 shots a product are few; how many that are stands in the row).
    crops: the shares of an image's side that features are averaged over when a learner is taught or asked by them; learners that train do
    so on random views of the whole image, and are asked by the crops. () for what the weights say.
    preset: "paper" where the options went through `paper.fixed`; the run then says how far it departs from the paper.
    reject: the share of known training images, not shots, that the rejection threshold must accept; None for no threshold.
    """

    novel: int | None = setting(
        None,
        "How many products are novel, drawn evenly over the supercategories. Needed, unless `split` gives them.",
        low=1,
        group="what",
    )
    shots: tuple[int, ...] = setting(
        (), "Images a product; several for a curve.", low=1, usual="10, or as many as a split file has", group="what"
    )
    learner: tuple[str, ...] = setting(
        (),
        f"Frozen: {', '.join(FROZEN)}; trained: {', '.join(TRAINED)}; also {', '.join(VARIANTS)}; frozen, trained or all for every one. "
        "With settings: lda:shrinkage=0.5,root=true; help lists them.",
        usual=", ".join(FIRST_LEARNERS),
        metavar="NAME[:SETTING=VALUE,…]",
        group="what",
    )
    increments: str = setting("", "Steps of the novel products: 34, 17x2 or 10,12x2.", metavar="PLAN", usual="one step", group="what")
    unknown: int = setting(0, "Products never taught, to measure rejection.", low=0, group="what")
    reject: float | None = setting(
        None,
        "Reject what looks untaught; the threshold accepts this share of training images that are not shots.",
        low=0,
        above=True,
        high=1,
        metavar="[SHARE]",
        group="what",
    )
    preset: Literal["paper"] | None = setting(None, "paper: all that the MEP-3M paper states, and say what it leaves open.", group="what")
    split: str = setting(
        "grouped",
        "How to divide a source without a split of its own, or the split.json of an earlier run.",
        metavar="random|grouped|FILE",
        group="data",
    )
    data_seed: int | None = again(Source, "data_seed", usual="as `split_seed`, else 0")
    split_seed: int | None = setting(None, "Seed of the choice of novel products.", low=0, usual="0, or that of a split file", group="data")
    base_shots: int | Literal["all"] | None = setting(None, "Images a base product.", low=1, usual="as many as `shots`", group="data")
    shots_from: Literal["train", "val"] = setting("train", "Where shots come from.", group="data")
    test_on: Literal["validation", "val", "test"] | None = setting(
        None,
        "Test images; validation: what `shots_from` has beside the shots.",
        usual="test where the set has one",
        group="data",
    )
    weights: tuple[str, ...] = setting(
        (),
        "Starting weights: a run folder, .safetensors or .pth. none and imagenet are shown beside them.",
        usual="on the synthetic shop the newest made on it",
        metavar="W",
        group="model",
    )
    only_weights: bool = setting(False, "The rows of `weights` alone, without none and imagenet beside them.", group="model")
    features: Literal["given", "base-trained", "both"] | None = setting(
        None,
        "Encoder of frozen learners: the weights as given, or as the base step leaves them. Without weights: base-trained.",
        usual="given; both with `learner` all, where the base step is trained anyway",
        group="model",
    )
    base_alpha: float = setting(
        1.0,
        "How much of the base step's training base-trained encoders keep; the rest is the weights as they came (not for none).",
        low=0,
        above=True,
        high=1,
        group="model",
    )
    arch: str | None = again(Network, "arch", usual=f"that of the first `weights`, else {ARCH}")
    size: int | None = setting(
        None, "Image side.", low=8, usual=f"the weights' own; {SIZE} where nothing says otherwise", metavar="PX", group="model"
    )
    seeds: int | None = setting(
        None, "How many seeds; they vary shots and initialisation.", low=1, usual=f"{SEEDS}, or those of a split file", group="training"
    )
    seed: int | None = setting(None, "The first of the `seeds`.", low=0, usual="0", group="training")
    memory: int | None = setting(None, "Images of earlier steps that trained learners keep.", low=0, usual="all", group="training")
    epochs: int | None = setting(
        None,
        "Epochs of each training step; joint has as many updates as all steps together.",
        low=0,
        usual=f"about {UPDATES} updates in the base step ({MOST_EPOCHS} epochs at most), as many in one increment, 1/√n in each of n",
        group="training",
    )
    lr: float | None = setting(None, "Learning rate of trained learners.", low=0, above=True, usual="the learner's", group="training")
    batch_size: int | None = setting(None, "Images a training step.", low=2, usual="the learner's", group="training")
    views: str | None = setting(
        None,
        "Random views of trained learners: supervised, simclr or product (any turn), minus kinds: product-blur; or plain.",
        usual="supervised",
        metavar="NAME",
        group="training",
    )

    def __post_init__(self) -> None:
        """Raises UserError for numbers that make no sense."""
        check(self)
        names = self.learner or FIRST_LEARNERS
        object.__setattr__(self, "learner", tuple(dict.fromkeys(name for typed in names for name in GROUPS.get(typed, (typed,)))))
        if self.features is None:
            object.__setattr__(self, "features", "both" if "all" in names else "given")
        if self.crops:
            object.__setattr__(self, "crops", checked(self.crops))
        if self.novel is None and self.split_file is None:
            raise UserError(
                "how many products are novel was not said", "", "Give `novel` N, or a split file with `split` FILE", argument="novel"
            )

    @property
    def split_file(self) -> Path | None:
        """The split file given, if any."""
        return None if self.split in ("random", "grouped") else Path(self.split)

    @property
    def run_seeds(self) -> tuple[int, ...]:
        """The seeds of the runs, where no split file says which."""
        first = self.seed or 0
        return tuple(range(first, first + (self.seeds or SEEDS)))

    @property
    def division_seed(self) -> int:
        """The seed by which a source without a split of its own is divided."""
        return self.data_seed if self.data_seed is not None else self.split_seed or 0

    def arguments(self) -> dict[str, Json]:
        """The options, JSON-able: what config.json keeps and --config gives back."""
        return values(self)

    def for_learner(self, takes: frozenset[str]) -> dict[str, Value]:
        """The settings typed that a learner takes (`Learner.takes`), beside seed, device and updates."""
        typed: dict[str, Value] = {name: getattr(self, name) for name in ("memory", "epochs", "lr", "batch_size", "views")}
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
