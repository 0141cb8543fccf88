"""Figures: what is drawn is what was given."""

from __future__ import annotations

import re

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


def test_without_intervals_there_are_points_and_no_bars() -> None:
    values = {"none": [(30.0, 0.0), None], "ours": [(40.0, 0.0), (50.0, 0.0)]}
    axes = figures.ladder(["ncm", "lda"], values, xlabel="novel, per cent").axes[0]
    assert not axes.patches and [sorted(line.get_xdata()) for line in axes.lines] == [[30], [40, 50]]


def test_shares_stay_within_nought_and_a_hundred() -> None:
    bars = figures.ladder(["ncm"], {"none": [(98.0, 9.0)], "ours": [(2.0, 9.0)]}, xlabel="novel, per cent").axes[0]
    curves = figures.against({"a": [(1, 98.0, 9.0), (2, 1.0, 9.0)]}, xlabel="shots", ylabel="novel, per cent").axes[0]
    plain = figures.lines([1, 2], {"a": [0.0, 100.0]}, xlabel="epoch", ylabel="accuracy, per cent").axes[0]
    for low, high in (bars.get_xlim(), curves.get_ylim(), plain.get_ylim()):
        assert -0.5 <= low < high <= 100.5
    ends = np.concatenate([segment[:, 0] for part in bars.collections for segment in part.get_segments()])
    band = curves.collections[0].get_paths()[0].vertices[:, 1]
    assert ends.min() >= 0 and ends.max() <= 100 and band.min() >= 0 and band.max() <= 100
    gained = figures.ladder(["ncm"], {"none": [(-3.0, 1.0)]}, xlabel="forgetting, per cent").axes[0]
    assert gained.get_xlim()[0] < -3, "differences may lie below"


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


def test_an_svg_has_a_label_and_ids_of_its_own_and_the_colours_of_the_page() -> None:
    text = figures.svg(figures.lines([1, 2], {"a": [1.0, 2.0], "b": [2.0, 1.0]}, xlabel="epoch", ylabel="loss"), "f7", 'a "b" <c>')
    assert text.startswith("<svg") and 'role="img"' in text and 'aria-label="a &quot;b&quot; &lt;c&gt;"' in text
    assert "currentColor" in text and "var(--line)" in text
    for stand_in in (figures.INK, figures.GRID, figures.GROUND):
        assert stand_in not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert ids and all(one.startswith("f7-") for one in ids)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(ids), "what is referred to is there"
    assert "epoch" in text and "loss" in text, "text stays text"


def test_an_svg_is_the_same_every_time() -> None:
    one, two = (figures.svg(figures.lines([1, 2], {"a": [1.0, 2.0]}, xlabel="x", ylabel="y"), "f1", "alt") for _ in range(2))
    assert one == two


def test_lines_with_bounds_an_ideal_and_a_logarithmic_axis() -> None:
    plain = figures.lines([1, 2, 3], {"a": [0.1, 0.5, 0.9]}, xlabel="x", ylabel="y", bounds=(0, 1), ideal=[0, 0.5, 1]).axes[0]
    assert plain.get_ylim() == (0, 1) and [line.get_label() for line in plain.lines] == ["a", "ideal"]
    assert list(plain.lines[1].get_ydata()) == [0, 0.5, 1]
    assert figures.lines([1, 2], {"a": [1.0, 900.0]}, xlabel="x", ylabel="y", log=True).axes[0].get_yscale() == "log"


def test_many_points_have_no_markers() -> None:
    few, many = (figures.lines(range(n), {"a": [1.0] * n}, xlabel="x", ylabel="y").axes[0].lines[0] for n in (5, 50))
    assert few.get_marker() == "o" and many.get_marker() in ("None", "", None)


def test_a_legend_names_the_series_and_a_single_one_needs_none() -> None:
    both = figures.lines([1, 2], {"a": [1.0, 2.0], "b": [1.0, 1.0]}, xlabel="x", ylabel="y")
    assert [text.get_text() for text in both.legends[0].get_texts()] == ["a", "b"]
    assert not figures.lines([1, 2], {"a": [1.0, 2.0]}, xlabel="x", ylabel="y").legends


def test_long_names_stand_below_each_other_and_the_figure_grows() -> None:
    long = figures.lines([1, 2], {f"{'long name ' * 5}{n}": [1.0, 2.0] for n in range(4)}, xlabel="x", ylabel="y")
    short = figures.lines([1, 2], {f"{n}": [1.0, 2.0] for n in range(4)}, xlabel="x", ylabel="y")
    assert long.get_figheight() > short.get_figheight()


def test_series_differ_in_colour_and_marker() -> None:
    axes = figures.lines([1, 2], {str(n): [1.0, 2.0] for n in range(7)}, xlabel="x", ylabel="y").axes[0]
    assert len({line.get_color() for line in axes.lines}) == len({line.get_marker() for line in axes.lines}) == 7


def test_few_curves_have_bands_and_many_have_bars() -> None:
    points = [(1, 1.0, 0.1), (2, 2.0, 0.2)]
    few = figures.against({"a": points, "b": points}, xlabel="x", ylabel="y").axes[0]
    many = figures.against({str(n): points for n in range(5)}, xlabel="x", ylabel="y").axes[0]
    assert len(few.collections) == 2 and not few.containers and len(many.containers) == 5


def test_confusion_marks_novel_classes_at_both_edges_and_parts_groups() -> None:
    counts = np.eye(6, dtype=int)
    axes = figures.confusion(counts, ["a"] * 3 + ["b"] * 3, np.array([True, False, False, False, False, True])).axes[0]
    bars = [line for line in axes.lines if line.get_color() == figures.PALETTE[5]]
    assert len(bars) == 4
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"] and list(axes.get_yticks()) == [1, 4]
    assert not figures.confusion(counts, [""] * 6).axes[0].lines


def test_confusion_needs_a_group_a_class() -> None:
    with pytest.raises(AssertionError, match="a square matrix"):
        figures.confusion(np.eye(3, dtype=int), ["a", "b"])


def test_groups_are_named_in_their_natural_order() -> None:
    groups = [f"class {n}" for n in (10, 2, 1)] * 4
    drawn = figures.embedding_map(np.zeros((12, 2)), groups)
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["class 1", "class 2", "class 10"]
