"""Trials over seeds → rows of a table, with intervals; and rows against rows, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repr.catalog.splits import SHARE
from repr.classify.trials import RATES
from repr.evaluation.statistics import interval, paired

GROUP = ("model", "modality", "level", "hierarchy", "masked", "part", "weights", "text_encoder", "fine_share", "weak", "balanced", "adjust")
TRAINED = ("fine_share", "weak", "balanced", "adjust")  # alike in rows that are compared
COUNTED = {
    "untrained": "of a class without training rows",
    "no_text": "without any text",
    "unknown_text": "without a known word",
    "no_image": "without a readable image",
}
MEANS = (*RATES, "seconds", "fit_seconds", "hP", "hR", "hF", "mistake_height", "top1_path")


def summarise(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for the trials of one model, modality, level and hierarchy: means over the seeds, `ci95` half widths, `values`."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for trial in trials:
        groups.setdefault(tuple(trial.get(name) for name in GROUP), []).append(trial)
    return [_row(members) for members in groups.values()]


def _row(trials: list[dict[str, Any]]) -> dict[str, Any]:
    ran = [trial for trial in trials if trial["top1"] is not None]
    note = "; ".join(dict.fromkeys(trial["note"] for trial in trials if trial.get("note")))
    trials = ran or trials  # a seed that could not be run is in the note
    first = trials[0]
    row = {name: first.get(name) for name in ("model", "modality", "level", "hierarchy")}
    redrawn = _redrawn(first)
    intervals = {
        name: interval([trial.get(name) for trial in trials], redrawn=redrawn) for name in MEANS if any(name in trial for trial in trials)
    }
    row |= {name: found.mean if found else None for name, found in intervals.items()}
    row["ci95"] = {name: found.ci95 if found else None for name, found in intervals.items()}
    row["values"] = {"top1": [trial.get("top1") for trial in trials]}
    row["seeds"] = [trial["seed"] for trial in trials]
    row["note"] = note
    row["missing"] = _means([trial.get("missing") or {} for trial in trials])
    row["buckets"] = _buckets([trial.get("buckets") or {} for trial in trials])
    row["folders"] = [trial["folder"] for trial in trials if trial.get("folder")]
    kept = (*GROUP[4:], "start", "preset", "split", "classes", "train", "held_out", "test", *COUNTED, "synthetic")
    return row | {name: first[name] for name in kept if name in first}


def _redrawn(row: dict[str, Any]) -> float:
    """Test over training rows of the split where every seed divides the same rows anew; 0 where it is the data's own.

    See `half_width`. A limit or a share of fine labels makes the training rows fewer, not the splits more alike.
    """
    return SHARE / (1 - SHARE) if row.get("split", "own") != "own" else 0.0


def _means(found: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in found for name in one)
    return {name: sum(one[name] for one in found if name in one) / sum(name in one for one in found) for name in names}


def _buckets(found: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    names = dict.fromkeys(name for one in found for name in one)
    return {name: _means([one[name] for one in found if name in one]) for name in names}


def comparisons(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every image + text row against every row of one modality on the same level and texts: the difference of top-1, paired by seed."""
    found = []
    for a in rows:
        for b in rows:
            seen = ["masked"] if "text" in b["modality"] else ["weights"]
            ocr = "text" not in b["modality"] or ("+ocr" in a["modality"]) == ("+ocr" in b["modality"])
            alike = all(a.get(name) == b.get(name) for name in ("level", "seeds", "hierarchy", "part", *TRAINED, *seen))
            if "+text" in a["modality"] and "+text" not in b["modality"] and alike and ocr:
                found += _compared(a, b)
    return found


def against_flat(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every hierarchical row against the flat one on the same features and level."""
    found = []
    for a in rows:
        for b in rows:
            same = ("level", "seeds", "model", "modality", "masked", "part", "weights", "text_encoder", *TRAINED)
            alike = all(a.get(name) == b.get(name) for name in same)
            if b["hierarchy"] == "flat" and a["hierarchy"] not in ("", "flat") and alike:
                found += _compared(a, b)
    return found


def _compared(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    ours, theirs = a["values"]["top1"], b["values"]["top1"]
    if None in ours or None in theirs:
        return []
    result = paired(ours, theirs, redrawn=_redrawn(a))
    rows = {"a": name(a), "b": name(b), "level": a["level"], "part": a.get("part") or "", "masked": a.get("masked")}
    return [rows | {"difference": result.difference, "ci95": result.ci95, "p": result.p, "n": result.n}]


def left_out(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each reason why rows were not run: "Not run: vgg19 (3 rows), resnet50: no weights"."""
    reasons: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["top1"] is None:
            members = reasons.setdefault(row["note"].removeprefix("not run: "), {})
            members[row["model"]] = members.get(row["model"], 0) + 1
    listed = {why: ", ".join(model + (f" ({n} rows)" if n > 1 else "") for model, n in members.items()) for why, members in reasons.items()}
    return [f"Not run: {models}: {why}" for why, models in listed.items()]


def name(row: dict[str, Any]) -> str:
    """A row's model, weights, hierarchy and treatment of the long tail in a few words."""
    share = row.get("fine_share", 1)
    weak = f"{100 * share:g} % {row['weak']}" if share < 1 else ""
    words = [row["model"], row.get("start", row.get("weights")), row["hierarchy"], weak, "balanced" if row.get("balanced") else ""]
    return " ".join(filter(None, [*words, f"adjusted {row['adjust']:g}" if row.get("adjust") else ""]))


def title(row: dict[str, Any]) -> str:
    """A row's name, what it reads where that is not told by it, and the part it is of: no two rows of a run have the same on one level."""
    ocr = " + OCR" if "+ocr" in (row.get("modality") or "") else ""
    return name(row) + ocr + (" (masked)" if row.get("masked") else "") + (f", {row['part']}" if row.get("part") else "")


def _range(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def caption(rows: Sequence[dict[str, Any]]) -> str:
    """What the numbers are: unit, averages, seeds, what was left out."""
    first = next((row for row in rows if row["top1"] is not None), None)
    if first is None:
        return "No row was run."
    seeds = len(first["seeds"])
    vary = "split and start vary; widened for splits of the same rows" if _redrawn(first) else "the start varies, the test rows do not"
    over = f"Means over {seeds} seeds, ± half of the 95 % interval ({vary}). " if seeds > 1 else "One seed. "
    synthetic = "Synthetic images and titles: an illustration. " if first.get("synthetic") else ""
    done = [row for row in rows if row["top1"] is not None]
    train, test = (_range([row[part] for row in done]) for part in ("train", "test"))
    held = " (a tenth held out for the temperature)" if first["held_out"] else ", the temperature from the data's own validation part"
    sizes = f"{train} training rows{held}, {test} test rows, split {first['split']}, preset {first['preset']}"
    counts = {words: max(row.get(name) or 0 for row in done) for name, words in COUNTED.items()}
    sizes += "".join(f"; up to {count:,} of these {words}" for words, count in counts.items() if count)
    averages = "AP micro: all scores in one list; AP macro: mean over classes. ECE after temperature scaling."
    return f"{synthetic}Per cent. {over}{averages} Seconds leave out what was kept from earlier rows. {sizes}."
