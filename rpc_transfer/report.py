"""report.html of a transfer run: Table 9, the ladder with intervals, forgetting, certainty, confusions, images, a map.

Everything but the images and the map is drawn from the run folder alone; `report_images` opens the data again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from repr.commands import command_line
from repr.crops import suffix
from repr.evaluation.statistics import interval
from repr.evaluation.words import p_value, points, rate
from repr.files import read_json
from repr.reports import figures
from repr.reports.page import Page
from repr.reports.weights_table import CAPTION, HEADER, weights_rows
from repr.runs import Run
from rpc_transfer import metrics, report_errors, report_images, results
from rpc_transfer.results import AGAINST_WEIGHTS, TransferRow
from rpc_transfer.summary import COLUMNS, PAPER, RUNS, is_rpc, memory, references
from rpc_transfer.view import Interval, Point, View, cells, images, percent, plain, share


def write(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a transfer run (default: report.html in its folder) and return its path.

    Raises UserError when the folder holds no finished transfer run. Images that cannot be opened any more are left out
    with a word on the page.
    """
    view, run = View(results.read(folder)), Run.open(folder)
    document = view.results.document
    page = Page(f"Taking in new products: {document.data}", document.synthetic)
    _opening(page, view)
    _next(page, view, run)
    _table_9(page, view)
    _ladder(page, view)
    _shots(page, view)
    _steps(page, view)
    report_errors.certainty(page, view)
    if view.best is not None:
        report_errors.confusion(page, view, view.best)
        report_images.add(page, view.results, run, view.best)
    _record(page, run)
    return page.write(out or view.results.folder / "report.html")


def _opening(page: Page, view: View) -> None:
    about, first, seeds = view.results.about, view.rows[0].config, len(view.results.document.seeds)
    page.text(
        f"{about.base} products were taught first; then {about.novel} novel ones were taken in from "
        f"**{_shots_of(view.rows)} each** (from {first.shots_from}), {_plan(first.increments)}. Every "
        f"figure is accuracy over all {about.base + about.novel} products as choices, on {about.base_tests:,} images of base "
        f"and {about.novel_tests:,} of novel products ({first.test_on}). "
        + (
            f"{'One draw' if seeds == 1 else 'Two draws'} of shots, so points without intervals, and no word on which row is the best."
            if view.few
            else f"Mean of {seeds} draws of shots, ± half of the 95 % interval of the mean."
        )
    )
    if view.best is not None and not view.few:
        row = view.best
        page.text(
            f"Highest harmonic mean of base and novel: **{row.config.learner}** starting from **{view.begins(row)}**, "
            f"{rate(row.metrics.get('acc_novel'))} per cent on novel and {rate(row.metrics.get('acc_base'))} on base products."
        )
    if view.results.document.notes:
        page.text("\n".join(f"- {note}" for note in view.results.document.notes))


def _next(page: Page, view: View, run: Run) -> None:
    """What to type next: first of all, since few read a page to its end."""
    data = run.config["typed"]["data"]
    lines = [command_line("rpc_transfer run", config=run.path / "config.json", seeds=5)] if view.few else []
    if view.best is not None and view.best.config.weights != results.NONE:
        lines.append(command_line("repr index build", data=data, weights=view.best.config.weights, out="shop.index"))
    lines.append(command_line("rpc_transfer run", data=data, split=run.path / "split.json", learner="frozen"))
    page.section("What to try next")
    page.code("\n".join(lines))


def _table_9(page: Page, view: View) -> None:
    """The paper's comparison, where its learner was run: full fine-tuning from one start or another."""
    rows = [row for row in view.rows if row.config.learner == "finetune"]
    if not rows:
        return
    page.section("Table 9: what pretraining gives when everything is fine-tuned")
    several = len({row.config.shots for row in rows}) > 1
    body = [
        [f"**ours**, from {view.begins(row)}" + (f", {images(row.config.shots)}" if several else ""), *cells(row, COLUMNS)] for row in rows
    ]
    body += [[f"the paper's, {name}", f"{both:.2f}", "–", f"{novel:.2f}", "–"] for name, (both, novel) in PAPER.items()]
    same = (
        f"They are on RPC too, but with another choice of novel products, images and settings, and {RUNS}."
        if is_rpc(view.results.about) and not view.results.document.synthetic
        else "They are on RPC, another set than this run's: they show the size of the effect, not a target."
    )
    page.table(["", *COLUMNS.values()], body, f"Accuracy, per cent. The rows named the paper's are the figures of its Table 9. {same}")


def _ladder(page: Page, view: View) -> None:
    page.section("The ladder")
    rows = view.most_shots
    body = [
        [
            row.config.learner,
            view.begins(row),
            *cells(row, COLUMNS),
            plain(row, "seconds"),
            plain(row, "memory_mb"),
            memory(row),
            row.config.features + suffix(row.config.crops),
        ]
        for row in rows
    ]
    page.table(
        ["learner", "weights", *COLUMNS.values(), "seconds to take in", "MB to take in", "images kept", "encoder"],
        body,
        f"Accuracy over all products, per cent; {images(rows[0].config.shots)} a product. Seconds and memory are those of the "
        "increments with the first answer after each." + view.label,
    )
    for name, error in {row.config.weights: row.error for row in rows if row.error}.items():
        page.text(f"Rows from {name} could not be run: {error}.")
    for name, label in (("acc_novel", "novel products"), ("acc_base", "base products"), ("forgetting_base", "forgetting of base products")):
        if any(name in row.metrics for row in rows):
            caption = f"Accuracy on {label}, per cent." if name.startswith("acc") else FORGETTING
            bars = "" if view.few else " Lines: 95 % interval of the mean over the seeds."
            page.figure(_bars(view, name, f"{label}, per cent"), f"{caption}{bars}")
    _compared(page, view)
    if lines := weights_rows(view.results.document.weights, view.names):
        page.table(HEADER, lines, f"{CAPTION}.", words=True)


FORGETTING = (
    "Forgetting: accuracy on base images over the base products just after the base step, minus accuracy over all products at the end, "
    "in points. Below 0 the base products gained."
)


def _bars(view: View, name: str, label: str) -> Figure:
    learners = list(dict.fromkeys(row.config.learner for row in view.most_shots))
    series: dict[str, list[Interval | None]] = {}
    for row in view.most_shots:
        bars = series.setdefault(view.begins(row), [None] * len(learners))
        if name in row.metrics:
            bars[learners.index(row.config.learner)] = percent(row.metrics[name])
    return figures.ladder(learners, {key: bars for key, bars in series.items() if any(bars)}, xlabel=label)


def _compared(page: Page, view: View) -> None:
    """The paired tests: weights against weights, and every row against joint training and linear on imagenet."""
    comparisons = view.results.document.comparisons

    def _side(row: TransferRow) -> str:
        return view.begins(row) + suffix(row.config.crops)

    body = [
        [
            view.rows[test.a].config.learner,
            str(view.rows[test.a].config.shots),
            f"{_side(view.rows[test.a])} against {_side(view.rows[test.b])}",
            COLUMNS[test.metric],
            points(test.difference, None if view.few else test.ci95),
            "–" if view.few else p_value(test.p),
        ]
        for test in comparisons
        if test.against == AGAINST_WEIGHTS and test.metric in ("acc_all", "acc_novel") and test.p is not None
    ]
    if body:
        page.heading("Weights on the same splits")
        caption = "Paired t-test over the seeds. The p-values are not corrected for their number."
        if view.few:
            caption = "Means of the seeds, which are too few for a test."
        page.table(["learner", "shots", "weights", "on", "points", "p"], body, caption)
    caption, header, body = references(view.rows, comparisons, view.names)
    if body:
        page.heading("Against joint training, and against what you have without us")
        page.table(header, body, f"{caption}.")


def _shots(page: Page, view: View) -> None:
    """Accuracy against shots, where there are several numbers of them."""
    shots = sorted({row.config.shots for row in view.rows})
    if len(shots) < 2:
        return
    page.section("Accuracy against shots")
    for measure, on in {"acc_novel": "novel products", "acc_base": "base products", "acc_all": "all products"}.items():
        lines: dict[tuple[str, str], dict[int, str]] = {}
        for row in view.rows:
            lines.setdefault((row.config.learner, view.begins(row)), {})[row.config.shots] = share(row.metrics.get(measure))
        page.table(
            ["learner", "weights", *(images(n) for n in shots)],
            [[*names, *(cells.get(n, "–") for n in shots)] for names, cells in lines.items()],
            f"Accuracy on {on} over all products, per cent.",
        )
        for origin in dict.fromkeys(view.begins(row) for row in view.rows):
            series: dict[str, list[Point]] = {}
            for row in view.rows:
                if view.begins(row) == origin and measure in row.metrics:
                    series.setdefault(row.config.learner, []).append((row.config.shots, *percent(row.metrics[measure])))
            if series:
                drawn = figures.against(series, xlabel="images a product", ylabel=f"{on}, per cent", log_x=True)
                page.figure(drawn, f"Starting from {origin}." + ("" if view.few else " Bands: 95 % interval."))


def _steps(page: Page, view: View) -> None:
    """Accuracy after each increment, where there are several."""
    if len(view.rows[0].config.increments) < 2:
        return
    page.section("After each increment")
    for origin in dict.fromkeys(view.begins(row) for row in view.rows):
        series: dict[str, list[Point]] = {}
        for row in view.most_shots:
            if view.begins(row) != origin:
                continue
            steps = [metrics.read_steps(trial.details["steps"]) for trial in view.results.trials(row).values()]
            for step in zip(*(step for step in steps if step), strict=True):
                judged = interval([seed.acc_all for seed in step])
                if judged:
                    series.setdefault(row.config.learner, []).append((step[0].classes, *percent(judged)))
        if series:
            drawn = figures.against(series, xlabel="products known", ylabel="accuracy on these, per cent")
            bands = "" if view.few else " Bands: 95 % interval."
            page.figure(drawn, f"Starting from {origin}: accuracy over the products known so far.{bands}")


def _record(page: Page, run: Run) -> None:
    page.section("How it was done")
    page.options(run)
    page.machine(read_json(run.path / "environment.json"))
    split = command_line("rpc_transfer run", data=run.config["typed"]["data"], split=run.path / "split.json")
    page.text(f"The products, shots and test images of every seed are in `split.json`; `{split}` runs on them again.")


def _plan(increments: Sequence[int]) -> str:
    return "all at once" if len(increments) == 1 else f"in {len(increments)} steps"


def _shots_of(rows: Sequence[TransferRow]) -> str:
    shots = list(dict.fromkeys(row.config.shots for row in rows))
    return ", ".join(map(str, shots[:-1])) + (" or " if len(shots) > 1 else "") + images(shots[-1])
