"""The page of `repr classify`: the rows with intervals, what beats what, missing modalities, the long tail, calibration, Fig. 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from repr.arrays import Array, Doubles
from repr.classify.answer import Answer
from repr.classify.longtail import BUCKETS, FEW, MANY
from repr.classify.summary import ClassifyRow, name, title
from repr.commands import command_line
from repr.evaluation.calibration import BINS, Bin
from repr.evaluation.words import ENOUGH, NONE, enough, p_value, percent, points, rate
from repr.experiments.document import TRIALS
from repr.experiments.trials import Store
from repr.records import from_json
from repr.reports.figures import INK, PALETTE, against, lines, logarithmic, new_figure, styled
from repr.reports.page import Page
from repr.reports.table_six import improvements
from repr.runs import Run

SEEDS = 5  # as many as an interval wants
CURVES = 6  # rows in one reliability figure
COLUMNS = {
    "top-1": "top1",
    "top-5": "top5",
    "ECE": "ece",
    "F1 macro": "f1_macro",
    "F1 weighted": "f1_weighted",
    "AP macro": "ap_macro",
    "AP micro": "ap_micro",
}
PAPER = {"paper": "top1", "paper top-5": "top5", "paper AP": "ap", "paper F1": "f1"}  # beside ours
MORE = ("F1 weighted", "AP macro", "AP micro")  # in a table of their own, for one of all columns is wider than a page
MODALITIES = {"image": "image", "text": "text", "title": "title", "ocr": "OCR text"}
Cells = list[list[str]]
Rows = Sequence[ClassifyRow]


def table(answer: Answer) -> tuple[list[str], Cells]:
    """Header and cells of the rows that were run, what matters most on the left; a table's have the paper's figures beside ours, and the
    rows that the paper has not below a line.

    Rates are in per cent, ± half the 95 % interval over seeds. Columns that say nothing of any row are left out.
    """
    shown = [(row, _cells(answer, row, place)) for place, row in enumerate(answer.rows) if row.ran]
    if not shown:
        return [], []
    presets = {row.config.preset for row, _ in shown}
    cells = [{**cell, "preset": cell["preset"] if len(presets) > 1 else ""} for _, cell in shown]
    header = [column for column in cells[0] if any(row[column] for row in cells)]
    body = [[row[column] for column in header] for row in cells]
    ours = [not row.get("paper") for row in cells]
    if answer.number and any(ours) and not all(ours):
        body.insert(ours.index(True), ["— ours —", *[""] * (len(header) - 1)])
    return header, body


def _paper(answer: Answer, place: int) -> dict[str, str]:
    """What the paper prints of a row, per cent; "" for what it does not."""
    printed = {}
    for column, metric in PAPER.items():
        of_rows = answer.document.about.get(f"paper_{metric}")
        value = of_rows[place] if isinstance(of_rows, tuple) else None
        printed[column] = percent(value) if isinstance(value, float) else ""
    return printed


def _cells(answer: Answer, row: ClassifyRow, place: int) -> dict[str, str]:
    config, metrics = row.config, row.row.metrics
    rates = {column: rate(metrics.get(metric)) for column, metric in COLUMNS.items()}
    paper = _paper(answer, place)
    return {
        "model": name(replace(config, hierarchy=""), answer.weights) + (" (masked)" if config.masked else ""),
        "part": config.part,
        "modality": config.modality,
        "level": str(config.level),
        "hierarchy": config.hierarchy,
        "preset": config.preset,
        "top-1": rates.pop("top-1"),
        "paper": paper.pop("paper"),
        "top-5": rates.pop("top-5"),
        **paper,
        **rates,
        "seconds": f"{metrics['seconds'].mean:.1f}",
    }


def write(answer: Answer) -> Path:
    """Write report.html (of a table: table-<number>.html) into the answer's folder and return its path."""
    assert answer.out is not None
    page = Page(f"{answer.title}: {answer.document.data}", answer.document.synthetic)
    done = [row for row in answer.rows if row.ran]
    _next(page, answer)
    page.section("Numbers")
    _numbers(page, answer)
    _differences(page, answer)
    _notes(page, done, answer.weights)
    _missing(page, done, answer.weights)
    _tree(page, done, answer.weights)
    weak_curve(page, done, answer.weights)
    _long_tail(page, done, answer.weights)
    _against_samples(page, done, answer.weights, Store(answer.out / TRIALS))
    _calibration(page, done, answer.weights)
    page.section("Settings")
    page.options(Run.open(answer.out), "Each row and seed has its predictions in trials/, and its classes as a table in per_class/.")
    return page.write(answer.out / (f"table-{answer.number}.html" if answer.number else "report.html"))


def _next(page: Page, answer: Answer) -> None:
    """What to type next: first of all, since few read a page to its end."""
    assert answer.out is not None
    lines = []
    if not answer.number and len(answer.document.seeds) < SEEDS:
        lines.append(command_line("repr classify", config=answer.out / "config.json", seeds=SEEDS, out=f"{answer.out}-{SEEDS}"))
    if not answer.number and any(row.ran for row in answer.rows):
        lines.append(command_line("repr classify predict", answer.out, data="new", out="predictions.csv"))
    lines.append(command_line("repr compare", answer.out, "ANOTHER_RUN", out="compared.html"))
    page.section("What to try next")
    page.code("\n".join(lines))


def _numbers(page: Page, answer: Answer) -> None:
    """The printed table and what is said below it; the averages that few ask for in a table of their own."""
    header, cells = table(answer)
    caption, *others = answer.document.notes
    if not cells:
        page.text(caption)
    else:
        page.table(*_only(header, cells, [column for column in header if column not in MORE]), caption)
    for line in others:
        page.text(line)
    if answer.document.leaks:
        page.text("\n".join(f"- {leak}." for leak in answer.document.leaks))
    if answer.number == "6":
        for words, nets, changes in improvements(answer.rows, answer.papers, answer.weights):
            page.table(nets, changes, words)
    if cells:
        page.table(*_only(header, cells, [*header[: header.index("top-1")], *MORE]))


def _only(header: list[str], cells: Cells, columns: list[str]) -> tuple[list[str], Cells]:
    places = [header.index(column) for column in columns]
    return columns, [[row[place] for place in places] for row in cells]


def _differences(page: Page, answer: Answer) -> None:
    tests = answer.document.comparisons
    if not tests:
        return
    page.section("Row against row")
    parts = any(row.config.part for row in answer.rows)
    cells = []
    for test in tests:
        half, p = (test.ci95, test.p) if test.n >= ENOUGH else (None, None)
        a, b = answer.rows[test.a].config, answer.rows[test.b].config
        sides = f"{name(a, answer.weights)} − {name(b, answer.weights)}"
        words = [sides, *([a.part] if parts else []), str(a.level), "yes" if a.masked else "no"]
        cells.append([*words, points(test.difference, half), p_value(p), str(test.n)])
    metric = next(column for column, shown in COLUMNS.items() if shown == tests[0].metric)
    caption = f"Difference of {metric} in points, ± half of its 95 % interval, paired by seed (Student's t); none of fewer than {ENOUGH}."
    page.table(["rows", *(["part"] if parts else []), "level", "masked", "difference", "p", "seeds"], cells, caption)


def _notes(page: Page, rows: Rows, weights: Mapping[str, str]) -> None:
    noted = [[title(row.config, weights), str(row.config.level), row.row.note] for row in rows if row.row.note]
    if noted:
        page.section("What the rows were made of")
        page.table(["row", "level", "note"], noted, words=True)


def _missing(page: Page, rows: Rows, weights: Mapping[str, str]) -> None:
    shown = [row for row in rows if row.row.group("missing")]
    if not shown:
        return
    page.section("When a modality is missing")
    names = [name for name in MODALITIES if any(name in row.row.group("missing") for row in shown)]
    cells = [
        [
            *(title(row.config, weights), str(row.config.level), percent(row.mean("top1"))),
            *(percent(row.mean(f"missing/{name}")) for name in names),
        ]
        for row in shown
    ]
    header = ["row", "level", "with all", *(f"without {MODALITIES[name]}" for name in names)]
    page.table(header, cells, "Top-1, per cent, over all test rows.")


def _tree(page: Page, rows: Rows, weights: Mapping[str, str]) -> None:
    shown = [row for row in rows if "hF" in row.row.metrics]
    if not shown:
        return
    page.section("Along the tree")
    cells = []
    for row in shown:
        words = [title(row.config, weights), str(row.config.level), *(rate(row.row.metrics.get(name)) for name in ("top1", "top1_path"))]
        height = row.mean("mistake_height")
        cells.append([*words, *(percent(row.mean(name)) for name in ("hP", "hR", "hF")), NONE if height is None else f"{height:.2f}"])
    header = ["row", "level", "top-1, own output", "top-1, path", "hP", "hR", "hF", "height of mistakes"]
    page.table(header, cells, "Per cent. Path: the likeliest path that the tree allows. hP, hR, hF: shared classes of both paths (micro).")


def weak_curve(page: Page, rows: Rows, weights: Mapping[str, str]) -> None:
    """A section with accuracy over the share of fine labels; none where there is one share only."""
    shown = [row for row in rows if row.config.hierarchy]
    if len({row.config.fine_share for row in shown}) < 2:
        return
    page.section("When only the coarse label is known")
    series: dict[str, list[tuple[float, float, float]]] = {}
    for row in shown:
        config, top1 = row.config, row.row.metrics["top1"]
        line = f"{title(replace(config, fine_share=1.0), weights)}, {config.weak}, level {config.level}"
        series.setdefault(line, []).append((100 * config.fine_share, 100 * top1.mean, 100 * (top1.ci95 or 0) * enough(top1)))
    figure = against(series, xlabel="training rows with fine labels, per cent", ylabel="top-1, per cent")
    page.figure(figure, "Accuracy against the share of training rows whose labels below level 1 are known.")


def _long_tail(page: Page, rows: Rows, weights: Mapping[str, str]) -> None:
    shown = [row for row in rows if row.row.group("buckets")]
    if not shown:
        return
    page.section("The long tail")
    names = [bucket for bucket in BUCKETS if any(f"buckets/{bucket}/recall" in row.row.metrics for row in shown)]
    cells = [[title(row.config, weights), str(row.config.level), *(_bucket(row, bucket) for bucket in names)] for row in shown]
    words = (
        f"Mean recall over the classes, per cent, and classes. many: above {MANY} training rows; medium: {FEW} to {MANY}; few: under {FEW}."
    )
    page.table(["row", "level", *names], cells, words)


def _bucket(row: ClassifyRow, bucket: str) -> str:
    classes = row.mean(f"buckets/{bucket}/classes")
    return NONE if classes is None else f"{percent(row.mean(f'buckets/{bucket}/recall'))} ({classes:.0f})"


def _against_samples(page: Page, rows: Rows, weights: Mapping[str, str], store: Store) -> None:
    """Fig. 8 for the rows of the finest level, from the trials of their first seed."""
    shown = [row for row in rows if row.config.level == max(other.config.level for other in rows)][:CURVES]
    if not shown:
        return
    page.section("Accuracy against training samples")
    for row in shown:
        dots = class_points(store.read(row.row.trials[0].file).arrays)
        words = f"{title(row.config, weights)}: recall of each class against its training rows, first seed. Line: means."
        page.figure(samples_figure(*dots), words)


def class_points(arrays: Mapping[str, Array]) -> tuple[Doubles, Doubles]:
    """Training rows and recall (0-1) of each class that the test has, (c,) each. arrays: of a trial, as `as_trial` has them."""
    tested = arrays["class_test"] > 0
    return arrays["class_train"][tested].astype(np.float64), arrays["class_recall"][tested].astype(np.float64)


@styled
def samples_figure(counts: Doubles, recall: Doubles) -> Figure:
    """Fig. 8: recall of each class against its training rows, with the mean over classes of like size."""
    figure = new_figure()
    axes = figure.add_subplot()
    axes.scatter(np.maximum(counts, 0.5), 100 * recall, s=9, color=PALETTE[0], alpha=0.55, lw=0)
    order = np.argsort(counts, kind="stable")
    groups = [part for part in np.array_split(order, max(1, min(12, len(order) // 8))) if len(part)]
    means = [(np.exp(np.log(np.maximum(counts[part], 0.5)).mean()), 100 * recall[part].mean()) for part in groups]
    axes.plot(*zip(*means, strict=True), color=INK, lw=1.4)
    axes.set(xlabel="training rows of the class", ylabel="recall, per cent", ylim=(-2, 102))
    logarithmic(axes, "x")
    return figure


def _calibration(page: Page, rows: Rows, weights: Mapping[str, str]) -> None:
    """Accuracy in each bin of confidence, of the first seed."""
    first = min((seed for row in rows for seed in row.trials), default=0)
    shown = [row for row in rows if first in row.trials][:CURVES]
    if not shown:
        return
    page.section("Are the probabilities right?")
    x = [100 * (place + 0.5) / BINS for place in range(BINS)]
    series: dict[str, list[float | None]] = {}
    for row in shown:
        bins = row.trials[first].details["reliability"]
        assert isinstance(bins, Sequence)
        right = {one.number: 100 * one.accuracy for one in (from_json(Bin, content) for content in bins)}
        series[f"{title(row.config, weights)}, level {row.config.level}"] = [right.get(place) for place in range(BINS)]
    figure = lines(x, series, xlabel="confidence, per cent", ylabel="right, per cent", ideal=x)
    page.figure(figure, "Reliability after temperature scaling on the validation part, first seed.")
