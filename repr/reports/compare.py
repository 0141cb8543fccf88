"""Runs side by side: what they were told differently, what came out, and paired tests where two rows share their splits.

Of a run folder only what all have in common is read: config.json and metrics.csv (`repr.runs`), and results.json where the run has one
(`repr.experiments.document`), which says itself how its rows are named, shown and compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repr.commands import command_line
from repr.errors import UserError
from repr.evaluation.words import ENOUGH, enough, p_value, points, rate
from repr.experiments import document
from repr.experiments.document import Comparison, Document, Row, UsedWeights, Value
from repr.experiments.summary import paired_rows
from repr.models.names import apart, weights_names
from repr.models.provenance import Provenance
from repr.models.weights import FILE
from repr.records import Json, to_json
from repr.reports.figures import ladder
from repr.reports.page import Page
from repr.reports.training_report import SHARES, number
from repr.reports.weights_table import CAPTION, HEADER, weights_rows
from repr.runs import Run

SCHEMA = 1  # of --json
WEIGHTS = "weights"  # the setting of a row that names weights
# Where results were put and what they ran on is not what makes two runs differ.
NOT_SETTINGS = frozenset({"out", "device", "devices", "workers", "json", "as_json", "config", "resume", "pixels"})
SEEDED = ("rpc_transfer run", "repr classify")  # commands whose runs vary by seeds


@dataclass(frozen=True)
class Table:
    """A table to print or to put on a page: cells are text. words: they are sentences, whose lines are broken on a page."""

    title: str
    header: list[str]
    rows: list[list[str]]
    words: bool = False


@dataclass(frozen=True)
class ComparedRun:
    """A run. settings: those that differ among runs of its command, as resolved; metrics: the numbers that it ended with; history: how the
    weights that it made came about, line by line."""

    run: str
    command: str
    data: str
    synthetic: bool
    status: str
    created: str
    settings: Mapping[str, Json]
    metrics: Mapping[str, float]
    history: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparedRow:
    """A row of a run's document."""

    run: str
    command: str
    row: Row


@dataclass(frozen=True)
class ComparedWeights:
    """Weights that rows of a run begin from."""

    run: str
    weights: UsedWeights


@dataclass(frozen=True)
class Compared:
    """Runs side by side. tests: a paired t-test for every two rows of one command that are worth comparing (`Document.alike`) and share
    splits: row `a` minus the earlier row `b`, positions in `rows`. The documents are by run."""

    runs: tuple[ComparedRun, ...]
    rows: tuple[ComparedRow, ...]
    weights: tuple[ComparedWeights, ...]
    tests: tuple[Comparison, ...]
    documents: Mapping[str, Document]

    def as_json(self) -> dict[str, Json]:
        """What --json prints: all but the documents, whose rows are there."""
        parts = {name: to_json(getattr(self, name)) for name in ("runs", "rows", "weights", "tests")}
        return {"schema": SCHEMA, **parts}


def compare(paths: Sequence[Path]) -> Compared:
    """Read run folders and put them side by side. Raises UserError when a folder is no run, or when fewer than two are given."""
    if len(paths) < 2:
        raise UserError("one run alone cannot be compared", paths[0] if paths else "", "Give two run folders or more")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise UserError("the same run is given twice", "", "Give each run folder once")
    runs = [Run.open(Path(path)) for path in paths]
    names = apart([run.path.resolve() for run in runs])
    described = tuple(_described(name, run, runs) for name, run in zip(names, runs, strict=True))
    documents = {name: of_run for name, run in zip(names, runs, strict=True) if (of_run := _document(run)) is not None}
    commands = {run.run: run.command for run in described}
    rows = tuple(ComparedRow(name, commands[name], row) for name, of_run in documents.items() for row in of_run.rows)
    weights = tuple(ComparedWeights(name, one) for name, of_run in documents.items() for one in of_run.weights)
    return Compared(described, rows, weights, tuple(_tests(rows, documents)), documents)


def tables(compared: Compared) -> list[Table]:
    """The comparison as tables: of each command the runs, the rows and the paired tests; and what the rows begin from."""
    parts = []
    names = _weights_names(compared)
    for command in dict.fromkeys(run.command for run in compared.runs):
        parts.append(_runs_table(command, [run for run in compared.runs if run.command == command]))
        here = [i for i, row in enumerate(compared.rows) if row.command == command]
        if here:
            parts.append(_rows_table(compared, here, names))
            tests = [test for test in compared.tests if test.a in here]
            parts += [_tests_table(compared, here, tests, names)] if tests else []
    if histories := [[run.run, line] for run in compared.runs for line in run.history]:
        parts.append(Table("How the weights came about", ["run", "step by step"], histories, words=True))
    if compared.weights:
        lines: dict[tuple[str, ...], list[str]] = {}
        for one in compared.weights:
            (line,) = weights_rows([one.weights], names)
            lines.setdefault(tuple(line), []).append(one.run)
        parts.append(
            Table(
                CAPTION,
                [*HEADER[:-1], "in", HEADER[-1]],
                [[*line[:-1], ", ".join(runs), line[-1]] for line, runs in lines.items()],
                words=True,
            )
        )
    return parts


def next_commands(compared: Compared, paths: Sequence[Path]) -> list[str]:
    """What to type next: what has not ended goes on, what has too few seeds gets more, and networks are judged side by side."""
    lines = []
    for path, run in zip(paths, compared.runs, strict=True):
        config, results = Path(path) / "config.json", compared.documents.get(run.run)
        if run.status != "done":
            again = {"resume": True} if run.command == "repr pretrain" else {"config": config}
            lines.append(command_line(run.command, **again, out=path))
        elif (seeded := run.command) in SEEDED and results is not None and len(results.seeds) < ENOUGH:
            lines.append(command_line(seeded, config=config, seeds=5))
    trained = [path for path, run in zip(paths, compared.runs, strict=True) if run.command == "repr pretrain" and run.status == "done"]
    return [*lines, *([command_line("repr evaluate", weights=trained, data="YOUR_FOLDER")] if trained else [])]


def write_page(compared: Compared, path: Path, paths: Sequence[Path]) -> Path:
    """The comparison as a self-contained page: the tables, and a figure of every metric that the tables of rows show.

    paths: of the runs, as they were given.
    """
    page = Page("Runs side by side", any(run.synthetic for run in compared.runs))
    if lines := next_commands(compared, paths):
        page.section("What to try next")
        page.code("\n".join(lines))
    for table in tables(compared):
        page.section(table.title)
        page.table(table.header, table.rows, words=table.words)
    names = _weights_names(compared)
    for command in dict.fromkeys(row.command for row in compared.rows):
        here = [i for i, row in enumerate(compared.rows) if row.command == command]
        first = _first(compared, here)
        labels, alike = _labels(compared, here, names), {i: _alike(compared.rows[i].row, first) for i in here}
        groups = list(dict.fromkeys(alike.values()))
        for metric in first.shown:
            series: dict[str, list[tuple[float, float] | None]] = {}
            for i in here:
                if (judged := compared.rows[i].row.metrics.get(metric)) is not None:
                    bars = series.setdefault(labels[i], [None] * len(groups))
                    bars[groups.index(alike[i])] = (100 * judged.mean, 100 * (judged.ci95 or 0.0) * enough(judged))
            if series:
                page.section(f"{metric} of {command}")
                drawn = ladder(groups, series, xlabel=f"{metric}, per cent")
                page.figure(drawn, f"Mean over the seeds; lines: 95 % interval of the mean, where there are {ENOUGH} seeds or more.")
    return page.write(path)


def _described(name: str, run: Run, runs: Sequence[Run]) -> ComparedRun:
    config = run.config
    alike = [other for other in runs if other.config["command"] == config["command"]]
    differing = {key: value for key, value in run.settings.items() if key not in NOT_SETTINGS and _differs(key, alike)}
    return ComparedRun(
        name,
        config["command"],
        config["data"],
        config["synthetic"],
        config["status"],
        config["created"],
        settings=differing,
        metrics=_metrics(run),
        history=_history(run),
    )


def _history(run: Run) -> tuple[str, ...]:
    """How the weights that a run made came about; nothing where it made none."""
    file = run.path / FILE
    return tuple(Provenance.of_file(file).lines()) if file.is_file() else ()


def _differs(key: str, runs: Iterable[Run]) -> bool:
    values = [run.settings.get(key) for run in runs]
    return any(value != values[0] for value in values)


def _metrics(run: Run) -> dict[str, float]:
    """The numbers of a run's result, or of the last row of its metrics.csv."""
    result = run.config.get("result")
    if isinstance(result, dict) and isinstance(result.get("metrics"), dict):
        numbers = result["metrics"]
    else:
        rows = run.metrics()
        numbers = {key: number(text) for key, text in rows[-1].items()} if rows else {}
    return {key: float(value) for key, value in numbers.items() if isinstance(value, int | float) and math.isfinite(value)}


def _document(run: Run) -> Document | None:
    """What a finished run found; None of runs that leave no rows, and of one that was stopped: its results, if any, are of one before."""
    if run.config.get("status") != "done" or not (run.path / document.FILE).is_file():
        return None
    return document.read(run.path)


def _tests(rows: Sequence[ComparedRow], documents: Mapping[str, Document]) -> list[Comparison]:
    """A paired test on each metric that is shown; of two rows the later minus the earlier: what it gains over it."""
    comparisons = []
    for (j, b), (i, a) in itertools.combinations(enumerate(rows), 2):
        results = documents[a.run]
        if a.command != b.command or any(a.row.config.get(key) != b.row.config.get(key) for key in results.alike):
            continue
        for metric in results.shown:
            test = paired_rows(a.row, b.row, metric)
            if test is not None:
                comparisons.append(Comparison(i, j, "", metric, test.difference, test.ci95, test.p, test.n))
    return comparisons


def _weights_names(compared: Compared) -> dict[str, str]:
    """Short names of all weights."""
    of_rows = [row.row.config[WEIGHTS] for row in compared.rows if WEIGHTS in row.row.config]
    return weights_names([*map(str, of_rows), *(one.weights.name for one in compared.weights)])


def _runs_table(command: str, runs: Sequence[ComparedRun]) -> Table:
    settings = list(dict.fromkeys(key for run in runs for key in run.settings))
    metrics = list(dict.fromkeys(key for run in runs for key in run.metrics))
    body = []
    for run in runs:
        settings_cells = [_text(run.settings.get(key)) for key in settings]
        metric_cells = [_number(key, run.metrics.get(key)) for key in metrics]
        body.append([_label(run.run, run.synthetic), run.data, run.status, *settings_cells, *metric_cells])
    return Table(command, ["run", "data", "status", *(key.replace("_", " ") for key in settings), *metrics], body)


def _rows_table(compared: Compared, here: Sequence[int], names: Mapping[str, str]) -> Table:
    """The rows of one command, those that are alike together, so that the runs stand side by side."""
    first = _first(compared, here)
    order = list(dict.fromkeys(_alike(compared.rows[i].row, first) for i in here))
    together = sorted(here, key=lambda i: order.index(_alike(compared.rows[i].row, first)))
    keys = [key for key in _keys(compared, here) if key in first.named or _varies(compared, here, key)]
    synthetic = {run.run: run.synthetic for run in compared.runs}
    body = []
    for i in together:
        row = compared.rows[i].row
        metric_cells = [rate(row.metrics.get(metric)) for metric in first.shown]
        if row.error:
            metric_cells[0] = f"not run: {row.error}"
        settings_cells = [_setting(key, row.config.get(key), names) for key in keys]
        body.append([*settings_cells, _label(compared.rows[i].run, synthetic[compared.rows[i].run]), *metric_cells])
    header = [*(key.replace("_", " ") for key in keys), "run", *first.shown]
    judged = any(enough(metric) for i in here for metric in compared.rows[i].row.metrics.values())
    return Table(f"Rows of {first.command}, per cent{', mean ± half of the 95 % interval' if judged else ''}", header, body)


def _tests_table(compared: Compared, here: Sequence[int], tests: Sequence[Comparison], names: Mapping[str, str]) -> Table:
    """A line for every two rows, a column a metric."""
    first, labels = _first(compared, here), _labels(compared, here, names)
    cells: dict[tuple[int, int], dict[str, str]] = {}
    seeds: dict[tuple[int, int], int] = {}
    for test in tests:
        half = test.ci95 if test.n >= ENOUGH else None
        p = "" if test.p is None or half is None else f" (p {p_value(test.p)})"
        cells.setdefault((test.a, test.b), {})[test.metric] = points(test.difference, half) + p
        seeds[test.a, test.b] = max(test.n, seeds.get((test.a, test.b), 0))
    body = []
    for (a, b), line in cells.items():
        alike = [_setting(key, compared.rows[a].row.config.get(key), names) for key in first.alike]
        body.append([*alike, labels[a], labels[b], *(line.get(metric, "–") for metric in first.shown), str(seeds[a, b])])
    header = [*(key.replace("_", " ") for key in first.alike), "a", "b", *first.shown, "seeds"]
    return Table(f"{first.command}: a − b in points, paired t-tests on the same splits (p not corrected for their number)", header, body)


def _first(compared: Compared, here: Sequence[int]) -> Document:
    """The document of the first of the rows: all of one command name, show and compare their rows in one way."""
    return compared.documents[compared.rows[here[0]].run]


def _keys(compared: Compared, here: Iterable[int]) -> list[str]:
    """The settings of the rows, those that name them first."""
    rows = list(here)
    named = [key for key in _first(compared, rows).named if any(key in compared.rows[i].row.config for i in rows)]
    return list(dict.fromkeys([*named, *(key for i in rows for key in compared.rows[i].row.config)]))


def _varies(compared: Compared, here: Iterable[int], key: str) -> bool:
    return len({compared.rows[i].row.config.get(key) for i in here}) > 1


def _labels(compared: Compared, here: Sequence[int], names: Mapping[str, str]) -> dict[int, str]:
    """A name for each row among those it is alike: the run and what names the row, with as many settings more as tell all apart."""
    first = _first(compared, here)
    shown = [key for key in _keys(compared, here) if key in first.named and key not in first.alike]
    more = [key for key in _keys(compared, here) if key not in (*first.named, *first.alike)]

    def _label_of(i: int) -> str:
        words = ", ".join(_setting(key, compared.rows[i].row.config.get(key), names) for key in shown)
        return f"{compared.rows[i].run}: {words}" if words else compared.rows[i].run

    while more:
        groups: dict[tuple[str, str], list[int]] = {}
        for i in here:
            groups.setdefault((_alike(compared.rows[i].row, first), _label_of(i)), []).append(i)
        useful = [key for key in more if any(_varies(compared, group, key) for group in groups.values())]
        if not useful:
            break
        shown.append(useful[0])
        more.remove(useful[0])
    return {i: _label_of(i) for i in here}


def _alike(row: Row, first: Document) -> str:
    """The settings in which rows that are compared are equal, as text; the command where there are none."""
    parts = {key: row.config.get(key) for key in first.alike}
    words = [_value(value) if isinstance(value, str) else f"{_value(value)} {key.replace('_', ' ')}" for key, value in parts.items()]
    return ", ".join(words) or first.command


def _setting(key: str, value: Value, names: Mapping[str, str]) -> str:
    return names[str(value)] if key == WEIGHTS and str(value) in names else _value(value)


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def _label(name: str, synthetic: bool) -> str:
    return f"{name} (synthetic)" if synthetic else name


def _text(value: Json) -> str:
    """An argument."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def _number(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if key in SHARES else f"{value:.4g}"
