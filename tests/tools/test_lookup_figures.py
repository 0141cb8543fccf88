"""The tables of docs/results.md on looking products up: what is stored, judged by hand, and printed."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools" / "experiments")
    return importlib.import_module("lookup")


def test_answers_judged_by_hand(figures: ModuleType) -> None:
    products = [["a", "b"], ["b", "a"], [], ["x", "y", "z", "u", "v", "a"]]
    shares = figures.judged(products, [1.0, 0.5, 0.5, 0.5], [False, False, True, True], ["a", "a", "a", "a"])
    assert shares == pytest.approx({"first": 0.25, "five": 0.5, "unknown": 0.5, "calibration": 0.75 * 0.5})


def test_a_row_holds_mean_and_interval_of_its_draws(figures: ModuleType) -> None:
    row = figures.row({"learner": "ncm"}, [{"first": 0.5}, {"first": 0.7}])
    assert row.metrics["first"].mean == pytest.approx(0.6) and row.metrics["first"].values == (0.5, 0.7) and len(row.trials) == 2
    assert figures.row({"learner": "ncm"}, [{"first": 0.5}]).metrics["first"].ci95 is None


def test_the_docs_hold_what_is_printed(figures: ModuleType) -> None:
    printed = CliRunner().invoke(figures.main, [], catch_exceptions=False).output
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert "| who answers |" in printed
    for table in printed.strip().split("\n\n"):
        assert table in page, "print it anew: tools/experiments/lookup.py"
