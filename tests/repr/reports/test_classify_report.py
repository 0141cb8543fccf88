"""The drawings of `repr classify`: Fig. 8 and the curve over the share of fine labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repr.reports import classify_report
from repr.reports.page import Page


def test_points_of_fig_8_come_from_the_classes_that_the_test_has(tmp_path: Path) -> None:
    assert classify_report.class_points(tmp_path) is None
    (tmp_path / "per_class.csv").write_text("class,train,test,bucket,recall\na,100,5,medium,0.8\nb,3,0,few,\nc,1,2,few,0\n")
    points = classify_report.class_points(tmp_path)
    assert points is not None
    np.testing.assert_array_equal(points, [[100, 1], [0.8, 0]])
    (axes,) = classify_report.samples_figure(*points).axes
    assert axes.get_xscale() == "log" and len(axes.collections[0].get_offsets()) == 2


def test_the_weak_curve_is_drawn_for_two_shares_or_more() -> None:
    def row(share: float, masked: bool) -> dict[str, object]:
        told = {"model": "bert", "modality": "text", "hierarchy": "flat", "weak": "children", "level": 2, "masked": masked}
        return {**told, "fine_share": share, "top1": 0.5, "ci95": {"top1": None}}

    for shares, drawn in (((1.0,), False), ((0.1, 1.0), True)):
        page = Page("t", synthetic=False)
        classify_report._weak(page, [row(share, masked) for share in shares for masked in (False, True)])
        html = "".join(page._parts)
        assert ("When only the coarse label is known" in html) is drawn
        assert not drawn or html.count(", children, level 2") == 2  # masked and whole titles are two lines
