"""Table 6 as the paper prints it: a row a kind of features, a column a net, the change over the flat one in brackets, and its mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from repr.classify.summary import ClassifyRow, title
from repr.evaluation.words import NONE

BASELINE = "flat"
Points = Mapping[str, Mapping[str, float]]  # features → net → top-1 in per cent


def improvements(
    rows: Sequence[ClassifyRow], papers: Sequence[float | None], weights: Mapping[str, str]
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Caption, header and cells of ours and, where it has any of these rows, of the paper's.

    rows: of the table; those on the coarsest level that was run, with all fine labels known, count. papers: what the paper prints of each
    row, a fraction. weights: short names (`weights_names`). The mean is over the features that have both the net and the flat one.
    """
    level = min((row.config.level for row in rows), default=1)
    ours: dict[str, dict[str, float]] = {}
    theirs: dict[str, dict[str, float]] = {}
    for row, paper in zip(rows, papers, strict=True):
        config = row.config
        if config.level != level or config.fine_share < 1:
            continue
        mean = row.mean("top1")
        if mean is not None:
            ours.setdefault(title(replace(config, hierarchy=""), weights), {})[config.hierarchy] = 100 * mean
        if paper is not None:
            theirs.setdefault(config.model, {})[config.hierarchy] = 100 * paper
    tables = [(f"Ours, level {level}, top-1 in per cent (change over the flat net, in points).", ours), ("The paper's.", theirs)]
    return [(caption, *_table(points)) for caption, points in tables if points]


def _table(points: Points) -> tuple[list[str], list[list[str]]]:
    """Header and cells."""
    nets = list(dict.fromkeys(net for rates in points.values() for net in rates if net != BASELINE))
    cells = [[name, _number(rates.get(BASELINE)), *(_changed(rates, net) for net in nets)] for name, rates in points.items()]
    changes = {net: [rates[net] - rates[BASELINE] for rates in points.values() if net in rates and BASELINE in rates] for net in nets}
    means = [f"{sum(rates) / len(rates):+.2f}" if rates else NONE for rates in changes.values()]
    return ["features", "baseline", *nets], [*cells, ["average improvement", "", *means]]


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _changed(rates: Mapping[str, float], net: str) -> str:
    change = f" ({rates[net] - rates[BASELINE]:+.2f})" if net in rates and BASELINE in rates else ""
    return _number(rates.get(net)) + change
