"""A run's results as text: Table 9's rows side by side, what could not be run, and the paired tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from repr.crops import WHOLE, suffix, typed
from repr.evaluation.words import p_value, points, rate
from repr.models.names import weights_names
from repr.tables import table

COLUMNS = {"acc_all": "all", "acc_base": "base", "acc_novel": "novel", "harmonic_mean": "harmonic"}
# Zhang et al., MEP-3M, Pattern Recognition 140 (2023) 109519, Table 9: accuracy over all and over novel products, per cent.
PAPER = {"without pretraining": (59.63, 52.05), "with MEP-for-RPC": (64.40, 64.01)}
RPC = {"base": 166, "novel": 34}
# What every row is measured against, by `against` of a paired test, as a column and as a caption says it.
AGAINST = {"joint": ("joint", "joint training from the same start"), "imagenet": ("linear", "linear on imagenet as it came")}


def lines(content: Mapping[str, Any]) -> list[str]:
    """The lines to print. content: the object of results.json."""
    rows = content["rows"]
    first = rows[0]
    synthetic = " [synthetic: an illustration]" if content["synthetic"] else ""
    products, tests = content["products"], content["tests"]
    seeds = len(content["seeds"])
    names = weights_names(row["weights"] for row in rows)
    out = [
        f"{content['data']}{synthetic}: {products['base']} base and {products['novel']} novel products, shots from {first['shots_from']}, "
        f"tested on {first['test_on']} ({tests['base']:,} base and {tests['novel']:,} novel images), {seeds} seed{'s' * (seeds > 1)}.",
        "Accuracy over all products, per cent; " + ("± half the 95 % interval of the mean." if seeds > 1 else "one seed, so no interval."),
        "",
        _table(rows, names, synthetic=bool(content["synthetic"])),
    ]
    failed = {row["weights"]: row["error"] for row in rows if row["error"]}
    out += ["", *(f"{name} could not be run: {error}" for name, error in failed.items())] if failed else []
    out += [f"Note: {note}." for note in content["notes"]]
    out += _rejection(rows)
    tested = _tests(content["paired"], names)
    out += ["", "Same splits, difference in points (paired t-test):", *tested] if tested else []
    caption, header, body = references(content["paired"], names.__getitem__)
    out += ["", f"{caption}:", table(header, body)] if body else []
    if {kind: products[kind] for kind in RPC} == RPC and content["supercategories"] == 17:
        told = "; ".join(f"{name} {a:.2f} all, {b:.2f} novel" for name, (a, b) in PAPER.items())
        out += ["", f"The MEP-3M paper's Table 9, its own figures on RPC, one seed, other images and settings: {told}."]
    return out


def best_row(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The row with the most shots and then the highest harmonic mean: the one that is looked at closely. It chooses nothing else."""
    ran = [i for i, row in enumerate(rows) if row["harmonic_mean"]]
    return max(ran, key=lambda i: (rows[i]["shots"], rows[i]["harmonic_mean"]["mean"]), default=None)


def references(paired: Sequence[Mapping[str, Any]], name: Callable[[str | None], str]) -> tuple[str, list[str], list[list[str]]]:
    """Caption, header and body of a table: a line a row, its differences on base, novel and all to each of AGAINST that was run.

    name: the starting weights in words. Without intervals, of a single seed, there is no line.
    """
    lines: dict[tuple[Any, ...], dict[tuple[str, str], str]] = {}
    for test in paired:
        if test.get("against") in AGAINST and test["p"] is not None:
            key = (test["learner"], test["shots"], test["a"], test["a_features"] + suffix(test.get("a_crops", WHOLE)))
            lines.setdefault(key, {})[test["against"], test["metric"]] = points(test["difference"], test["ci95"])
    shown = [against for against in AGAINST if any(against == of for line in lines.values() for of, _ in line)]
    columns = [(against, metric) for against in shown for metric in ("acc_base", "acc_novel", "acc_all")]
    header = ["learner", "shots", "weights", "encoder", *(f"{COLUMNS[metric]} − {AGAINST[against][0]}" for against, metric in columns)]
    body = [
        [learner, str(shots), name(spec), features, *(line.get(column, "–") for column in columns)]
        for (learner, shots, spec, features), line in lines.items()
    ]
    looks = {test["against"]: suffix(test.get("b_crops", WHOLE)) for test in paired if "against" in test}
    caption = " and above ".join(AGAINST[against][1] + looks[against] for against in shown)
    caption = f"Same splits, points above {caption} (± half the 95 % interval)"
    return caption, header, body


def memory(row: Mapping[str, Any]) -> str:
    """How many images the learner may keep; "" for one that keeps the encoder as it is, and in results from before it was told."""
    return "" if row.get("memory") is None else f"{row['memory']:,}"


def crops_text(row: Mapping[str, Any]) -> str:
    """The crops of a row, as they are typed; runs of before 2026-11-26 have none."""
    return typed(row.get("crops", WHOLE))


def _table(rows: list[dict[str, Any]], names: Mapping[str | None, str], *, synthetic: bool) -> str:
    shots = len({row["shots"] for row in rows}) > 1
    sizes = len({row["size"] for row in rows if not row["error"]}) > 1
    crops = any(crops_text(row) != typed(WHOLE) for row in rows if not row["error"])
    kept = any(memory(row) for row in rows)
    header = [
        "learner",
        *(["shots"] if shots else []),
        "weights",
        "encoder",
        *(["px"] if sizes else []),
        *(["crops"] if crops else []),
        *(["memory"] if kept else []),
        *COLUMNS.values(),
        *(["data"] if synthetic else []),
    ]
    body = []
    for row in rows:
        known = [row["learner"], *([str(row["shots"])] if shots else []), names[row["weights"]], row["features"]]
        known += [str(row["size"])] if sizes else []
        known += [crops_text(row)] if crops else []
        known += [memory(row) or "–"] if kept else []
        figures = ["not run"] + [""] * (len(COLUMNS) - 1) if row["error"] else [rate(row[name]) for name in COLUMNS]
        body.append(known + figures + (["synthetic"] if synthetic else []))
    return table(header, body)


def _rejection(rows: list[dict[str, Any]]) -> list[str]:
    """A line on what the threshold of the best row does, in a run with --reject."""
    best = best_row(rows)
    if best is None or not rows[best].get("rejected_known"):
        return []
    row = rows[best]
    unknown = f", {rate(row['accepted_unknown'])} of unknown ones accepted" if row["accepted_unknown"] else ""
    return [
        f"Rejection by {row['learner']} from {row['weights'] or 'none'} below {row['reject_threshold']['mean']:.3g}, per cent: "
        f"known images rejected {rate(row['rejected_known'])}, of those accepted {rate(row['acc_accepted'])} named rightly{unknown}."
    ]


def _tests(paired: list[dict[str, Any]], names: Mapping[str | None, str]) -> list[str]:
    """One line a pair of starts: all and novel, where there is a test."""
    paired = [test for test in paired if test.get("against", "start") == "start"]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for test in paired:
        if test["metric"] in ("acc_all", "acc_novel") and test["p"] is not None:
            key = (test["learner"], test["shots"], test["a"], test["a_features"], test["b"], test["b_features"])
            groups.setdefault(key, []).append(test)
    return [
        f"  {key[0]}, {key[1]} shots, {names[key[2]]} ({key[3]}) against {names[key[4]]} ({key[5]}): "
        + ", ".join(f"{COLUMNS[t['metric']]} {points(t['difference'], t['ci95'])} (p {p_value(t['p'])})" for t in tests)
        for key, tests in groups.items()
    ]
