"""Which figures of the docs stand in no stored result: every "52.1 ± 0.5" and "+1.2 ± 0.4" of a page, against results/*.json.

    python tools/experiments/traced.py                     README.md, results.md, experiments.md and checkout.md
    python tools/experiments/traced.py docs/results.md

A figure is traced when a metric of a stored row, or a stored comparison of two rows, is printed so; a difference may also be that of two
stored rows of the same data and seeds that differ in at most two of TOLD. Where a page says "6.4 ± 2.8 points above", the sign is in its
words.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import stored
from scipy import stats
from stored import Experiment

from repr.evaluation.words import percent, points
from repr.experiments.document import Row

ROOT = Path(__file__).parents[2]
PAGES = tuple(ROOT / page for page in ("README.md", "docs/results.md", "docs/experiments.md", "docs/checkout.md"))
FIGURE = re.compile(r"[+−]?\d+\.\d ± \d+\.\d")
TOLD = ("learner", "weights", "features", "size", "crops", "shots")  # of a row's config
PAIRED = ("acc_all", "acc_base", "acc_novel", "forgetting_base")


@click.command()
@click.argument("pages", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(pages: tuple[Path, ...]) -> None:
    """Print the figures of PAGE… that no stored result holds, with the words around them."""
    experiments = stored.read_all()
    known = figures(experiments) | differences(experiments)
    for page in pages or PAGES:
        for place, words in untraced(page.read_text(encoding="utf-8"), known):
            click.echo(f"{page.name}, line {place}: {words}")


def untraced(text: str, known: set[str]) -> list[tuple[int, str]]:
    """Line and surroundings of each figure of a page that is not among the known."""
    places = []
    for match in FIGURE.finditer(text):
        if match[0].replace("−", "-") not in known:
            around = text[max(0, match.start() - 50) : match.end() + 10].replace("\n", " ")
            places.append((text.count("\n", 0, match.start()) + 1, around))
    return places


def figures(experiments: Sequence[Experiment]) -> set[str]:
    """Every stored metric and every stored comparison as pages print them; a comparison from both sides, with and without its sign."""
    texts = {percent(metric.mean, metric.ci95) for _, row in _rows(experiments) for metric in row.metrics.values()}
    for experiment in experiments:
        documents = [step.found for step in experiment.steps if step.found]
        tests = [test for document in documents for test in document.comparisons]
        tests += [test for against in experiment.compared for test in against.tests]
        texts |= {words for test in tests for words in _both_ways(points(test.difference, test.ci95))}
    return texts


def differences(experiments: Sequence[Experiment]) -> set[str]:
    """The differences of any two stored rows of the same data and seeds that are alike but for two of TOLD, as `figures`."""
    groups: dict[tuple[str, tuple[int, ...]], list[Row]] = defaultdict(list)
    for data, row in _rows(experiments):
        groups[data, row.seeds].append(row)
    texts: set[str] = set()
    for (_, seeds), rows in groups.items():
        if len(seeds) > 1:
            for metric in PAIRED:
                texts |= {words for pair in _pairs(rows, metric, len(seeds)) for words in _both_ways(pair)}
    return texts


def _rows(experiments: Sequence[Experiment]) -> Iterator[tuple[str, Row]]:
    """Every row that ran, with the name of its data."""
    for results in (step.found for experiment in experiments for step in experiment.steps):
        if results is not None:
            yield from ((results.data, row) for row in results.rows if not row.error)


def _pairs(rows: Sequence[Row], metric: str, n: int) -> Iterator[str]:
    """Each difference of two rows alike enough, once, as `points` has it."""
    known = [row for row in rows if metric in row.metrics and None not in row.metrics[metric].values]
    if not known:
        return
    values = np.array([row.metrics[metric].values for row in known], dtype=float)
    configs = np.array([[hash(row.config.get(name)) for name in TOLD] for row in known])
    width = float(stats.t.ppf(0.975, n - 1)) / math.sqrt(n)
    for i in range(len(known) - 1):
        apart = values[i] - values[i + 1 :]
        means, halves = apart.mean(axis=1), width * apart.std(axis=1, ddof=1)
        alike = (configs[i] != configs[i + 1 :]).sum(axis=1) <= 2
        yield from (points(mean, half) for mean, half in zip(means[alike], halves[alike], strict=True))


def _both_ways(words: str) -> tuple[str, ...]:
    """A difference with either sign, and without one."""
    bare = words.lstrip("+-")
    return bare, f"+{bare}", f"-{bare}"


if __name__ == "__main__":
    main()
