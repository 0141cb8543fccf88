"""What configs begin from: which weights there are, in which order, and what the random ones are like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from repr.errors import UserError
from repr.models.weights import fresh, write_weights
from rpc_transfer.weights import find_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    write_weights(path, fresh("resnet34", 48, 1))
    return str(path)


def test_none_comes_first_and_is_like_the_weights_given(weights: str) -> None:
    rows = find_weights([weights, "imagenet", "none"], synthetic=False, arch=None, size=None)
    assert [one.name for one in rows] == ["none", weights, "imagenet"]
    assert [(one.arch, one.size) for one in rows] == [("resnet34", 48), ("resnet34", 48), ("tf_efficientnet_lite0", 160)]


def test_crops_are_those_of_the_weights_or_those_asked_for(tmp_path: Path) -> None:
    write_weights(tmp_path / "close.safetensors", replace(fresh("resnet18", 32, 0), crops=(1.0, 0.5)))
    given = [str(tmp_path / "close.safetensors"), "imagenet", "none"]
    rows = find_weights(given, synthetic=False, arch=None, size=None)
    assert [one.crops for one in rows] == [(1.0, 0.5), (1.0, 0.5), (1.0,)]
    rows = find_weights(given, synthetic=False, arch=None, size=None, crops=(0.8,))
    assert [one.crops for one in rows] == [(0.8,)] * 3


def test_size_and_arch_can_be_said(weights: str) -> None:
    rows = find_weights([weights], synthetic=False, arch="resnet18", size=32)
    assert [one.size for one in rows] == [32, 32, 32] and rows[0].arch == "resnet18"
    alone = find_weights([], synthetic=False, arch=None, size=None)
    assert [(one.name, one.size) for one in alone] == [("none", 64), ("imagenet", 160)] and alone[0].arch == "resnet18"


def test_imagenet_is_trained_at_the_common_size_unless_it_is_named(weights: str) -> None:
    beside = find_weights([weights], synthetic=False, arch=None, size=None)
    assert [one.trained_size for one in beside] == [48, 48, 48] and beside[2].size == 160
    named = find_weights([weights, "imagenet"], synthetic=False, arch=None, size=None)
    assert [one.trained_size for one in named] == [48, 48, 160]


def test_random_weights_are_drawn_by_the_seed() -> None:
    none = find_weights([], synthetic=False, arch=None, size=None)[0]
    one, two, again = (none.for_seed(seed).tensors["conv1.weight"] for seed in (0, 1, 0))
    assert torch.equal(one, again) and not torch.equal(one, two)


def test_the_synthetic_shop_takes_its_newest_weights_or_says_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = find_weights([], synthetic=True, arch=None, size=None)
    assert rows[1].name == "newest" and "repr pretrain" in rows[1].error


def test_folders_of_other_tools_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "theirs": '{"model": "x"}',
        "broken": "{",
        "old": '{"command": "repr pretrain"}',
        "new": '{"command": "train", "version": "1.0"}',
    }.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text(content)
    assert find_weights([], synthetic=True, arch=None, size=None)[1].name == "newest"


def test_the_named_weights_can_stand_alone(weights: str) -> None:
    rows = find_weights(["none", weights], synthetic=False, arch=None, size=None, only=True)
    assert [one.name for one in rows] == ["none", weights]
    with pytest.raises(UserError, match="no weights are named"):
        find_weights([], synthetic=False, arch=None, size=None, only=True)


def test_weights_that_are_not_there_are_an_error() -> None:
    with pytest.raises(UserError):
        find_weights(["nowhere"], synthetic=False, arch=None, size=None)
