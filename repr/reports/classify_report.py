"""The page of `repr classify`: the rows with intervals, what beats what, missing modalities, the long tail, calibration, Fig. 8."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repr.classify.longtail import BUCKETS, FEW, MANY
from repr.classify.summary import name, title
from repr.evaluation.calibration import BINS
from repr.evaluation.words import p_value, percent, points
from repr.reports.figures import INK, PALETTE, against, lines, logarithmic, new_figure, styled
from repr.reports.page import Page
from repr.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from repr.classify.request import Answer

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
MORE = ("F1 weighted", "AP macro", "AP micro")  # in a table of their own, for one of all columns is wider than a page


def table(answer: Answer) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the rows that were run, what matters most on the left; a table's have the paper's number beside ours.

    Rates are in per cent, ± half the 95 % interval over seeds. Columns that say nothing of any row are left out.
    """
    cells = [_cells(row, paper=bool(answer.number)) for row in answer.rows if row["top1"] is not None]
    if not cells:
        return [], []
    header = [column for column in cells[0] if any(row[column] for row in cells)]
    return header, [[row[column] for column in header] for row in cells]


def _cells(row: dict[str, Any], *, paper: bool) -> dict[str, str]:
    rates = {column: percent(row[rate], row["ci95"].get(rate)) for column, rate in COLUMNS.items()}
    words = name({**row, "hierarchy": ""}) + (" (masked)" if row.get("masked") else "")
    return {
        "model": words,
        "part": row.get("part") or "",
        "modality": row["modality"],
        "level": str(row["level"]),
        "hierarchy": row["hierarchy"],
        "top-1": rates.pop("top-1"),
        **({"paper": percent(row["paper"])} if paper else {}),
        **rates,
        "seconds": f"{row['seconds']:.1f}",
    }


def write(answer: Answer) -> Path:
    """Write report.html (of a table: table-<number>.html) into the answer's folder and return its path."""
    assert answer.out is not None
    page = Page(f"{answer.title}: {answer.data}", answer.synthetic)
    done = [row for row in answer.rows if row["top1"] is not None]
    page.section("Numbers")
    _numbers(page, answer)
    _differences(page, answer)
    _notes(page, done)
    _missing(page, done)
    _tree(page, done)
    _weak(page, done)
    _long_tail(page, done)
    _against_samples(page, done)
    _calibration(page, answer.trials)
    page.section("Settings")
    page.options(Run.open(answer.out), "Each row's folder below rows/ has its config.json, per_class.csv and predictions.")
    return page.write(answer.out / (f"table-{answer.number}.html" if answer.number else "report.html"))


def _numbers(page: Page, answer: Answer) -> None:
    """The printed table and what is said below it; the averages that few ask for in a table of their own."""
    header, cells = table(answer)
    caption, *others = answer.remarks
    if not cells:
        page.text(caption)
    else:
        page.table(*_only(header, cells, [column for column in header if column not in MORE]), caption)
    for line in others:
        page.text(line)
    if cells:
        page.table(*_only(header, cells, [*header[: header.index("top-1")], *MORE]))


def _only(header: list[str], cells: list[list[str]], columns: list[str]) -> tuple[list[str], list[list[str]]]:
    places = [header.index(column) for column in columns]
    return columns, [[row[place] for place in places] for row in cells]


def _differences(page: Page, answer: Answer) -> None:
    if not answer.comparisons:
        return
    page.section("Row against row")
    parts = any(c["part"] for c in answer.comparisons)
    cells = [
        [
            f"{c['a']} − {c['b']}",
            *([c["part"]] if parts else []),
            str(c["level"]),
            "yes" if c["masked"] else "no",
            points(c["difference"], c["ci95"]),
            p_value(c["p"]),
            str(c["n"]),
        ]
        for c in answer.comparisons
    ]
    caption = "Difference of top-1 in points, ± half of its 95 % interval, paired by seed (Student's t)."
    page.table(["rows", *(["part"] if parts else []), "level", "masked", "difference", "p", "seeds"], cells, caption)


def _notes(page: Page, rows: Sequence[dict[str, Any]]) -> None:
    noted = [[title(row), str(row["level"]), row["note"]] for row in rows if row["note"]]
    if noted:
        page.section("What the rows were made of")
        page.table(["row", "level", "note"], noted, words=True)


def _missing(page: Page, rows: Sequence[dict[str, Any]]) -> None:
    shown = [row for row in rows if row["missing"]]
    if not shown:
        return
    page.section("When a modality is missing")
    names = {"image": "image", "text": "text", "title": "title", "ocr": "OCR text"}
    names = {m: words for m, words in names.items() if any(f"without_{m}" in row["missing"] for row in shown)}
    cells = [
        [title(row), str(row["level"]), percent(row["top1"]), *(percent(row["missing"].get(f"without_{m}")) for m in names)]
        for row in shown
    ]
    page.table(["row", "level", "with all", *(f"without {names[m]}" for m in names)], cells, "Top-1, per cent, over all test rows.")


def _tree(page: Page, rows: Sequence[dict[str, Any]]) -> None:
    shown = [row for row in rows if row["hierarchy"] and row.get("hF") is not None]
    if not shown:
        return
    page.section("Along the tree")
    widths = [row["ci95"] for row in shown]
    cells = [
        [title(row), str(row["level"]), percent(row["top1"], w.get("top1")), percent(row["top1_path"], w.get("top1_path")),
         *(percent(row[rate]) for rate in ("hP", "hR", "hF")), "–" if row["mistake_height"] is None else f"{row['mistake_height']:.2f}"]
        for row, w in zip(shown, widths, strict=True)
    ]  # fmt: skip
    header = ["row", "level", "top-1, own output", "top-1, path", "hP", "hR", "hF", "height of mistakes"]
    page.table(header, cells, "Per cent. Path: the likeliest path that the tree allows. hP, hR, hF: shared classes of both paths (micro).")


def _weak(page: Page, rows: Sequence[dict[str, Any]]) -> None:
    shares = {row.get("fine_share", 1.0) for row in rows if row["hierarchy"]}
    if len(shares) < 2:
        return
    page.section("When only the coarse label is known")
    series: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows:
        if row["hierarchy"]:
            point = (100 * row["fine_share"], 100 * row["top1"], 100 * (row["ci95"].get("top1") or 0))
            name = title({**row, "fine_share": 1.0}) + f", {row['weak']}, level {row['level']}"
            series.setdefault(name, []).append(point)
    figure = against(series, xlabel="training rows with fine labels, per cent", ylabel="top-1, per cent")
    page.figure(figure, "Accuracy against the share of training rows whose labels below level 1 are known.")


def _long_tail(page: Page, rows: Sequence[dict[str, Any]]) -> None:
    shown = [row for row in rows if row["buckets"]]
    if not shown:
        return
    page.section("The long tail")
    names = [bucket for bucket in BUCKETS if any(bucket in row["buckets"] for row in shown)]
    cells = [[title(row), str(row["level"]), *(_bucket(row, bucket) for bucket in names)] for row in shown]
    words = (
        f"Mean recall over the classes, per cent, and classes. many: above {MANY} training rows; medium: {FEW} to {MANY}; few: under {FEW}."
    )
    page.table(["row", "level", *names], cells, words)


def _bucket(row: dict[str, Any], bucket: str) -> str:
    found = row["buckets"].get(bucket)
    return f"{percent(found['recall'])} ({found['classes']:.0f})" if found else "–"


def _against_samples(page: Page, rows: Sequence[dict[str, Any]]) -> None:
    shown = {title(row): dots for row in rows if row.get("folders") and row["level"] == max(r["level"] for r in rows)
             and (dots := class_points(Path(row["folders"][0]))) is not None}  # fmt: skip
    shown = dict(list(shown.items())[:CURVES])
    if not shown:
        return
    page.section("Accuracy against training samples")
    for words, dots in shown.items():
        page.figure(samples_figure(*dots), f"{words}: recall of each class against its training rows, first seed. Line: means.")


def class_points(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
    """Training rows and recall (0-1) of each class that the test has, from a row's per_class.csv; None when it is not there."""
    file = folder / "per_class.csv"
    if not file.exists():
        return None
    with file.open(encoding="utf-8", newline="") as stream:
        found = [(int(line["train"]), float(line["recall"])) for line in csv.DictReader(stream) if line["recall"]]
    counts, recall = np.array(found, dtype=float).T
    return counts, recall


@styled
def samples_figure(counts: np.ndarray[Any, Any], recall: np.ndarray[Any, Any]) -> Figure:
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


def _calibration(page: Page, trials: Sequence[dict[str, Any]]) -> None:
    """Accuracy in each bin of confidence, of the first seed."""
    first = min((trial["seed"] for trial in trials), default=0)
    shown = [trial for trial in trials if trial.get("reliability") and trial["seed"] == first][:CURVES]
    if not shown:
        return
    page.section("Are the probabilities right?")
    x = [100 * (place + 0.5) / BINS for place in range(BINS)]
    series: dict[str, list[float | None]] = {}
    for trial in shown:
        found: dict[int, float] = {entry["bin"]: 100 * entry["accuracy"] for entry in trial["reliability"]}
        series[f"{title(trial)}, level {trial['level']}"] = [found.get(place) for place in range(BINS)]
    figure = lines(x, series, xlabel="confidence, per cent", ylabel="right, per cent", ideal=x)
    page.figure(figure, "Reliability after temperature scaling on the validation part, first seed.")
