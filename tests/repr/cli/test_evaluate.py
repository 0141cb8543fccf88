"""`repr evaluate` as it is typed, on vectors of a file and on small folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from repr.cli.evaluate import command
from repr.errors import UserError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Thirty vectors of three classes that lie far apart."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 10)
    embeddings = np.eye(3, 8)[labels] + rng.normal(0, 0.02, (30, 8))
    np.savez(tmp_path / "v.npz", embeddings=embeddings.astype(np.float32), labels=labels)
    return tmp_path / "v.npz"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two classes, red and blue."""
    rng = np.random.default_rng(0)
    for i in range(16):
        file = tmp_path / "shop" / ("tea" if i % 2 else "milk") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 60, (24, 24, 3), dtype=np.uint8)
        pixels[..., 0 if i % 2 else 2] += 150
        Image.fromarray(pixels).save(file)
    return tmp_path / "shop"


def test_vectors_that_lie_apart_are_found(vectors: Path) -> None:
    result = run("--embeddings", vectors, "-k", 3, "--json")
    assert result.exit_code == 0, result.exception
    content = json.loads(result.stdout)
    (row,) = content["rows"]
    assert content["command"] == "repr evaluate" and content["passed_over"] == []
    assert {name: row["config"][name] for name in ("weights", "dim", "stored", "k")} == {"weights": "v", "dim": 8, "stored": 30, "k": 3}
    for name in ("knn_top1", "recall@1", "map@r", "macro/mrr"):
        assert row["metrics"][name] == {"mean": 1.0, "ci95": None, "values": [1.0]}
    assert 2.5 < row["metrics"]["effective_rank"]["mean"] < 3.5, "three directions"
    assert "100.0" in run("--embeddings", vectors, "-k", 3).stdout


@pytest.mark.parametrize("typed", [("--split", "random"), ("--size", 32), ("--leave-one-out",), ("--subset", "meats")])
def test_what_is_of_images_would_do_nothing_on_vectors(typed: tuple[object, ...], vectors: Path) -> None:
    result = run("--embeddings", vectors, *typed)
    assert isinstance(result.exception, UserError) and f"{typed[0]} would do nothing" in str(result.exception)


def test_a_folder_with_its_page(shop: Path, tmp_path: Path) -> None:
    typed = ("--data", shop, "--weights", "none", "--size", 16, "--epochs", 1, "--device", "cpu")
    result = run(*typed, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.exception
    content = json.loads(result.stdout)
    encoder, pixels = content["rows"]
    assert encoder["config"]["weights"] == "none" and pixels["config"]["weights"] != "none"
    assert json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))["command"] == "repr evaluate"
    assert "<html" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8") and "Report: " in result.stderr
    without = json.loads(run(*typed, "--no-raw-pixels", "--json").stdout)
    assert without["rows"] == [encoder]


def test_a_stopped_one_has_a_page_and_a_refused_one_has_nothing(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(error: BaseException) -> Callable[..., object]:
        def evaluate(*_: object, **__: object) -> object:
            raise error

        return evaluate

    typed = ("--data", shop, "--weights", "none", "--out", tmp_path / "out")
    monkeypatch.setattr("repr.evaluation.evaluate.evaluate", ends(UserError("too small")))
    assert isinstance(run(*typed).exception, UserError) and not (tmp_path / "out").exists()
    for error, words in ((RuntimeError("no luck"), "no luck"), (KeyboardInterrupt(), "stopped before its end")):
        monkeypatch.setattr("repr.evaluation.evaluate.evaluate", ends(error))
        assert "report.html" in run(*typed).stderr
        assert words in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("typed", [("-k", 0), ("--temperature", "nan"), ("--temperature", 0), ("--epochs", 0), ("--size", 4)])
def test_numbers_beyond_their_limits_exit_2(typed: tuple[object, ...]) -> None:
    result = run(*typed)
    assert result.exit_code == 2 and str(typed[0]) in result.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run("--embeddings", tmp_path / "gone.npz")
    assert isinstance(result.exception, UserError) and "gone.npz" in str(result.exception)
