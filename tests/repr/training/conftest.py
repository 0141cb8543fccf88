"""A shop of coloured squares, small enough that a run takes a second."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.runs import Run
from repr.training.fit import pretrain
from repr.training.settings import Settings

torch.set_num_threads(1)  # on a busy machine two threads wait for each other

SMALL: dict[str, Any] = {"size": 16, "epochs": 3, "batch_size": 16, "device": "cpu"}
COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 210), "grey": (128, 128, 128)}


def _make_shop(root: Path, *, per_class: int = 16, classes: int = 4, val: int = 0, seed: int = 0, twins: bool = False) -> Catalog:
    """per_class training images and `val` watched ones of each colour, 24 px, with noise; twins: two of a title."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    columns: dict[str, list[object]] = {"path": [], "product": [], "class_1": [], "split": [], "title": []}
    for code, (name, colour) in enumerate(list(COLOURS.items())[:classes]):
        for i in range(per_class + val):
            noise = rng.normal(0, 40, (24, 24, 3))
            pixels = np.clip(np.array(colour) + noise + rng.normal(0, 15, 3), 0, 255).astype(np.uint8)
            file = f"{name}{i}.png"
            Image.fromarray(pixels).save(root / file)
            for key, value in zip(
                columns, (file, name, code, "train" if i < per_class else "val", f"{name} {i // 2 if twins else i}"), strict=True
            ):
                columns[key].append(value)
    names = tuple(ClassName(str(i), name) for i, name in enumerate(list(COLOURS)[:classes]))
    return build(columns, classes=(names, (), ()), sources=(Source("squares", "folders", root),), default_level=1)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """64 images to train on, 16 to watch, four classes."""
    return _make_shop(tmp_path_factory.mktemp("shop"), val=4)


@pytest.fixture(scope="session")
def make_shop() -> Callable[..., Catalog]:
    """A function (folder, per_class=16, classes=4, val=0, seed=0, twins=False) that draws such a shop."""
    return _make_shop


@pytest.fixture(scope="session")
def train() -> Callable[..., dict[str, Any]]:
    """A function (catalog, run folder, **settings) that runs a small pretraining and returns its result."""

    def small(catalog: Catalog, path: Path, **settings: Any) -> dict[str, Any]:
        run = Run.create(path, "repr pretrain", {}, data=catalog.name, synthetic=catalog.synthetic)
        return pretrain(catalog, Settings(**SMALL | settings), run)

    return small


@pytest.fixture(autouse=True)
def _no_estimate() -> Iterator[None]:
    """Nobody is told how long a run takes, so that no steps are taken to find out."""
    log = logging.getLogger("repr.training.fit")
    log.setLevel(logging.WARNING)
    yield
    log.setLevel(logging.NOTSET)
