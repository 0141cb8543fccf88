"""From trials to rows, and from rows to comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from repr.evaluation.statistics import Paired, interval, paired
from repr.experiments.document import Comparison, Config, Row, TrialFile
from repr.experiments.trials import NotRun, Trial, Wanted


def summarise(
    config: Config,
    trials: Iterable[tuple[Wanted, Trial | NotRun]],
    *,
    synthetic: bool = False,
    redrawn: float = 0.0,
    error: str = "",
) -> Row:
    """The row of a config: every metric over the seeds, in the order of the trials.

    trials: what `trials.run` gave for the config; seeds that could not be run are left out and told in the note, or, where none could, in
    the error. redrawn: as `Row.redrawn`. error: why the row was not even tried.
    """
    pairs = list(trials)
    ran = [(wanted, trial) for wanted, trial in pairs if isinstance(trial, Trial)]
    reasons = list(dict.fromkeys(str(trial) for _, trial in pairs if isinstance(trial, NotRun)))
    names = dict.fromkeys(name for _, trial in ran for name in trial.metrics)
    metrics = {name: interval([trial.metrics.get(name) for _, trial in ran], redrawn=redrawn) for name in names}
    notes = [*dict.fromkeys(trial.note for _, trial in ran if trial.note), *(f"not run: {reason}" for reason in reasons)]
    return Row(
        config,
        {name: metric for name, metric in metrics.items() if metric is not None},
        tuple(TrialFile(wanted.seed, wanted.split, wanted.file) for wanted, _ in ran),
        synthetic,
        redrawn,
        error or ("" if ran else "; ".join(reasons)),
        "; ".join(notes) if ran else "",
    )


def compared(rows: Sequence[Row], a: int, b: int, metrics: Iterable[str], *, against: str = "") -> list[Comparison]:
    """Row `a` minus row `b` on each of the metrics that both have, over the seeds with equal splits; without any there is none."""
    tests = {metric: paired_rows(rows[a], rows[b], metric) for metric in metrics}
    return [
        Comparison(a, b, against, metric, test.difference, test.ci95, test.p, test.n) for metric, test in tests.items() if test is not None
    ]


def paired_rows(a: Row, b: Row, metric: str) -> Paired | None:
    """The paired test of two rows, of one document or of two; None where they share no seed with one split and a value of the metric."""
    if metric not in a.metrics or metric not in b.metrics:
        return None
    theirs = {(trial.seed, trial.split): value for trial, value in zip(b.trials, b.metrics[metric].values, strict=True)}
    pairs = [
        (ours, other)
        for trial, ours in zip(a.trials, a.metrics[metric].values, strict=True)
        if ours is not None and (other := theirs.get((trial.seed, trial.split))) is not None
    ]
    if not pairs:
        return None
    return paired([x for x, _ in pairs], [y for _, y in pairs], redrawn=max(a.redrawn, b.redrawn))
