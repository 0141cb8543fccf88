"""The parts of a transfer run's report on errors: which kinds there are, how certain the learners are, what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repr.arrays import Ints
from repr.reports import figures
from repr.reports.page import Page
from rpc_transfer import metrics
from rpc_transfer.results import Results, TransferRow
from rpc_transfer.view import Point, View, cells, images, plain

CERTAINTY = {
    "acc_novel_only": "novel among novel",
    "base_to_novel": "base taken for novel",
    "novel_to_base": "novel taken for base",
    "forgetting_base": "forgetting of base",
    "avg_incremental_acc": "mean over the steps",
    "macro_all": "all, every product alike",
    "ece": "calibration error",
    "auroc_unknown": "AUROC unknown",
    "fpr95_unknown": "FPR at 95 % TPR",
    "rejected_known": "known rejected",
    "acc_accepted": "right among accepted",
    "accepted_unknown": "unknown accepted",
}


def certainty(page: Page, view: View) -> None:
    """Errors by kind, forgetting, calibration and rejection of each row; and what answering fewer images gains."""
    rows = [row for row in view.most_shots if "acc_all" in row.metrics]
    shown = {name: label for name, label in CERTAINTY.items() if any(name in row.metrics for row in rows)}
    if not shown:
        return
    page.section("Errors, forgetting and certainty")
    threshold = any("reject_threshold" in row.metrics for row in rows)
    body = [
        [row.config.learner, view.begins(row), *cells(row, shown), *([plain(row, "reject_threshold")] if threshold else [])] for row in rows
    ]
    caption = "Per cent. Unknown products are tested only in runs with `unknown`, and rejected only in runs with `reject`" + (
        "; its threshold is in the unit of each learner's own score." if threshold else "."
    )
    page.table(["learner", "weights", *shown.values(), *(["threshold"] if threshold else [])], body, caption + view.label)
    if view.best is not None:
        _risk(page, view, view.best)


def _risk(page: Page, view: View, best: TransferRow) -> None:
    """Errors against the share of images answered, of the learners with the weights and shots of the best row."""
    curves: dict[str, list[Point]] = {}
    for row in view.most_shots:
        if not row.row.trials or view.begins(row) != view.begins(best):
            continue
        arrays = next(iter(view.results.trials(row).values())).arrays
        known = arrays["labels"] >= 0
        correct = arrays["predictions"][known] == arrays["labels"][known]
        coverage, risk = metrics.risk_coverage(arrays["confidence"][known], correct)
        picked = np.unique(np.linspace(0, len(coverage) - 1, 60).astype(int))
        points = [(100 * c, 100 * r, 0.0) for c, r in zip(coverage[picked], risk[picked], strict=True) if c >= 0.02]
        curves[row.config.learner] = points
    if curves:
        drawn = figures.against(curves, xlabel="share of the images answered, per cent", ylabel="errors among them, per cent")
        page.figure(drawn, f"What is gained by leaving the least certain images to a person; from {view.begins(best)}, first seed.")


def confusion(page: Page, view: View, best: TransferRow) -> None:
    """What is taken for what by the row looked at closely: the matrix, and a table by supercategory."""
    split = view.results.split
    products = (*split.base, *split.novel)
    groups = [split.products[key].supercategory for key in products]
    counts = confusion_counts(view.results, best, len(products))
    novel = np.arange(len(products)) >= len(split.base)
    page.section("What is taken for what")
    words = f"**{best.config.learner}** from **{view.begins(best)}**, {images(best.config.shots)} a product"
    page.text(f"Of the row looked at closely: {words}, all seeds together.")
    order = sorted(range(len(products)), key=lambda c: (groups[c], novel[c], c))
    drawn = figures.confusion(counts[np.ix_(order, order)], [groups[c] for c in order], novel[order])
    page.figure(
        drawn,
        f"{len(products)} products"
        + (" in blocks by supercategory" if any(groups) else "")
        + "; each row adds up to 1, darker is more. Novel products are marked in orange at the edges.",
        alt="Confusion matrix of all products; the numbers by supercategory are in the table below.",
    )
    if any(groups):
        page.table(
            ["supercategory", "products", "accuracy", "errors inside the supercategory"],
            _by_supercategory(counts, groups),
            "Supercategories with several products: per cent of the images named rightly, and of the errors that stay inside.",
        )


def confusion_counts(results: Results, row: TransferRow, classes: int) -> Ints:
    """(classes, classes) test images of all seeds together: rows true, columns predicted. Untaught products are left out."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    for trial in results.trials(row).values():
        known = trial.arrays["labels"] >= 0
        np.add.at(counts, (trial.arrays["labels"][known], trial.arrays["predictions"][known]), 1)
    return counts


def _by_supercategory(counts: Ints, groups: Sequence[str]) -> list[list[str]]:
    body = []
    group_of = np.asarray(groups)
    for group in sorted(set(groups)):
        mine = group_of == group
        if mine.sum() < 2:
            continue
        images, right = counts[mine].sum(), np.trace(counts[np.ix_(mine, mine)])
        inside, wrong = counts[np.ix_(mine, mine)].sum() - right, images - right
        share = "–" if not wrong else f"{100 * inside / wrong:.0f}"
        body.append([group, str(int(mine.sum())), f"{100 * right / max(images, 1):.1f}", share])
    return body
