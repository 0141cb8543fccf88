"""Print results/checkout.json as the Markdown tables of docs/checkout.md.

python tools/experiments/checkout_table.py [RESULTS.json]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import stored
from checkout_naming import LOST, METRICS, SEEN, TRUE

from repr.evaluation.statistics import Metric
from repr.evaluation.words import NONE, enough, points, rate
from repr.experiments.document import Document, Row
from repr.lookup.settings import AUTO

LEVELS = ("easy", "medium", "hard", "averaged")
COUNTED = ("ACD", "mCCD")  # boxes, no shares
LOSSES = ("right", "missed", "wrong within", "wrong across", "below the threshold", "too many")
Documents = Mapping[str, Document]


def table(header: Sequence[str], words: int, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first `words` to the right."""
    ruler = "|" + "".join(" --- |" if n < words else " ---: |" for n in range(len(header)))
    return "\n".join(["| " + " | ".join(header) + " |", ruler, *("| " + " | ".join(row) + " |" for row in rows)])


def count(metric: Metric | None) -> str:
    """A figure that is no share, with its interval."""
    if metric is None:
        return NONE
    return f"{metric.mean:.2f}" + (f" ± {metric.ci95:.2f}" if metric.ci95 is not None and enough(metric) else "")


def rows_of(documents: Documents, names: Sequence[str], **wanted: str) -> Iterator[tuple[list[str], Row]]:
    """Rows with these settings and no others than `names`; the set and the values of `names`."""
    for data, document in documents.items():
        for row in document.rows:
            config = {name: str(value) for name, value in row.config.items()}
            if config.keys() == {*names, *wanted} and all(config[name] == value for name, value in wanted.items()):
                yield [data, *(config[name] for name in names)], row


def levels(documents: Documents) -> str:
    """cAcc at each level, and the other metrics over all, strict; rpctool's cAcc beside."""
    lines = []
    for words, row in rows_of(documents, ("weights", "boxes"), index=SEEN, learner=AUTO):
        metrics = row.metrics
        accuracies = [rate(metrics.get(f"cAcc/{level}")) for level in LEVELS]
        others = [(count if name in COUNTED else rate)(metrics.get(f"{name}/averaged")) for name in METRICS[1:]]
        lines.append([*words, *accuracies, rate(metrics.get("rpctool/averaged")), *others, str(len(row.seeds))])
    header = ["set", "weights", "boxes", *(f"cAcc {level}" for level in LEVELS), "as rpctool", *METRICS[1:], "seeds"]
    return table(header, 3, lines)


def holdings(documents: Documents) -> str:
    """What the index holds and who answers, on true boxes."""
    lines = []
    for words, row in rows_of(documents, ("weights", "index", "learner"), boxes=TRUE):
        names = ("chosen/named", "named", "cAcc/averaged", "gate/unknown", "gate/right unknown", "gate/cAcc")
        lines.append([*words, *(rate(row.metrics.get(name)) for name in names)])
    header = ["named rightly, validation", "test", "cAcc", "called unknown", "of what is right", "cAcc, the index's threshold"]
    return table(["set", "weights", "index holds", "learner", *header], 4, lines)


def losses(documents: Documents) -> str:
    """Where true boxes are lost."""
    lines = []
    for words, row in rows_of(documents, ("weights", "boxes"), index=SEEN, learner=AUTO):
        lines.append([*words, *(rate(row.metrics.get(f"lost/{name}")) for name in LOST)])
    return table(["set", "weights", "boxes", *LOSSES], 3, lines)


def additions(documents: Documents) -> str:
    """Products that come later."""
    lines = []
    for words, row in rows_of(documents, ("weights", "boxes", "novel"), index=SEEN):
        lines.append([*words, *(rate(row.metrics.get(name)) for name in ("cAcc/averaged", "recall/novel", "recall/base"))])
    return table(["set", "weights", "boxes", "novel products", "cAcc", "recall novel", "recall base"], 4, lines)


def later(documents: Documents) -> str:
    """The same as differences."""
    lines = []
    for data, document in documents.items():
        for test in document.comparisons:
            config = document.rows[test.a].config
            lines.append(
                [data, str(config["weights"]), str(config["boxes"]), test.against, test.metric, points(test.difference, test.ci95)]
            )
    return table(["set", "weights", "boxes", "later minus", "of", "points"], 5, lines)


def real(found: Documents) -> str:
    """Agreement of images of one shopping list."""
    told = []
    for words, row in rows_of(found, ("boxes",)):
        numbers = [count(row.metrics.get("boxes")), *(rate(row.metrics.get(name)) for name in ("equal", "within one"))]
        told.append([words[1], *numbers, count(row.metrics.get("difference"))])
    return table(["boxes", "boxes a scene", "pairs equal", "within one", "mean difference"], 1, told)


@click.command()
@click.argument("results", type=click.Path(path_type=Path), default=stored.RESULTS / "checkout.json")
def main(results: Path) -> None:
    """Print the tables."""
    documents = {step.step: step.found for step in stored.read(results).steps if step.found is not None}
    parts = [part(documents) for part in (levels, holdings, losses, additions, later, real)]
    click.echo("\n\n".join(part for part in parts if part.count("\n") > 1))


if __name__ == "__main__":
    main()
