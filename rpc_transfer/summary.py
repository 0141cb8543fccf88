"""A run's results as text: Table 9's rows side by side, what could not be run, and the paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repr.crops import WHOLE, suffix, typed
from repr.evaluation.words import ENOUGH, p_value, points, rate
from repr.experiments.document import Comparison
from repr.models.names import weights_names
from repr.tables import table
from rpc_transfer.results import AGAINST_JOINT, AGAINST_USUAL, AGAINST_WEIGHTS, About, Results, TransferRow

COLUMNS = {"acc_all": "all", "acc_base": "base", "acc_novel": "novel", "harmonic_mean": "harmonic"}
# Liu et al., MEP-3M, Pattern Recognition 140 (2023) 109519, Table 9: accuracy over all and over novel products, per cent.
PAPER = {"without pretraining": (59.63, 52.05), "with MEP-for-RPC": (64.40, 64.01)}
RUNS = "it does not say of how many runs"
RPC = (166, 34)  # its base and novel products in the paper
# What every row is measured against, by `against` of a comparison, as a column and as a caption says it.
AGAINST = {AGAINST_JOINT: ("joint", "joint training from the same weights"), AGAINST_USUAL: ("linear", "linear on imagenet as it came")}


def lines(results: Results) -> list[str]:
    """The lines to print."""
    rows, about, document = results.rows, results.about, results.document
    first = rows[0].config
    synthetic = " [synthetic: an illustration]" if document.synthetic else ""
    seeds = len(document.seeds)
    names = weights_names(row.config.weights for row in rows)
    out = [
        f"{document.data}{synthetic}: {about.base} base and {about.novel} novel products, shots from {first.shots_from}, tested on "
        f"{first.test_on} ({about.base_tests:,} base and {about.novel_tests:,} novel images), {seeds} seed{'s' * (seeds != 1)}.",
        "Accuracy over all products, per cent; "
        + ("± half the 95 % interval of the mean." if seeds >= ENOUGH else f"no interval, which would need {ENOUGH} seeds or more."),
        "",
        _table(rows, names, synthetic=document.synthetic),
    ]
    failed = {row.config.weights: row.error for row in rows if row.error}
    out += ["", *(f"{name} could not be run: {error}" for name, error in failed.items())] if failed else []
    out += [f"Note: {note}." for note in document.notes]
    out += _rejection(rows)
    tested = _tests(rows, document.comparisons, names)
    out += ["", "Same splits, difference in points (paired t-test):", *tested] if tested else []
    caption, header, body = references(rows, document.comparisons, names)
    out += ["", f"{caption}:", table(header, body)] if body else []
    if is_rpc(about) and about.supercategories == 17:
        figures = "; ".join(f"{name} {a:.2f} all, {b:.2f} novel" for name, (a, b) in PAPER.items())
        out += ["", f"The MEP-3M paper's Table 9, its own figures on RPC ({RUNS}), other images and settings: {figures}."]
    return out


def is_rpc(about: About) -> bool:
    """Whether as many products are taught as in the paper's experiment on RPC."""
    return (about.base, about.novel) == RPC


def best_row(rows: Sequence[TransferRow]) -> TransferRow | None:
    """The row with the most shots and then the highest harmonic mean: the one that is looked at closely. It chooses nothing else."""
    ran = [row for row in rows if "harmonic_mean" in row.metrics]
    return max(ran, key=lambda row: (row.config.shots, row.metrics["harmonic_mean"].mean), default=None)


def references(
    rows: Sequence[TransferRow], comparisons: Sequence[Comparison], names: Mapping[str, str]
) -> tuple[str, list[str], list[list[str]]]:
    """Caption, header and body of a table: a line a row, its differences on base, novel and all to each of AGAINST that was run.

    names: of the weights. Without intervals, of fewer seeds than `ENOUGH`, there is no line.
    """
    cells: dict[int, dict[tuple[str, str], str]] = {}
    crops: dict[str, tuple[float, ...]] = {}
    for test in comparisons:
        if test.against in AGAINST:
            crops[test.against] = rows[test.b].config.crops
            if test.p is not None and test.n >= ENOUGH:
                cells.setdefault(test.a, {})[test.against, test.metric] = points(test.difference, test.ci95)
    shown = [against for against in AGAINST if any(against == other for line in cells.values() for other, _ in line)]
    columns = [(against, metric) for against in shown for metric in ("acc_base", "acc_novel", "acc_all")]
    header = ["learner", "shots", "weights", "encoder", *(f"{COLUMNS[metric]} − {AGAINST[against][0]}" for against, metric in columns)]
    body = []
    for i, line in cells.items():
        config = rows[i].config
        named = [config.learner, str(config.shots), names[config.weights], config.features + suffix(config.crops)]
        body.append([*named, *(line.get(column, "–") for column in columns)])
    caption = " and above ".join(AGAINST[against][1] + suffix(crops[against]) for against in shown)
    return f"Same splits, points above {caption} (± half the 95 % interval)", header, body


def memory(row: TransferRow) -> str:
    """How many images the learner may keep; "" for one that keeps the encoder as it is."""
    return "" if row.config.memory is None else f"{row.config.memory:,}"


def _table(rows: Sequence[TransferRow], names: Mapping[str, str], *, synthetic: bool) -> str:
    ran = [row for row in rows if not row.error]
    shown = {
        "shots": len({row.config.shots for row in rows}) > 1,
        "px": len({row.config.size for row in ran}) > 1,
        "crops": any(row.config.crops != WHOLE for row in ran),
        "memory": any(memory(row) for row in rows),
        "data": synthetic,
    }
    header = ["learner", "shots", "weights", "encoder", "px", "crops", "memory", *COLUMNS.values(), "data"]
    body = []
    for row in rows:
        config = row.config
        known = [
            config.learner,
            str(config.shots),
            names[config.weights],
            config.features,
            str(config.size),
            typed(config.crops),
            memory(row) or "–",
        ]
        figures = ["not run"] + [""] * (len(COLUMNS) - 1) if row.error else [rate(row.metrics.get(name)) for name in COLUMNS]
        body.append([*known, *figures, "synthetic"])
    columns = [i for i, name in enumerate(header) if shown.get(name, True)]
    return table([header[i] for i in columns], [[line[i] for i in columns] for line in body])


def _rejection(rows: Sequence[TransferRow]) -> list[str]:
    """A line on what the threshold of the best row does, in a run that rejects."""
    best = best_row(rows)
    if best is None or "rejected_known" not in best.metrics:
        return []
    metrics = best.metrics
    unknown = f", {rate(metrics['accepted_unknown'])} of unknown ones accepted" if "accepted_unknown" in metrics else ""
    return [
        f"Rejection by {best.config.learner} from {best.config.weights} below {metrics['reject_threshold'].mean:.3g}, per cent: "
        f"known images rejected {rate(metrics['rejected_known'])}, of those accepted {rate(metrics.get('acc_accepted'))} named rightly"
        f"{unknown}."
    ]


def _tests(rows: Sequence[TransferRow], comparisons: Sequence[Comparison], names: Mapping[str, str]) -> list[str]:
    """One line a pair of weights: all and novel, where there is a test."""
    groups: dict[tuple[int, int], list[Comparison]] = {}
    for test in comparisons:
        if test.against == AGAINST_WEIGHTS and test.metric in ("acc_all", "acc_novel") and test.p is not None and test.n >= ENOUGH:
            groups.setdefault((test.a, test.b), []).append(test)
    sentences = []
    for (i, j), tests in groups.items():
        a, b = rows[i].config, rows[j].config
        differences = ", ".join(f"{COLUMNS[t.metric]} {points(t.difference, t.ci95)} (p {p_value(t.p)})" for t in tests)
        sides = f"{names[a.weights]} ({a.features}) against {names[b.weights]} ({b.features})"
        sentences.append(f"  {a.learner}, {a.shots} shots, {sides}: {differences}")
    return sentences
