"""The drawings of `repr classify`: Fig. 8 and the curve over the share of fine labels."""

from __future__ import annotations

import numpy as np

from repr.classify.settings import Settings
from repr.classify.summary import ClassifyRow, summarise
from repr.experiments.trials import Trial, Wanted
from repr.reports import classify_report
from repr.reports.page import Page


def test_points_of_fig_8_come_from_the_classes_that_the_test_has() -> None:
    arrays = {"class_train": np.array([100, 3, 1]), "class_test": np.array([5, 0, 2]), "class_recall": np.array([0.8, np.nan, 0])}
    points = classify_report.class_points(arrays)
    np.testing.assert_array_equal(points, [[100, 1], [0.8, 0]])
    (axes,) = classify_report.samples_figure(*points).axes
    assert axes.get_xscale() == "log" and len(axes.collections[0].get_offsets()) == 2


def test_the_weak_curve_is_drawn_for_two_shares_or_more() -> None:
    def row(share: float, masked: bool) -> ClassifyRow:
        settings = Settings(model="bert", hierarchy="flat", fine_share=share, mask=masked)
        return summarise(settings, [(Wanted(0, 0, "bert", ""), Trial({"top1": 0.5}, {"held_out": True}))])

    for shares, drawn in (((1.0,), False), ((0.1, 1.0), True)):
        page = Page("t", synthetic=False)
        classify_report.weak_curve(page, [row(share, masked) for share in shares for masked in (False, True)], {})
        html = page.render()
        assert ("When only the coarse label is known" in html) is drawn
        assert not drawn or html.count(", children, level 2") == 2  # masked and whole titles are two lines
