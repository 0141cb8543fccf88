"""A run that the tests of several reports share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repr.runs import Run


@pytest.fixture
def pretraining() -> Callable[..., Path]:
    """Writes the folder of a finished pretraining of two epochs."""
    return _pretraining


def _pretraining(path: Path, **arguments: Any) -> Path:
    told = {"method": "supervised", "arch": "resnet18", "epochs": 2, "init": "none", "device": "cpu", **arguments}
    run = Run.create(path, "repr pretrain", told, data="shop", synthetic=False)
    for epoch in (1, 2):
        run.log(
            {"epoch": epoch, "step": 10 * epoch, "loss": 2.0 / epoch, "train_acc": 0.25 * epoch, "val_acc": "", "lr": 0.1, "seconds": 3.0}
        )
    run.finish("done", {"metrics": {"loss": 1.0, "train_acc": 0.5}})
    return path
