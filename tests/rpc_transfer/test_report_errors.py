"""The report's part on errors, on answers counted by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from repr.evaluation.statistics import Metric
from repr.experiments.document import Row, TrialFile
from repr.reports.page import Page
from rpc_transfer.report_errors import certainty, confusion, confusion_counts
from rpc_transfer.results import RowConfig, TransferRow
from rpc_transfer.view import View

CONFIG = RowConfig("ncm", "w", "as given", 10, 10, "train", "validation", (2,), None, "resnet18", 64, (1.0,))
GROUPS = {"a": "tea", "b": "tea", "c": "milk", "d": "milk", "e": "tea", "f": "salt"}  # e and f are novel
LABELS = {0: [0, 0, 1, 2, 2, 4, 5, -1], 1: [0, 1, 1, 3, 3, 4, 5, -1]}
ANSWERS = {0: [0, 1, 1, 2, 0, 2, 5, 3], 1: [0, 1, 4, 3, 2, 4, 0, 3]}


@dataclass
class Written:
    """A page that keeps what is put on it."""

    sections: list[str] = field(default_factory=list)
    tables: list[tuple[list[str], list[list[str]], str]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    def section(self, title: str) -> None:
        self.sections.append(title)

    def text(self, words: str) -> None:
        self.sections.append(words)

    def table(self, header: list[str], body: list[list[str]], caption: str) -> None:
        self.tables.append((header, body, caption))

    def figure(self, drawn: object, caption: str, **_: object) -> None:
        self.figures.append(caption)


class Results:
    """What the report reads of a run: the split, the rows, and the arrays of their trials."""

    split = SimpleNamespace(
        base=("a", "b", "c", "d"), novel=("e", "f"), products={key: SimpleNamespace(supercategory=group) for key, group in GROUPS.items()}
    )
    document = SimpleNamespace(seeds=(0, 1), synthetic=False)

    def __init__(self, *rows: TransferRow) -> None:
        self.rows = rows

    def trials(self, _: TransferRow) -> dict[int, Any]:
        confidence = np.linspace(0.9, 0.2, 8, dtype=np.float32)
        return {
            seed: SimpleNamespace(
                arrays={"labels": np.array(LABELS[seed]), "predictions": np.array(ANSWERS[seed]), "confidence": confidence}
            )
            for seed in LABELS
        }


def row(config: RowConfig = CONFIG, **metrics: float) -> TransferRow:
    figures = {name: Metric(value, None, (value, value)) for name, value in metrics.items()}
    return TransferRow(config, Row(config.as_config(), figures, (TrialFile(0, "s", "f"), TrialFile(1, "s", "f"))))


def view(*rows: TransferRow) -> View:
    return View(cast(Any, Results(*rows)))


def test_answers_of_all_seeds_are_counted_and_the_untaught_left_out() -> None:
    counts = confusion_counts(cast(Any, Results()), row(), 6)
    assert counts.sum() == 14 and counts.trace() == 8 and counts[5].tolist() == [1, 0, 0, 0, 0, 1]
    assert counts[0].tolist() == [2, 1, 0, 0, 0, 0] and counts[3].tolist() == [0, 0, 1, 1, 0, 0]


def test_supercategories_with_several_products_say_where_errors_stay() -> None:
    page = Written()
    shown = row(harmonic_mean=0.5)
    confusion(cast(Page, page), view(shown), shown)
    ((header, body, _),) = page.tables
    assert header[0] == "supercategory"
    # milk: 4 images, 2 right; of the 2 errors one is inside. tea: 8 images, 5 right; of the 3 errors two are inside.
    assert body == [["milk", "2", "50.0", "50"], ["tea", "3", "62.5", "67"]]
    assert "**ncm** from **w**, 10 images a product" in page.sections[1] and len(page.figures) == 1
    assert page.figures[0].startswith("6 products in blocks by supercategory")


def test_certainty_shows_the_figures_that_some_row_has() -> None:
    page, nothing = Written(), Written()
    rows = [row(acc_all=0.5, ece=0.1, harmonic_mean=0.4), row(replace(CONFIG, learner="lda"), acc_all=0.6, auroc_unknown=0.75)]
    certainty(cast(Page, page), view(*rows))
    ((header, body, caption),) = page.tables
    assert header == ["learner", "weights", "calibration error", "AUROC unknown"]
    assert [line[0] for line in body] == ["ncm", "lda"] and body[0][-1] == "–" and body[1][-2] == "–"
    assert "rejected only in runs with `reject`." in caption and len(page.figures) == 1
    certainty(cast(Page, nothing), view(row(acc_all=0.5)))
    assert nothing == Written(), "no row says anything of it"


@pytest.mark.parametrize("value", [0.25, 12.0])
def test_a_threshold_is_shown_in_its_own_unit(value: float) -> None:
    page = Written()
    certainty(cast(Page, page), view(row(acc_all=0.5, rejected_known=0.05, reject_threshold=value)))
    ((header, body, caption),) = page.tables
    assert header[-1] == "threshold" and body[0][-1].startswith(f"{value:.3g}") and "in the unit of each learner's own score" in caption
