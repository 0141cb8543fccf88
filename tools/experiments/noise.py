"""Noise pruning measured: labels of the training part made wrong, what is flagged and dropped, and what that does for the test part.

    python tools/experiments/noise.py DATA/fashion --out tools/experiments/results/noise/fashion.json --seeds 5

A share of the training part's labels is swapped, at random or as an n-gram model confuses the classes out of fold; validation rows are
swapped with them, test rows never. A seed that is in the file already is not computed again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import recorded

from repr.arrays import Floats, Ints
from repr.catalog.sources import open_data
from repr.classify.data import Data, Problem
from repr.classify.fitted import fit
from repr.classify.folds import FOLDS, divide, out_of_fold
from repr.classify.noise import flag
from repr.classify.pruning import to_drop
from repr.classify.settings import Settings
from repr.evaluation.statistics import interval
from repr.files import write_json
from repr.records import Json

SHARE = 0.1  # of the labels that are swapped
DROPS = ("none", "tenth", "flagged")
Figures = dict[str, float]


def swapped(problem: Problem, kind: str, confusion: Floats, rng: np.random.Generator) -> Ints:
    """(catalog rows,) the labels, a share of the training part's swapped. confusion: (c, c) how often each class is taken for another."""
    labels, part = problem.labels.copy(), problem.training_part
    classes = len(problem.names)
    for row in rng.permutation(part)[: round(SHARE * len(part))]:
        own = labels[row]
        weights = np.ones(classes) if kind == "random" or not confusion[own].any() else confusion[own].copy()
        weights[own] = 0
        labels[row] = rng.choice(classes, p=weights / weights.sum())
    return labels


def of_seed(data: Data, settings: Settings, kind: str) -> Figures:
    """Precision and recall of what is flagged and dropped, and test accuracy and macro-F1 with what is left, fractions."""
    problem = data.problem(settings.level, seed=settings.seed)
    rng = np.random.default_rng([settings.seed, 9])
    fold = divide(problem, data.titles, FOLDS, settings.seed)
    clean = out_of_fold(data, settings, problem, fold).probabilities.argmax(axis=1)
    confusion = np.zeros((len(problem.names),) * 2, np.float32)
    np.add.at(confusion, (problem.labels[problem.train], clean), 1)
    np.fill_diagonal(confusion, 0)
    noisy = replace(problem, labels=swapped(problem, kind, confusion, rng))
    wrong = noisy.labels[noisy.train] != problem.labels[noisy.train]
    predicted = out_of_fold(data, settings, noisy, fold)
    order = flag(noisy.labels[noisy.train], predicted.probabilities, predicted.taught)
    figures = accuracy(data, settings, problem, problem, "clean")
    for drop in DROPS:
        dropped = order[: to_drop(drop, len(order))] if drop != "none" else order[:0]
        remaining = np.setdiff1d(np.arange(len(noisy.train)), dropped)
        figures |= accuracy(data, settings, replace(noisy, train=noisy.train[remaining]), problem, drop)
        if len(dropped):
            figures |= {f"{drop}/precision": float(wrong[dropped].mean()), f"{drop}/recall": float(wrong[dropped].sum() / wrong.sum())}
            figures |= {f"{drop}/share": len(dropped) / len(noisy.train)}
    return figures


def accuracy(data: Data, settings: Settings, taught: Problem, truth: Problem, name: str) -> Figures:
    """Of a model that was taught one problem, on the test rows of the other."""
    model = fit(data, settings, taught)
    right = model.probabilities(data, truth.test).argmax(axis=1) == truth.labels[truth.test]
    return {f"{name}/top1": float(right.mean())}


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", default=5, show_default=True)
@click.option("--level", default=2, show_default=True)
@click.option("--kinds", default="random,confusable", show_default=True)
def main(source: Path, out: Path, seeds: int, level: int, kinds: str) -> None:
    """Measure, and write the figures of every seed with means and intervals."""
    options: dict[str, Json] = {"level": level}
    figures = recorded.of_seeds(out, options)
    for seed in range(seeds):
        data: Data | None = None
        for kind in kinds.split(","):
            if f"{kind}/{seed}" not in figures:
                data = data or Data(open_data([source], split="grouped", seed=seed), mask=True)
                figures[f"{kind}/{seed}"] = of_seed(data, Settings(model="ngram", level=level, seed=seed, mask=True), kind)
                write_json(out, {**recorded.about(), "options": options, "share": SHARE, "seeds": figures, "summary": summary(figures)})


def summary(of_trials: dict[str, Figures]) -> dict[str, dict[str, list[float | None]]]:
    """By kind and figure: the mean over the seeds and half its 95 % interval, widened for splits that share rows."""
    summaries: dict[str, dict[str, list[float | None]]] = {}
    for kind in dict.fromkeys(name.split("/")[0] for name in of_trials):
        rows = [figures for name, figures in of_trials.items() if name.startswith(f"{kind}/")]
        for name in rows[0]:
            metric = interval([row[name] for row in rows], redrawn=0.25)
            assert metric is not None
            summaries.setdefault(kind, {})[name] = [metric.mean, metric.ci95]
    return summaries


if __name__ == "__main__":
    main()
