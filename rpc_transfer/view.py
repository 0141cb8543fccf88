"""A run as its report shows it: short names of the weights, the rows that most tables show, and figures as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from repr.evaluation.statistics import Metric
from repr.evaluation.words import ENOUGH, enough, rate
from repr.models.names import weights_names
from rpc_transfer.results import BASE_TRAINED, NONE, Results, TransferRow
from rpc_transfer.summary import best_row

Interval = tuple[float, float]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class View:
    """A run as the page shows it: its results, and the weights by short names."""

    results: Results

    @cached_property
    def names(self) -> dict[str, str]:
        """Of the weights, no longer than is needed to tell them apart."""
        return weights_names(row.config.weights for row in self.rows)

    @property
    def rows(self) -> tuple[TransferRow, ...]:
        """All rows."""
        return self.results.rows

    @cached_property
    def most_shots(self) -> list[TransferRow]:
        """The rows with the most shots: those that most tables show."""
        return [row for row in self.rows if row.config.shots == max(other.config.shots for other in self.rows)]

    @cached_property
    def best(self) -> TransferRow | None:
        """The row that is looked at closely; None where none was run."""
        return best_row(self.rows)

    @property
    def few(self) -> bool:
        """Whether there are too few seeds for intervals, and so for saying which row is the best."""
        return len(self.results.document.seeds) < ENOUGH

    @property
    def label(self) -> str:
        """The end of a caption of a synthetic run."""
        return " Synthetic images: an illustration." if self.results.document.synthetic else ""

    def begins(self, row: TransferRow) -> str:
        """What a row begins from in words, with the encoder that a frozen learner worked on."""
        trained = row.config.features == BASE_TRAINED and row.config.weights != NONE
        return self.names[row.config.weights] + (", base-trained" if trained else "")


def cells(row: TransferRow, names: Mapping[str, str]) -> list[str]:
    """Rates of a row in per cent. names: of the metrics, by which the columns go."""
    if row.error:
        return ["not run", *[""] * (len(names) - 1)]
    return [share(row.metrics.get(name)) for name in names]


def share(metric: Metric | None) -> str:
    """A rate in per cent, with its interval where there are seeds enough for one; of fewer the values themselves, where they are two."""
    if metric is None or enough(metric):
        return rate(metric)
    known = [value for value in metric.values if value is not None]
    return f"{100 * metric.mean:.1f}" + (f" ({', '.join(f'{100 * value:.1f}' for value in known)})" if len(known) > 1 else "")


def plain(row: TransferRow, name: str) -> str:
    """A figure that is no rate (seconds, MB, a threshold), with its interval; of what is next to nothing, only that."""
    metric = row.metrics.get(name)
    if row.error or metric is None:
        return "" if row.error else "–"
    if 0 < abs(metric.mean) < 0.01:
        return "< 0.01"
    width = "" if metric.ci95 is None or not enough(metric) else f" ± {metric.ci95:.2g}"
    return f"{metric.mean:.3g}{width}"


def percent(metric: Metric) -> Interval:
    """Mean and half width (0 where there is none, or too few seeds for one) in per cent."""
    return 100 * metric.mean, 100 * (metric.ci95 or 0.0) * enough(metric)


def images(shots: int) -> str:
    """A number of shots in words."""
    return f"{shots} image" + "s" * (shots > 1)
