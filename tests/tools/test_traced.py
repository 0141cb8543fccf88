"""Every figure with an interval in the README and the results stands in a stored result, and a figure that does not is told."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def traced() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools" / "experiments")
        return importlib.import_module("traced")


@pytest.fixture(scope="module")
def known(traced: ModuleType) -> set[str]:
    texts: set[str] = traced.figures(traced.stored.read_all())
    return texts


@pytest.fixture(scope="module")
def of_rows(traced: ModuleType) -> set[str]:
    """Differences of two stored rows, which the pages reckon themselves."""
    texts: set[str] = traced.differences(traced.stored.read_all())
    return texts


def test_figures_of_the_readme_are_stored(traced: ModuleType, known: set[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(traced.FIGURE.findall(text)) > 5 and traced.untraced(text, known) == []


@pytest.mark.parametrize("page", ["results.md", "experiments.md", "checkout.md"])
def test_those_of_the_results_follow_from_what_is_stored(traced: ModuleType, known: set[str], of_rows: set[str], page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert len(traced.FIGURE.findall(text)) > 100 and traced.untraced(text, known | of_rows) == []


def test_a_changed_figure_is_told(traced: ModuleType, known: set[str]) -> None:
    """Of those with an interval: nearly every change of a digit is."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "72.9 ± 0.9" in text
    ((line, words),) = traced.untraced(text.replace("72.9 ± 0.9", "73.9 ± 0.9"), known)
    assert "73.9 ± 0.9" in words and "LDA" in words and line == text[: text.index("72.9 ± 0.9")].count("\n") + 1


def test_signs(traced: ModuleType) -> None:
    assert traced.untraced("gains +1.2 ± 0.3 and −0.4 ± 0.1", {"+1.2 ± 0.3", "-0.4 ± 0.1"}) == []
