"""report.html of a transfer run: Table 9, the ladder with intervals, forgetting, certainty, confusions, images, a map.

Everything but the images and the map is drawn from the run folder alone; `report_images` opens the data again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from repr.arrays import Ints
from repr.commands import command_line
from repr.crops import suffix
from repr.evaluation.statistics import Metric, interval
from repr.evaluation.words import p_value, points, rate
from repr.files import read_json
from repr.models.names import weights_names
from repr.reports import figures
from repr.reports.page import Page
from repr.reports.weights_table import CAPTION, HEADER, weights_rows
from repr.runs import Run
from rpc_transfer import metrics, report_images, results
from rpc_transfer.configs import AGAINST_WEIGHTS, BASE_TRAINED
from rpc_transfer.results import Results, TransferRow
from rpc_transfer.summary import COLUMNS, PAPER, best_row, is_rpc, memory, references
from rpc_transfer.weights import NONE

Interval = tuple[float, float]
Point = tuple[float, float, float]

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


@dataclass(frozen=True)
class Told:
    """A run as the page tells of it: its results, and the weights by short names."""

    results: Results

    @cached_property
    def names(self) -> dict[str, str]:
        """Of the weights, no longer than is needed to tell them apart."""
        return weights_names(row.config.weights for row in self.rows)

    @property
    def rows(self) -> tuple[TransferRow, ...]:
        """All rows."""
        return self.results.rows

    @cached_property
    def most_shots(self) -> list[TransferRow]:
        """The rows with the most shots: those that most tables show."""
        return [row for row in self.rows if row.config.shots == max(other.config.shots for other in self.rows)]

    @cached_property
    def best(self) -> TransferRow | None:
        """The row that is looked at closely; None where none was run."""
        return best_row(self.rows)

    @property
    def label(self) -> str:
        """The end of a caption of a synthetic run."""
        return " Synthetic images: an illustration." if self.results.document.synthetic else ""

    def begins(self, row: TransferRow) -> str:
        """What a row begins from in words, with the encoder that a frozen learner worked on."""
        trained = row.config.features == BASE_TRAINED and row.config.weights != NONE
        return self.names[row.config.weights] + (", base-trained" if trained else "")


def write(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a transfer run (default: report.html in its folder) and return its path.

    Raises UserError when the folder holds no finished transfer run. Images that cannot be opened any more are left out
    with a word on the page.
    """
    told, run = Told(results.read(folder)), Run.open(folder)
    document = told.results.document
    page = Page(f"Taking in new products: {document.data}", document.synthetic)
    _opening(page, told)
    _table_9(page, told)
    _ladder(page, told)
    _shots(page, told)
    _steps(page, told)
    _certainty(page, told)
    if told.best is not None:
        _confusion(page, told, told.best)
        report_images.add(page, told.results, run, told.best)
    _record(page, run)
    return page.write(out or told.results.folder / "report.html")


def _opening(page: Page, told: Told) -> None:
    about, first, seeds = told.results.about, told.rows[0].config, len(told.results.document.seeds)
    page.text(
        f"{about.base} products were taught first; then {about.novel} novel ones were taken in from "
        f"**{_shots_of(told.rows)} each** (from {first.shots_from}), {_plan(first.increments)}. Every "
        f"figure is accuracy over all {about.base + about.novel} products as choices, on {about.base_tests:,} images of base "
        f"and {about.novel_tests:,} of novel products ({first.test_on}). "
        + (
            f"Mean of {seeds} draws of shots, ± half of the 95 % interval of the mean."
            if seeds > 1
            else "One draw of shots, so no intervals."
        )
    )
    if told.best is not None:
        row = told.best
        page.text(
            f"Highest harmonic mean of base and novel: **{row.config.learner}** starting from **{told.begins(row)}**, "
            f"{rate(row.metrics.get('acc_novel'))} per cent on novel and {rate(row.metrics.get('acc_base'))} on base products."
        )
    if told.results.document.notes:
        page.text("\n".join(f"- {note}" for note in told.results.document.notes))


def _table_9(page: Page, told: Told) -> None:
    """The paper's comparison, where its learner was run: full fine-tuning from one start or another."""
    rows = [row for row in told.rows if row.config.learner == "finetune"]
    if not rows:
        return
    page.section("Table 9: what pretraining gives when everything is fine-tuned")
    several = len({row.config.shots for row in rows}) > 1
    body = [
        [f"**ours**, from {told.begins(row)}" + (f", {_images(row.config.shots)}" if several else ""), *_cells(row, COLUMNS)]
        for row in rows
    ]
    body += [[f"the paper's, {name}", f"{both:.2f}", "–", f"{novel:.2f}", "–"] for name, (both, novel) in PAPER.items()]
    same = (
        "They are on RPC too, but with another choice of novel products, images and settings, and one seed."
        if is_rpc(told.results.about) and not told.results.document.synthetic
        else "They are on RPC, another set than this run's: they show the size of the effect, not a target."
    )
    page.table(["", *COLUMNS.values()], body, f"Accuracy, per cent. The rows named the paper's are the figures of its Table 9. {same}")


def _ladder(page: Page, told: Told) -> None:
    page.section("The ladder")
    rows = told.most_shots
    body = [
        [
            row.config.learner,
            told.begins(row),
            *_cells(row, COLUMNS),
            _plain(row, "seconds"),
            _plain(row, "memory_mb"),
            memory(row),
            row.config.features + suffix(row.config.crops),
        ]
        for row in rows
    ]
    page.table(
        ["learner", "weights", *COLUMNS.values(), "seconds to take in", "MB to take in", "images kept", "encoder"],
        body,
        f"Accuracy over all products, per cent; {_images(rows[0].config.shots)} a product. Seconds and memory are those of the "
        "increments with the first answer after each." + told.label,
    )
    for name, error in {row.config.weights: row.error for row in rows if row.error}.items():
        page.text(f"Rows from {name} could not be run: {error}.")
    for name, label in (("acc_novel", "novel products"), ("acc_base", "base products"), ("forgetting_base", "forgetting of base products")):
        if any(name in row.metrics for row in rows):
            caption = f"Accuracy on {label}, per cent." if name.startswith("acc") else FORGETTING
            page.figure(_bars(told, name, f"{label}, per cent"), f"{caption} Lines: 95 % interval of the mean over the seeds.")
    _compared(page, told)
    if lines := weights_rows(told.results.document.weights, told.names):
        page.table(HEADER, lines, f"{CAPTION}.")


FORGETTING = (
    "Forgetting: accuracy on base images over the base products just after the base step, minus accuracy over all products at the end, "
    "in points. Below 0 the base products gained."
)


def _bars(told: Told, name: str, label: str) -> Figure:
    learners = list(dict.fromkeys(row.config.learner for row in told.most_shots))
    series: dict[str, list[Interval | None]] = {}
    for row in told.most_shots:
        bars = series.setdefault(told.begins(row), [None] * len(learners))
        if name in row.metrics:
            bars[learners.index(row.config.learner)] = _percent(row.metrics[name])
    return figures.ladder(learners, {key: bars for key, bars in series.items() if any(bars)}, xlabel=label)


def _compared(page: Page, told: Told) -> None:
    """The paired tests: weights against weights, and every row against joint training and linear on imagenet."""
    comparisons = told.results.document.comparisons

    def side(row: TransferRow) -> str:
        return told.begins(row) + suffix(row.config.crops)

    body = [
        [
            told.rows[test.a].config.learner,
            str(told.rows[test.a].config.shots),
            f"{side(told.rows[test.a])} against {side(told.rows[test.b])}",
            COLUMNS[test.metric],
            points(test.difference, test.ci95),
            p_value(test.p),
        ]
        for test in comparisons
        if test.against == AGAINST_WEIGHTS and test.metric in ("acc_all", "acc_novel") and test.p is not None
    ]
    if body:
        page.heading("Weights on the same splits")
        caption = "Paired t-test over the seeds. The p-values are not corrected for their number."
        page.table(["learner", "shots", "weights", "on", "points", "p"], body, caption)
    caption, header, body = references(told.rows, comparisons, told.names)
    if body:
        page.heading("Against joint training, and against what you have without us")
        page.table(header, body, f"{caption}.")


def _shots(page: Page, told: Told) -> None:
    """Accuracy against shots, where there are several numbers of them."""
    shots = sorted({row.config.shots for row in told.rows})
    if len(shots) < 2:
        return
    page.section("Accuracy against shots")
    for measure, on in {"acc_novel": "novel products", "acc_base": "base products", "acc_all": "all products"}.items():
        lines: dict[tuple[str, str], dict[int, str]] = {}
        for row in told.rows:
            lines.setdefault((row.config.learner, told.begins(row)), {})[row.config.shots] = rate(row.metrics.get(measure))
        page.table(
            ["learner", "weights", *(_images(n) for n in shots)],
            [[*names, *(found.get(n, "–") for n in shots)] for names, found in lines.items()],
            f"Accuracy on {on} over all products, per cent.",
        )
        for origin in dict.fromkeys(told.begins(row) for row in told.rows):
            series: dict[str, list[Point]] = {}
            for row in told.rows:
                if told.begins(row) == origin and measure in row.metrics:
                    series.setdefault(row.config.learner, []).append((row.config.shots, *_percent(row.metrics[measure])))
            if series:
                drawn = figures.against(series, xlabel="images a product", ylabel=f"{on}, per cent", log_x=True)
                page.figure(drawn, f"Starting from {origin}. Bands: 95 % interval.")


def _steps(page: Page, told: Told) -> None:
    """Accuracy after each increment, where there are several."""
    if len(told.rows[0].config.increments) < 2:
        return
    page.section("After each increment")
    for origin in dict.fromkeys(told.begins(row) for row in told.rows):
        series: dict[str, list[Point]] = {}
        for row in told.most_shots:
            if told.begins(row) != origin:
                continue
            steps = [metrics.read_steps(trial.details["steps"]) for trial in told.results.trials(row).values()]
            for step in zip(*(step for step in steps if step), strict=True):
                judged = interval([seed.acc_all for seed in step])
                if judged:
                    series.setdefault(row.config.learner, []).append((step[0].classes, *_percent(judged)))
        if series:
            drawn = figures.against(series, xlabel="products known", ylabel="accuracy on these, per cent")
            page.figure(drawn, f"Starting from {origin}: accuracy over the products known so far. Bands: 95 % interval.")


def _certainty(page: Page, told: Told) -> None:
    rows = [row for row in told.most_shots if "acc_all" in row.metrics]
    shown = {name: label for name, label in CERTAINTY.items() if any(name in row.metrics for row in rows)}
    if not shown:
        return
    page.section("Errors, forgetting and certainty")
    threshold = any("reject_threshold" in row.metrics for row in rows)
    body = [
        [row.config.learner, told.begins(row), *_cells(row, shown), *([_plain(row, "reject_threshold")] if threshold else [])]
        for row in rows
    ]
    caption = "Per cent. Unknown products are tested only in runs with `unknown`, and rejected only in runs with `reject`" + (
        "; its threshold is in the unit of each learner's own score." if threshold else "."
    )
    page.table(["learner", "weights", *shown.values(), *(["threshold"] if threshold else [])], body, caption + told.label)
    if told.best is not None:
        _risk(page, told, told.best)


def _risk(page: Page, told: Told, best: TransferRow) -> None:
    """Errors against the share of images answered, of the learners with the weights and shots of the best row."""
    curves: dict[str, list[Point]] = {}
    for row in told.most_shots:
        if not row.row.trials or told.begins(row) != told.begins(best):
            continue
        arrays = next(iter(told.results.trials(row).values())).arrays
        known = arrays["labels"] >= 0
        correct = arrays["predictions"][known] == arrays["labels"][known]
        coverage, risk = metrics.risk_coverage(arrays["confidence"][known], correct)
        picked = np.unique(np.linspace(0, len(coverage) - 1, 60).astype(int))
        points = [(100 * c, 100 * r, 0.0) for c, r in zip(coverage[picked], risk[picked], strict=True) if c >= 0.02]
        curves[row.config.learner] = points
    if curves:
        drawn = figures.against(curves, xlabel="share of the images answered, per cent", ylabel="errors among them, per cent")
        page.figure(drawn, f"What is gained by leaving the least certain images to a person; from {told.begins(best)}, first seed.")


def _confusion(page: Page, told: Told, best: TransferRow) -> None:
    split = told.results.split
    products = (*split.base, *split.novel)
    groups = [split.products[key].supercategory for key in products]
    counts = confusion_counts(told.results, best, len(products))
    novel = np.arange(len(products)) >= len(split.base)
    page.section("What is taken for what")
    words = f"**{best.config.learner}** from **{told.begins(best)}**, {_images(best.config.shots)} a product"
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


def confusion_counts(found: Results, row: TransferRow, classes: int) -> Ints:
    """(classes, classes) test images of all seeds together: rows true, columns predicted. Untaught products are left out."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    for trial in found.trials(row).values():
        known = trial.arrays["labels"] >= 0
        np.add.at(counts, (trial.arrays["labels"][known], trial.arrays["predictions"][known]), 1)
    return counts


def _by_supercategory(counts: Ints, groups: Sequence[str]) -> list[list[str]]:
    body = []
    of = np.asarray(groups)
    for group in sorted(set(groups)):
        mine = of == group
        if mine.sum() < 2:
            continue
        images, right = counts[mine].sum(), np.trace(counts[np.ix_(mine, mine)])
        inside, wrong = counts[np.ix_(mine, mine)].sum() - right, images - right
        share = "–" if not wrong else f"{100 * inside / wrong:.0f}"
        body.append([group, str(int(mine.sum())), f"{100 * right / max(images, 1):.1f}", share])
    return body


def _record(page: Page, run: Run) -> None:
    page.section("How it was done")
    page.options(run)
    page.machine(read_json(run.path / "environment.json"))
    split = command_line("rpc_transfer run", data=run.config["arguments"]["data"], split=run.path / "split.json")
    page.text(f"The products, shots and test images of every seed are in `split.json`; `{split}` runs on them again.")


def _cells(row: TransferRow, names: Mapping[str, str]) -> list[str]:
    if row.error:
        return ["not run", *[""] * (len(names) - 1)]
    return [rate(row.metrics.get(name)) for name in names]


def _plain(row: TransferRow, name: str) -> str:
    """A figure that is no rate (seconds, MB, a threshold), with its interval; of what is next to nothing, only that."""
    metric = row.metrics.get(name)
    if row.error or metric is None:
        return "" if row.error else "–"
    if 0 < abs(metric.mean) < 0.01:
        return "< 0.01"
    width = "" if metric.ci95 is None else f" ± {metric.ci95:.2g}"
    return f"{metric.mean:.3g}{width}"


def _percent(metric: Metric) -> Interval:
    return 100 * metric.mean, 100 * (metric.ci95 or 0.0)


def _plan(increments: Sequence[int]) -> str:
    return "all at once" if len(increments) == 1 else f"in {len(increments)} steps"


def _images(shots: int) -> str:
    return f"{shots} image" + "s" * (shots > 1)


def _shots_of(rows: Sequence[TransferRow]) -> str:
    shots = list(dict.fromkeys(row.config.shots for row in rows))
    return ", ".join(map(str, shots[:-1])) + (" or " if len(shots) > 1 else "") + _images(shots[-1])
