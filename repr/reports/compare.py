"""Runs side by side: what they were told differently, what came out, and paired tests where two rows share their splits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repr.crops import WHOLE
from repr.errors import UserError
from repr.evaluation.statistics import paired
from repr.evaluation.words import p_value, points, rate
from repr.files import read_json
from repr.models.names import apart, weights_names
from repr.models.provenance import Provenance
from repr.reports.page import Page
from repr.reports.starts import CAPTION, HEADER, starts_rows
from repr.reports.training_report import SHARES, WEIGHTS, number
from repr.runs import Run

TRANSFER, EVALUATE, CLASSIFY = "rpc_transfer run", "repr evaluate", "repr classify"
MEASURES = ("acc_all", "acc_base", "acc_novel", "harmonic_mean")
RATES = ("knn_top1", "linear_top1", "recall@1", "map@r", "top1", "f1_macro")  # of evaluations and classifications
SHOWN = ("acc_all", "acc_novel")  # of the tests; the others are in the JSON
# Where results were put and what they ran on is not what makes two runs differ.
NOT_SETTINGS = frozenset({"out", "device", "devices", "workers", "json", "as_json", "config", "resume", "pixels"})
# Rows of a transfer run are told apart by these; one that never varies is left out of the table.
ROW_KEYS = (
    *("learner", "weights", "features", "shots", "base_shots", "shots_from", "test_on", "increments", "memory"),
    *("arch", "size", "crops"),
)


@dataclass(frozen=True)
class Table:
    """A table to print or to put on a page: cells are text."""

    title: str
    header: list[str]
    rows: list[list[str]]


def compare(paths: Sequence[Path]) -> dict[str, Any]:
    """Read run folders and put them side by side.

    Returns {"runs": [{"run", "command", "data", "synthetic", "status", "created", "settings", "metrics", "history"}], "rows": [...],
    "starts": [...], "measured": [{"run", "command", "row", measures…}], "tests": [...]}: `settings` holds the options, as resolved,
    that differ among runs of one command; `history` how the weights that a run made came about, line by line; `rows` the rows of
    the transfer runs with "run" added; `starts` what their weights tell, "run" added; `measured` the rows of evaluations and
    classifications, a few measures of each, fractions 0-1; `tests` a paired t-test for every two transfer rows with the same
    learner, shots and splits: {"learner", "shots", "a", "b", "metric", "difference" (a - b, a fraction), "ci95", "p", "n"}.
    Raises UserError when a folder is no run, or when fewer than two are given.
    """
    if len(paths) < 2:
        raise UserError("one run alone cannot be compared", paths[0] if paths else "", "Give two run folders or more")
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise UserError("the same run is given twice", "", "Give each run folder once")
    runs = [Run.open(Path(path)) for path in paths]
    named = list(zip(runs, _names(runs), strict=True))
    described = []
    for run, name in named:
        alike = [other for other in runs if other.config["command"] == run.config["command"]]
        settings = run.settings
        differing = {key: settings[key] for key in settings if key not in NOT_SETTINGS and _differs(key, alike)}
        kept = {key: value for key, value in run.config.items() if key in ("command", "data", "synthetic", "status", "created")}
        described.append({"run": name, **kept, "settings": differing, "metrics": _metrics(run), "history": _history(run)})
    rows = [{"run": name, **row} for run, name in named for row in _transfer_rows(run)]
    starts = [{"run": name, **start} for run, name in named for start in _results(run).get("starts", ())]
    splits = {name: _split(run) for run, name in named if run.config["command"] == TRANSFER}
    measured = [{"run": name, "command": run.config["command"], **row} for run, name in named for row in _measured(run)]
    return {"runs": described, "rows": rows, "starts": starts, "measured": measured, "tests": _tests(rows, splits)}


def tables(compared: dict[str, Any]) -> list[Table]:
    """The comparison as tables: the runs of each command and its rows, the transfer rows (same learner together), the paired tests."""
    found = []
    for command in dict.fromkeys(run["command"] for run in compared["runs"]):
        runs = [run for run in compared["runs"] if run["command"] == command]
        settings = list(dict.fromkeys(key for run in runs for key in run["settings"]))
        metrics = list(dict.fromkeys(key for run in runs for key in run["metrics"]))
        body = []
        for run in runs:
            told = [_text(run["settings"].get(key)) for key in settings]
            came = [_measure(key, run["metrics"].get(key)) for key in metrics]
            body.append([_label(run["run"], run["synthetic"]), run["data"], run["status"], *told, *came])
        found.append(Table(command, ["run", "data", "status", *(key.replace("_", " ") for key in settings), *metrics], body))
        measured = [row for row in compared["measured"] if row["command"] == command]
        if measured:
            keys = [key for key in measured[0] if key not in ("run", "command", "row")]
            synthetic = {run["run"]: run["synthetic"] for run in runs}
            cells = [
                [_label(row["run"], synthetic[row["run"]]), row["row"], *(_measure(key, row[key]) for key in keys)] for row in measured
            ]
            found.append(Table(f"Rows of {command}", ["run", "row", *keys], cells))
    if histories := [[run["run"], line] for run in compared["runs"] for line in run["history"]]:
        found.append(Table("How the weights came about", ["run", "step by step"], histories))
    rows = compared["rows"]
    if rows:
        found.append(_row_table(rows, {run["run"]: run["synthetic"] for run in compared["runs"]}))
    if compared["starts"]:
        runs_of: dict[tuple[str, ...], list[str]] = {}
        lines = starts_rows(compared["starts"], weights_names(row["weights"] for row in rows))
        for start, line in zip(compared["starts"], lines, strict=True):
            runs_of.setdefault(tuple(line), []).append(start["run"])
        found.append(Table(CAPTION, [*HEADER, "in"], [[*line, ", ".join(named)] for line, named in runs_of.items()]))
    if compared["tests"]:
        body = [
            [test["learner"], str(test["shots"]), test["a"], test["b"], test["metric"], points(test["difference"], test["ci95"]),
             p_value(test["p"]), str(test["n"])]
            for test in compared["tests"]
            if test["metric"] in SHOWN
        ]  # fmt: skip
        header = ["learner", "shots", "a", "b", "measure", "a - b, points", "p", "seeds"]
        found.append(Table("Paired t-tests, same splits (p not corrected for their number)", header, body))
    return found


def write_page(compared: dict[str, Any], path: Path) -> Path:
    """The comparison as a self-contained page."""
    from repr.reports.figures import ladder

    page = Page("Runs side by side", any(run["synthetic"] for run in compared["runs"]))
    found = tables(compared)
    for table in found:
        page.section(table.title)
        page.table(table.header, table.rows)
    rows = [row for row in compared["rows"] if row["acc_novel"]]
    if rows:
        page.section("Accuracy on novel products")
        keys = [key for key in ("learner", "shots") if len({str(row[key]) for row in rows}) > 1] or ["learner"]
        groups = list(dict.fromkeys(_row_name(row, keys) for row in rows))
        series: dict[str, list[tuple[float, float] | None]] = {}
        weights = weights_names(row["weights"] for row in rows)
        for row in rows:
            bars = series.setdefault(_side(row, weights), [None] * len(groups))
            bars[groups.index(_row_name(row, keys))] = (100 * row["acc_novel"]["mean"], 100 * (row["acc_novel"]["ci95"] or 0.0))
        page.figure(ladder(groups, series, xlabel="acc_novel, per cent"), "Mean over the seeds with the 95 % interval of the mean.")
    return page.write(path)


def _names(runs: Sequence[Run]) -> list[str]:
    """The folders' names, as far up as is needed to tell them apart."""
    return apart([run.path.resolve() for run in runs])


def _differs(key: str, runs: Iterable[Run]) -> bool:
    values = [run.settings.get(key) for run in runs]
    return any(value != values[0] for value in values)


def _metrics(run: Run) -> dict[str, float]:
    """The numbers of a run's result, or of the last row of its metrics.csv."""
    result = run.config.get("result")
    if isinstance(result, dict) and isinstance(result.get("metrics"), dict):
        given = result["metrics"]
    else:
        rows = run.metrics()
        given = {key: number(text) for key, text in rows[-1].items()} if rows else {}
    return {key: float(value) for key, value in given.items() if isinstance(value, int | float) and math.isfinite(value)}


def _history(run: Run) -> list[str]:
    """How the weights that a run made came about; nothing where it made none."""
    file = run.path / WEIGHTS
    return Provenance.of_file(file).lines() if file.is_file() else []


def _transfer_rows(run: Run) -> list[dict[str, Any]]:
    content = _results(run)
    kept = (*ROW_KEYS, *MEASURES, "synthetic", "error")
    whole = {"crops": list(WHOLE)}  # runs of before 2026-11-26 do not say
    return [{**{key: (whole | row).get(key) for key in kept}, "seeds": content["seeds"]} for row in content.get("rows", ())]


def _results(run: Run) -> dict[str, Any]:
    """What a finished transfer found; nothing of other runs."""
    if run.config["command"] != TRANSFER or not (run.path / "results.json").is_file() or run.config.get("status") != "done":
        return {}  # a stopped run's results, if there are any, are of the run before it
    found: dict[str, Any] = read_json(run.path / "results.json")
    return found


def _measured(run: Run) -> list[dict[str, Any]]:
    """The rows of an evaluation or a classification, a few measures of each."""
    command, result = run.config["command"], run.config.get("result")
    if not isinstance(result, dict):
        return []
    if command == EVALUATE:
        return [
            {
                "row": row["name"],
                **{key: row[key] for key in ("knn_top1", "linear_top1")},
                **{key: row["retrieval"]["micro"][key] for key in ("recall@1", "map@r")},
            }
            for row in result["rows"]
        ]
    if command.startswith(CLASSIFY):
        from repr.classify.summary import title

        rows = result.get("rows", [result])  # a folder of one row, or of all that were asked for
        return [{"row": f"{title(row)}, level {row['level']}", "top1": row["top1"], "f1_macro": row["f1_macro"]} for row in rows]
    return []


def _split(run: Run) -> dict[int, Any]:
    """What must be equal for seed-by-seed pairs: of each seed the products, shots and tests."""
    file = run.path / "split.json"
    if not file.is_file():
        return {}
    split = read_json(file)
    tests = {seed: entry["images"] for entry in split["tests"] for seed in entry["seeds"]}
    fixed = [split["data"], split["base"], split["novel"], split["increments"]]
    return {entry["seed"]: (fixed, entry["images"], tests.get(entry["seed"])) for entry in split["support"]}


def _shown(split: tuple[list[Any], dict[str, list[str]], Any], row: dict[str, Any]) -> tuple[Any, ...]:
    """The part of a seed's split that a row was taught and tested on: fewer shots are the first of more."""
    fixed, support, tests = split
    own = row["base_shots"] if isinstance(row["base_shots"], int) else None  # None: all
    return fixed, {key: names[: own if key in fixed[1] else row["shots"]] for key, names in support.items()}, tests


def _tests(rows: Sequence[dict[str, Any]], splits: dict[str, dict[int, Any]]) -> list[dict[str, Any]]:
    found = []
    weights = weights_names(row["weights"] for row in rows)
    for b, a in itertools.combinations(rows, 2):  # a is the later row: the difference says what it gains over the earlier
        if any(a[key] != b[key] for key in ("learner", "shots", "base_shots")) or not (a["acc_novel"] and b["acc_novel"]):
            continue
        ours, theirs = splits.get(a["run"], {}), splits.get(b["run"], {})
        seeds = [
            seed for seed in a["seeds"]
            if seed in b["seeds"] and seed in ours and seed in theirs and _shown(ours[seed], a) == _shown(theirs[seed], b)
        ]  # fmt: skip
        for measure in MEASURES:
            if not (a[measure] and b[measure]):
                continue
            of_a = dict(zip(a["seeds"], a[measure]["values"], strict=True))
            of_b = dict(zip(b["seeds"], b[measure]["values"], strict=True))
            pairs = [(of_a[seed], of_b[seed]) for seed in seeds if of_a[seed] is not None and of_b[seed] is not None]
            if not pairs:
                continue
            test = paired([x for x, _ in pairs], [y for _, y in pairs])
            sides = {"learner": a["learner"], "shots": a["shots"], "a": _side(a, weights), "b": _side(b, weights), "metric": measure}
            found.append({**sides, "difference": test.difference, "ci95": test.ci95, "p": test.p, "n": test.n})
    return found


def _row_table(rows: Sequence[dict[str, Any]], synthetic: dict[str, bool]) -> Table:
    """The rows with those of one learner and number of shots together, so that the runs stand side by side."""
    order = list(dict.fromkeys((row["shots"], row["learner"]) for row in rows))
    together = sorted(rows, key=lambda row: order.index((row["shots"], row["learner"])))
    keys = [key for key in ROW_KEYS if key in ("learner", "weights") or len({_text(row[key]) for row in rows}) > 1]
    body = []
    weights = weights_names(row["weights"] for row in rows)
    for row in together:
        told = [weights[row["weights"]] if key == "weights" else _text(row[key]) for key in keys]
        came = [f"not run: {row['error']}" if row["error"] and i == 0 else rate(row[measure]) for i, measure in enumerate(MEASURES)]
        body.append([*told, _label(row["run"], synthetic[row["run"]]), *came])
    return Table("Transfer, per cent, mean ± half of the 95 % interval", [*(key.replace("_", " ") for key in keys), "run", *MEASURES], body)


def _side(row: dict[str, Any], weights: dict[str | None, str]) -> str:
    return f"{row['run']}: {weights[row['weights']]}" + (", base-trained" if row["features"] == "base-trained" else "")


def _row_name(row: dict[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{row[key]} shots" if key == "shots" else str(row[key]) for key in keys)


def _label(name: str, synthetic: bool) -> str:
    return f"{name} (synthetic)" if synthetic else name


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return str(value)


def _measure(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if key in SHARES or key in RATES else f"{value:.4g}"
