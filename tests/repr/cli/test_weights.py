from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from repr.cli import group
from repr.cli.weights import command
from repr.errors import UserError
from repr.models.mixing import mix
from repr.models.provenance import MIX, STATISTICS, Data, Images, Provenance, Record
from repr.models.weights import fresh, read_weights, write_weights

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """Two weights files of one architecture."""
    for seed in (0, 1):
        write_weights(tmp_path / f"{seed}.safetensors", fresh("resnet18", 32, seed))
    return str(tmp_path / "0.safetensors"), str(tmp_path / "1.safetensors")


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """Class folders of twelve images of noise."""
    rng = np.random.default_rng(0)
    for i in range(12):
        file = tmp_path / "shop" / f"{i % 2}" / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(file)
    return str(tmp_path / "shop")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_show(two: tuple[str, str]) -> None:
    content = json.loads(call("show", two[0], "--json").stdout)
    assert content["arch"] == "resnet18" and content["size"] == 32 and content["classes"] == []
    assert content["identity"] == fresh("resnet18", 32, 0).identity
    assert "none: no head" in call("show", two[0]).stdout and content["provenance"]["records"] == [] and content["unknown"] is False
    assert "random weights: nothing was trained" in call("show", two[0]).stdout


@pytest.mark.parametrize("name", ["C+C", "a → b", "A: dairy", "-1", "nan"])
def test_show_says_how_weights_came_about(name: str, tmp_path: Path) -> None:
    """Readably, and as data under --json, without the hashes."""
    record = Record("simclr", data=(Data(name, Images(9), Images(9), synthetic=True),), settings={"lr": 0.08}, seed=1)
    weights = replace(fresh("resnet18", 32, 0), provenance=Provenance.of(record), name=name)
    write_weights(tmp_path / "w.safetensors", mix(weights, fresh("resnet18", 32, 1), 0.25))
    content = json.loads(call("show", str(tmp_path / "w.safetensors"), "--json").stdout)
    assert [each["method"] for each in content["provenance"]["records"]] == ["simclr", MIX] and content["synthetic"] is True
    assert content["provenance"]["records"][0]["data"][0]["name"] == name and content["provenance"]["hashes"] == {}
    lines = call("show", str(tmp_path / "w.safetensors")).stdout
    assert f"1. simclr on {name!r} (9 images; synthetic): lr 0.08, seed 1" in lines and f"2. 0.75 of 1 ({name!r}) + 0.25 of 'none'" in lines


def test_weights_of_others_are_shown_as_not_known(two: tuple[str, str], tmp_path: Path) -> None:
    torch.save(dict(read_weights(two[0]).tensors), tmp_path / "x.pth")
    assert json.loads(call("show", str(tmp_path / "x.pth"), "--json").stdout)["unknown"] is True
    assert "not known: the file does not say" in call("show", str(tmp_path / "x.pth")).stdout


def test_mix_is_the_librarys(two: tuple[str, str], tmp_path: Path) -> None:
    result = call("mix", *two, "--alpha", "0.4", "--out", str(tmp_path / "m.safetensors"), "--json")
    assert result.exit_code == 0, result.exception
    expected = mix(read_weights(two[0]), read_weights(two[1]), 0.4)
    assert json.loads(result.stdout)["identity"] == expected.identity == read_weights(tmp_path / "m.safetensors").identity


def test_mix_keeps_the_crops_asked_for(two: tuple[str, str], tmp_path: Path) -> None:
    out = str(tmp_path / "m.safetensors")
    assert call("mix", *two, "--crops", "1,0.6", "--out", out).exit_code == 0
    assert json.loads(call("show", out, "--json").stdout)["crops"] == [1.0, 0.6]
    assert "1, 0.6" in call("show", out).stdout


def test_mix_measures_batch_norm_on_training_images(two: tuple[str, str], shop: str, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    result = call("mix", *two, "--batch-norm", "--data", shop, "--out", str(out), "--device", "cpu")
    assert result.exit_code == 0, result.exception
    plain = mix(read_weights(two[0]), read_weights(two[1]), 0.25).tensors
    measured = read_weights(out).tensors
    assert plain["conv1.weight"].equal(measured["conv1.weight"])
    assert not plain["bn1.running_mean"].equal(measured["bn1.running_mean"])
    records = read_weights(out).provenance.records
    assert [record.method for record in records] == [MIX, STATISTICS]
    assert (records[1].data[0].name, records[1].data[0].division.split) == ("shop", "grouped") and records[1].data[0].trained.n < 12


def test_batch_norm_is_measured_as_sharp_as_the_crops_look(
    two: tuple[str, str], shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repr.training import batches

    sizes: list[int] = []
    real = batches.training_batches

    def noted(catalog: Any, size: int, *arguments: Any, **options: Any) -> Any:
        sizes.append(size)
        return real(catalog, size, *arguments, **options)

    monkeypatch.setattr(batches, "training_batches", noted)
    typed = ["--batch-norm", "--data", shop, "--crops", "1,0.5", "--out", str(tmp_path / "m.safetensors"), "--device", "cpu"]
    result = call("mix", *two, *typed)
    assert result.exit_code == 0, result.exception
    assert sizes == [64], "so that half the side has the 32 px that the network sees"


@pytest.mark.parametrize(("option", "value"), [("--data", "somewhere"), ("--seed", "0"), ("--split", "random")])
def test_an_option_without_a_use_is_an_error(option: str, value: str, two: tuple[str, str]) -> None:
    result = call("mix", *two, option, value)
    assert isinstance(result.exception, UserError) and f"{option} would do nothing" in str(result.exception)


def test_weights_that_can_be_fetched_are_named_alike_and_may_be_fetched() -> None:
    """Wherever --weights takes published weights, the help says so and --download is there."""
    for words in (["index", "build"], ["index", "reindex"], ["embed"], ["evaluate"]):
        text = " ".join(CliRunner().invoke(group, [*words, "--help"], catch_exceptions=False).output.split())
        assert "folder of timm, open_clip or transformers, name of timm's" in text and "--download" in text, words
