"""Figures: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

from repr.reports import figures


def test_lines_leave_gaps_out() -> None:
    axes = figures.lines([1, 2, 3], {"a": [1.0, None, 3.0], "b": [float("nan"), 2.0, 2.0]}, xlabel="x", ylabel="y").axes[0]
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 3], [2, 3]]


def test_ladder_draws_means_intervals_and_nothing_for_what_was_not_run() -> None:
    drawn = figures.ladder(["ncm", "lda"], {"none": [(30.0, 2.0), None], "ours": [(40.0, 0.0), (-1.0, 0.5)]}, xlabel="novel")
    axes = drawn.axes[0]
    assert sorted(bar.get_width() for bar in axes.patches) == [-1.0, 30.0, 40.0]
    assert sorted(text.get_text() for text in axes.texts) == ["-1.0", "30.0", "40.0"]


def test_against_sorts_by_x() -> None:
    axes = figures.against({"a": [(10, 3.0, 1.0), (1, 1.0, 1.0)]}, xlabel="shots", ylabel="novel", log_x=True).axes[0]
    assert list(axes.lines[0].get_xdata()) == [1, 10]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "10"]


def test_confusion_shows_the_roots_of_the_shares() -> None:
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    axes = figures.confusion(counts, ["a", "a", "b"], np.array([False, False, True])).axes[0]
    shown = np.asarray(axes.images[0].get_array())
    assert shown[0] == pytest.approx([np.sqrt(0.75), 0.5, 0]) and shown[2] == pytest.approx([0, 0, 0])


def test_map_shows_every_point_once_and_names_the_largest_groups() -> None:
    rng = np.random.default_rng(0)
    groups = [f"g{n % 20}" for n in range(200)] + ["g0"] * 5
    drawn = figures.embedding_map(rng.normal(size=(205, 2)), groups, np.arange(205) % 7 == 0)
    assert sum(len(found.get_offsets()) for found in drawn.axes[0].collections) - _ringed_rest(groups) == 205
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert len(labels) == 15 and labels[-1] == "other"


def _ringed_rest(groups: list[str]) -> int:
    """Novel points without a group of their own are drawn twice: the dot and its ring."""
    names, sizes = np.unique(groups, return_counts=True)
    own = set(names[np.argsort(-sizes, kind="stable")][:14])
    return sum(name not in own and n % 7 == 0 for n, name in enumerate(groups))


def test_style_leaves_the_users_settings_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures.svg(figures.lines([1, 2], {"洗发水": [1.0, 2.0]}, xlabel="x", ylabel="y"), "p", "alt")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("low", "high"), [(20, 60), (30, 90), (3, 800), (1, 100_000)])
def test_a_logarithmic_axis_has_numbers_however_short(low: float, high: float) -> None:
    figure = figures.new_figure()
    axes = figure.add_subplot()
    axes.plot([low, high], [0, 1])
    figures.logarithmic(axes, "x")
    shown = [tick for tick in axes.xaxis.get_majorticklocs() if low <= tick <= high]
    assert 2 <= len(shown) <= 10
