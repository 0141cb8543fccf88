"""The checkpoint's file: whole or the one before, and what is wrong with one is said."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from repr.errors import UserError
from repr.training import checkpoint
from repr.training.checkpoint import FILE, VERSION, Checkpoint, finite, load, save


def made(value: float = 1.0, version: int = VERSION) -> Checkpoint:
    """Of step 7."""
    tensors = {"weight": torch.tensor([value, 2.0]), "count": torch.tensor(3)}
    optimiser = {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return Checkpoint(7, {"epochs": 3, "own": {"queue": None}}, "key", tensors, optimiser, dict(tensors), {"loss": 0.5}, version)


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    save(tmp_path, made())
    again = load(tmp_path)
    assert again is not None and (again.step, again.settings, again.data, again.sums) == (7, made().settings, "key", {"loss": 0.5})
    assert torch.equal(again.method["weight"], made().method["weight"]) and again.average.keys() == made().average.keys()
    assert torch.equal(again.optimiser["state"][0]["momentum_buffer"], torch.ones(2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_do_not_replace_the_last_good_ones(tmp_path: Path, value: float) -> None:
    assert finite(made().method) and finite({"count": torch.tensor(1)}) and not finite(made(value).method)
    save(tmp_path, made())
    with pytest.raises(AssertionError):
        save(tmp_path, made(value))
    again = load(tmp_path)
    assert again is not None and finite(again.method)


def test_a_write_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, made())

    def fails(content: object, stream: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", fails)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, made(5.0))
    again = load(tmp_path)
    assert again is not None and float(again.method["weight"][0]) == 1.0
    assert [file.name for file in (tmp_path / FILE).parent.iterdir()] == ["last.pt"]


def test_a_newer_one_is_said(tmp_path: Path) -> None:
    save(tmp_path, made(version=VERSION + 1))
    with pytest.raises(UserError, match=rf"newer version \({VERSION + 1} > {VERSION}\)"):
        load(tmp_path)
