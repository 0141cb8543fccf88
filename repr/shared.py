"""Settings that several commands have, declared once: which data and how they are divided, the crops, the seed, the machine."""

from __future__ import annotations

from dataclasses import dataclass

from repr.crops import CLOSEST
from repr.settings import setting

SPLITS = ("random", "stratified", "grouped")  # ways to divide data
SEEDS = 2**32 - 1  # the largest seed that every library takes


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Which labels."""

    level: int | None = setting(None, "Class level of the labels.", low=1, high=3, usual="the source's own", group="data")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which data, and by which seed a source without a split of its own is divided; None for the command's `seed`."""

    data: tuple[str, ...] = setting(
        (), "MEP-3M, RPC or Rakuten folder, class folders, CSV or catalog; several make a union.", metavar="PATH", group="data"
    )
    data_seed: int | None = setting(
        None, "Seed by which a source without a split of its own is divided.", low=0, high=SEEDS, usual="as `seed`", group="data"
    )


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which part of the data."""

    subset: str | None = setting(None, "A named part, such as mep-for-rpc, or a CSV file of class ids.", metavar="NAME", group="data")


@dataclass(frozen=True, kw_only=True)
class Divided:
    """How a source without a split of its own is divided into training and test."""

    split: str = setting("grouped", "How to divide a source without a split of its own.", choices=SPLITS, group="data")


@dataclass(frozen=True, kw_only=True)
class Network:
    """Which network is trained, where it does not begin from weights that say so."""

    arch: str | None = setting(
        None,
        "The network where it starts from scratch: resnet18 to resnet152, vgg19, inception_v3, or any of timm's by name.",
        usual="resnet18",
        metavar="NAME",
        group="model",
    )


@dataclass(frozen=True, kw_only=True)
class Cropped:
    """At which crops images are embedded; () for what the weights say, else the whole image."""

    crops: tuple[float, ...] = setting(
        (),
        "Embed each image's middle at these shares of its side and average; 1 is all of it, 1,0.5 takes twice the time.",
        low=CLOSEST,
        high=1,
        usual="as the weights say, else 1",
        metavar="S[,S…]",
        group="model",
    )


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """The seed of everything drawn by chance."""

    seed: int = setting(0, "Seed of everything drawn by chance.", low=0, high=SEEDS, group="training")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it runs."""

    device: str = setting("auto", "auto, cpu, cuda or cuda:N.", metavar="DEVICE", group="machine")
    workers: int | None = setting(None, "Images decoded at a time.", low=0, usual="one a core", group="machine")


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How an index is written to."""

    wait: float = setting(30.0, "How long to wait for another that writes to the index.", low=0, metavar="SECONDS", group="machine")
