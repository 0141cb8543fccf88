"""report.html of a transfer run: Table 9, the ladder with intervals, forgetting, certainty, confusions, images, a map.

Everything but the images and the map is drawn from the run folder alone; `report_images` opens the data again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repr.arrays import Ints
from repr.crops import WHOLE, suffix
from repr.evaluation.statistics import interval
from repr.evaluation.words import p_value, points, rate
from repr.files import read_json
from repr.models.names import weights_names
from repr.reports import figures
from repr.reports.page import Page
from repr.reports.starts import CAPTION, HEADER, starts_rows
from repr.runs import Run
from rpc_transfer import metrics, report_images, results
from rpc_transfer.results import Results
from rpc_transfer.summary import COLUMNS, PAPER, RPC, best_row, memory, references

Row = dict[str, Any]
Interval = tuple[float, float]

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


def write(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a transfer run (default: report.html in its folder) and return its path.

    Raises UserError when the folder holds no finished transfer run. Images that cannot be opened any more are left out
    with a word on the page.
    """
    found, run = results.read(folder), Run.open(folder)
    content = found.content
    names = weights_names(row["weights"] for row in content["rows"])
    for row in content["rows"]:
        row["name"] = names[row["weights"]]
    page = Page(f"Taking in new products: {content['data']}", bool(content["synthetic"]))
    _opening(page, found)
    _table_9(page, content)
    _ladder(page, content)
    _shots(page, content["rows"])
    _steps(page, found)
    _certainty(page, found)
    best = best_row(content["rows"])
    if best is not None:
        _confusion(page, found, best)
        report_images.add(page, found, run, best)
    _record(page, run, content)
    return page.write(out or found.folder / "report.html")


def most_shots(rows: Sequence[Row]) -> list[Row]:
    """The rows with the most shots: those that most tables show."""
    return [row for row in rows if row["shots"] == max(row["shots"] for row in rows)]


def start(row: Row) -> str:
    """The starting weights of a row in words (`name`, which `write` sets), with the encoder that a frozen learner worked on."""
    name: str = row["name"]
    return name + (", base-trained" if row["features"] == "base-trained" and row["weights"] is not None else "")


def _opening(page: Page, found: Results) -> None:
    content, first = found.content, found.content["rows"][0]
    products, tests, seeds = content["products"], content["tests"], len(content["seeds"])
    best = best_row(content["rows"])
    page.text(
        f"{products['base']} products were taught first; then {products['novel']} novel ones were taken in from "
        f"**{_shots_of(content['rows'])} each** (from {first['shots_from']}), {_plan(first['increments'])}. Every "
        f"figure is accuracy over all {products['base'] + products['novel']} products as choices, on {tests['base']:,} images of base "
        f"and {tests['novel']:,} of novel products ({first['test_on']}). "
        + (
            f"Mean of {seeds} draws of shots, ± half of the 95 % interval of the mean."
            if seeds > 1
            else "One draw of shots, so no intervals."
        )
    )
    if best is not None:
        row = content["rows"][best]
        page.text(
            f"Highest harmonic mean of base and novel: **{row['learner']}** starting from **{start(row)}**, "
            f"{rate(row['acc_novel'])} per cent on novel and {rate(row['acc_base'])} on base products."
        )
    if content["notes"]:
        page.text("\n".join(f"- {note}" for note in content["notes"]))


def _table_9(page: Page, content: dict[str, Any]) -> None:
    """The paper's comparison, where its learner was run: full fine-tuning from one start or another."""
    rows = [row for row in content["rows"] if row["learner"] == "finetune"]
    if not rows:
        return
    page.section("Table 9: what pretraining gives when everything is fine-tuned")
    several = len({row["shots"] for row in rows}) > 1
    body = [
        [f"**ours**, from {start(row)}" + (f", {_images(row['shots'])}" if several else ""), *_cells(row, list(COLUMNS))] for row in rows
    ]
    body += [[f"the paper's, {name}", f"{both:.2f}", "–", f"{novel:.2f}", "–"] for name, (both, novel) in PAPER.items()]
    same = (
        "They are on RPC too, but with another choice of novel products, images and settings, and one seed."
        if {kind: content["products"][kind] for kind in RPC} == RPC and not content["synthetic"]
        else "They are on RPC, another set than this run's: they show the size of the effect, not a target."
    )
    page.table(["", *COLUMNS.values()], body, f"Accuracy, per cent. The rows named the paper's are the figures of its Table 9. {same}")


def _ladder(page: Page, content: dict[str, Any]) -> None:
    page.section("The ladder")
    rows = most_shots(content["rows"])
    body = [
        [
            row["learner"],
            start(row),
            *_cells(row, list(COLUMNS)),
            _plain(row, "seconds"),
            _plain(row, "memory_mb"),
            memory(row),
            row["features"] + suffix(row.get("crops", WHOLE)),
        ]
        for row in rows
    ]
    page.table(
        ["learner", "weights", *COLUMNS.values(), "seconds to take in", "MB to take in", "images kept", "encoder"],
        body,
        f"Accuracy over all products, per cent; {_images(rows[0]['shots'])} a product. Seconds and memory are those of the increments "
        "with the first answer after each." + _label(content),
    )
    for spec, error in {row["weights"]: row["error"] for row in rows if row["error"]}.items():
        page.text(f"Rows from {spec} could not be run: {error}.")
    for name, label in (("acc_novel", "novel products"), ("acc_base", "base products"), ("forgetting_base", "forgetting of base products")):
        if any(row[name] for row in rows):
            caption = f"Accuracy on {label}, per cent." if name.startswith("acc") else FORGETTING
            page.figure(_bars(rows, name, f"{label}, per cent"), f"{caption} Lines: 95 % interval of the mean over the seeds.")
    _paired(page, content)
    _starts(page, content)


def _starts(page: Page, content: dict[str, Any]) -> None:
    """How each of the weights came about, and at which resolution they were used."""
    if body := starts_rows(content.get("starts", ()), {row["weights"]: row["name"] for row in content["rows"]}):
        page.table(HEADER, body, f"{CAPTION}.")


FORGETTING = (
    "Forgetting: accuracy on base images over the base products just after the base step, minus accuracy over all products at the end, "
    "in points. Below 0 the base products gained."
)


def _bars(rows: Sequence[Row], name: str, label: str) -> Any:
    learners = list(dict.fromkeys(row["learner"] for row in rows))
    series: dict[str, list[Interval | None]] = {}
    for row in rows:
        bars = series.setdefault(start(row), [None] * len(learners))
        if row[name]:
            bars[learners.index(row["learner"])] = _percent(row[name])
    return figures.ladder(learners, {key: bars for key, bars in series.items() if any(bars)}, xlabel=label)


def _paired(page: Page, content: dict[str, Any]) -> None:
    names = {row["weights"]: row["name"] for row in content["rows"]}

    def side(test: dict[str, Any], which: str) -> str:
        named = start({"weights": test[which], "name": names[test[which]], "features": test[f"{which}_features"]})
        return named + suffix(test.get(f"{which}_crops", WHOLE))

    body = [
        [
            test["learner"],
            str(test["shots"]),
            f"{side(test, 'a')} against {side(test, 'b')}",
            COLUMNS[test["metric"]],
            points(test["difference"], test["ci95"]),
            p_value(test["p"]),
        ]
        for test in content["paired"]
        if test.get("against", "start") == "start" and test["metric"] in ("acc_all", "acc_novel") and test["p"] is not None
    ]
    if body:
        page.heading("Starting weights on the same splits")
        caption = "Paired t-test over the seeds. The p-values are not corrected for their number."
        page.table(["learner", "shots", "weights", "on", "points", "p"], body, caption)
    caption, header, body = references(content["paired"], lambda spec: str(names[spec]))
    if body:
        page.heading("Against joint training, and against what you have without us")
        page.table(header, body, f"{caption}.")


def _shots(page: Page, rows: Sequence[Row]) -> None:
    """Accuracy against shots, where there are several numbers of them."""
    if len({row["shots"] for row in rows}) < 2:
        return
    page.section("Accuracy against shots")
    shots = sorted({row["shots"] for row in rows})
    for measure, on in {"acc_novel": "novel products", "acc_base": "base products", "acc_all": "all products"}.items():
        lines: dict[tuple[str, str], dict[int, str]] = {}
        for row in rows:
            lines.setdefault((row["learner"], start(row)), {})[row["shots"]] = rate(row[measure])
        page.table(
            ["learner", "weights", *(_images(n) for n in shots)],
            [[*names, *(found.get(n, "–") for n in shots)] for names, found in lines.items()],
            f"Accuracy on {on} over all products, per cent.",
        )
        for origin in dict.fromkeys(start(row) for row in rows):
            series: dict[str, list[tuple[float, float, float]]] = {}
            for row in rows:
                if start(row) == origin and row[measure]:
                    series.setdefault(row["learner"], []).append((row["shots"], *_percent(row[measure])))
            if series:
                drawn = figures.against(series, xlabel="images a product", ylabel=f"{on}, per cent", log_x=True)
                page.figure(drawn, f"Starting from {origin}. Bands: 95 % interval.")


def _steps(page: Page, found: Results) -> None:
    """Accuracy after each increment, where there are several."""
    rows = found.rows
    if len(rows[0]["increments"]) < 2:
        return
    page.section("After each increment")
    for origin in dict.fromkeys(start(row) for row in rows):
        series: dict[str, list[tuple[float, float, float]]] = {}
        for i, row in enumerate(rows):
            if start(row) != origin or row not in most_shots(rows):
                continue
            steps = [found.trial(i, entry["seed"]).figures["steps"] for entry in row["trials"]]
            for step in zip(*(step for step in steps if step), strict=True):
                judged = interval([seed["acc_all"] for seed in step])
                if judged:
                    series.setdefault(row["learner"], []).append((step[0]["classes"], *_percent(judged)))
        if series:
            drawn = figures.against(series, xlabel="products known", ylabel="accuracy on these, per cent")
            page.figure(drawn, f"Starting from {origin}: accuracy over the products known so far. Bands: 95 % interval.")


def _certainty(page: Page, found: Results) -> None:
    rows = [row for row in most_shots(found.rows) if row["acc_all"]]
    shown = {name: label for name, label in CERTAINTY.items() if any(row.get(name) for row in rows)}
    if not shown:
        return
    page.section("Errors, forgetting and certainty")
    threshold = any(row.get("reject_threshold") for row in rows)
    body = [
        [row["learner"], start(row), *_cells(row, list(shown)), *([_plain(row, "reject_threshold")] if threshold else [])] for row in rows
    ]
    caption = "Per cent. Unknown products are tested only in runs with --unknown, and rejected only in runs with --reject" + (
        "; its threshold is in the unit of each learner's own score." if threshold else "."
    )
    page.table(["learner", "weights", *shown.values(), *(["threshold"] if threshold else [])], body, caption + _label(found.content))
    curves: dict[str, list[tuple[float, float, float]]] = {}
    best = best_row(found.rows)
    for i, row in enumerate(found.rows):
        if best is None or not row["trials"] or start(row) != start(found.rows[best]) or row["shots"] != found.rows[best]["shots"]:
            continue
        arrays = found.trial(i, row["trials"][0]["seed"]).arrays
        known = arrays["labels"] >= 0
        correct = arrays["predictions"][known] == arrays["labels"][known]
        coverage, risk = metrics.risk_coverage(arrays["confidence"][known], correct)
        picked = np.unique(np.linspace(0, len(coverage) - 1, 60).astype(int))
        curves[row["learner"]] = [(100 * c, 100 * r, 0.0) for c, r in zip(coverage[picked], risk[picked], strict=True) if c >= 0.02]
    if curves and best is not None:
        drawn = figures.against(curves, xlabel="share of the images answered, per cent", ylabel="errors among them, per cent")
        page.figure(drawn, f"What is gained by leaving the least certain images to a person; from {start(found.rows[best])}, first seed.")


def _confusion(page: Page, found: Results, best: int) -> None:
    split, row = read_json(found.split_path), found.rows[best]
    products = [*split["base"], *split["novel"]]
    groups = [split["products"][key]["supercategory"] for key in products]
    counts = confusion_counts(found, best, len(products))
    novel = np.arange(len(products)) >= len(split["base"])
    page.section("What is taken for what")
    told = f"**{row['learner']}** from **{start(row)}**, {_images(row['shots'])} a product"
    page.text(f"Of the row looked at closely: {told}, all seeds together.")
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


def confusion_counts(found: Results, row: int, classes: int) -> Ints:
    """(classes, classes) test images of all seeds together: rows true, columns predicted. Untaught products are left out."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    for entry in found.rows[row]["trials"]:
        arrays = found.trial(row, entry["seed"]).arrays
        known = arrays["labels"] >= 0
        np.add.at(counts, (arrays["labels"][known], arrays["predictions"][known]), 1)
    return counts


def _by_supercategory(counts: np.ndarray[Any, Any], groups: Sequence[str]) -> list[list[str]]:
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


def _record(page: Page, run: Run, content: dict[str, Any]) -> None:
    page.section("How it was done")
    page.options(run.config["typed"])
    page.machine(read_json(run.path / "environment.json"))
    page.text("The products, shots and test images of every seed are in `split.json`; `--split split.json` repeats the run on them.")


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    if row["error"]:
        return ["not run", *[""] * (len(names) - 1)]
    return [rate(row.get(name)) for name in names]


def _plain(row: Row, name: str) -> str:
    """A figure that is no rate (seconds, MB, a threshold), with its interval; of what is next to nothing, only that."""
    figure = row.get(name)
    if row["error"] or not figure:
        return "" if row["error"] else "–"
    if 0 < abs(figure["mean"]) < 0.01:
        return "< 0.01"
    width = "" if figure["ci95"] is None else f" ± {figure['ci95']:.2g}"
    return f"{figure['mean']:.3g}{width}"


def _percent(figure: dict[str, Any]) -> Interval:
    return 100 * figure["mean"], 100 * (figure["ci95"] or 0.0)


def _plan(increments: Sequence[int]) -> str:
    return "all at once" if len(increments) == 1 else f"in {len(increments)} steps"


def _images(shots: int) -> str:
    return f"{shots} image" + "s" * (shots > 1)


def _shots_of(rows: Sequence[Row]) -> str:
    shots = list(dict.fromkeys(row["shots"] for row in rows))
    return ", ".join(map(str, shots[:-1])) + (" or " if len(shots) > 1 else "") + _images(shots[-1])


def _label(content: dict[str, Any]) -> str:
    return " Synthetic images: an illustration." if content["synthetic"] else ""
