"""Print the ladders as Markdown: a row for every pretraining, start × method × source × views × epochs × resolution, what failed too.

Two tables a target: what frozen encoders from ImageNet gain over ImageNet's own, on the same splits, and what starts from scratch reach.
Everything is read from results/*.json. docs/ladder.md holds what this prints; a test compares them.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import click
import stored
from stored import Experiment, Step

from repr.evaluation.statistics import Metric, paired
from repr.evaluation.words import points, rate

NONE = "none"  # weights: from scratch
USUAL = "resnet18"  # the network of what starts from scratch
FROZEN = {"ncm": "class means", "linear": "logistic regression", "lda-root": "LDA on square roots"}
NOTHING = {
    ("finetune", "trained"): "fine-tuned",
    ("lda", "base-trained"): "base-trained, LDA",
    ("cosine", "base-trained"): "base-trained, cosine head",
    ("ncm", "base-trained"): "base-trained, class means",
    ("lda", "as given"): "as it came, LDA",
    ("cosine", "as given"): "as it came, cosine head",
    ("ncm", "as given"): "as it came, class means",
}


@dataclass(frozen=True)
class Origin:
    """How weights were made, one column each. `alpha` is that of what was trained, the rest being what it was trained from."""

    start: str = "none"
    method: str = "–"
    source: str = "–"
    views: str = "–"
    epochs: str = "–"
    px: str = "–"
    rate: str = "–"
    alpha: str = "–"
    batch: str = "–"


@dataclass(frozen=True)
class Transferred:
    """What one row of a transfer found, on the official tests. weights: as named, NONE for none. px: of an image's side."""

    step: str
    target: str
    weights: str
    origin: Origin | None
    learner: str
    features: str
    px: int
    crops: int
    all: Metric
    novel: Metric

    @property
    def tested(self) -> tuple[int, int]:
        """How: the side of the images in pixels, and how many crops at each."""
        return self.px, self.crops


@click.command()
@click.argument("targets", nargs=-1)
def main(targets: tuple[str, ...]) -> None:
    """Print the ladders of TARGET… (by default grocery and freiburg)."""
    experiments = stored.read_all()
    for target in targets or ("grocery", "freiburg"):
        click.echo("\n".join(["", f"**From ImageNet to {target}**", "", *from_imagenet(experiments, target)]))
        click.echo("\n".join(["", f"**From scratch to {target}**", "", *from_scratch(experiments, target)]))


def from_imagenet(experiments: Sequence[Experiment], target: str) -> list[str]:
    """A line for each frozen encoder and way of testing it: points over frozen ImageNet, all / novel.

    The lines of one way of testing stand together: first ImageNet's own, which holds accuracies, then the others in the order of what they
    gain on novel products, all learners together. A row is compared with ImageNet's of the same step.
    """
    rows = [row for row in _rows(experiments) if row.target == target and row.features == "as given" and row.learner in FROZEN]
    own = {(row.step, row.learner, row.tested): row for row in rows if row.weights == "imagenet"}
    cells: dict[tuple[int, int], dict[Origin, dict[str, tuple[float, str]]]] = {}
    for row in rows:
        start = own.get((row.step, row.learner, row.tested))
        together = cells.setdefault(row.tested, {})
        if row.weights == "imagenet":
            together.setdefault(Origin("imagenet", "ImageNet as it is"), {}).setdefault(row.learner, (math.inf, _both(row)))
        elif start is not None and row.origin is not None:
            together.setdefault(row.origin, {}).setdefault(row.learner, _gain(row, start))  # a repetition adds no second line
    shown = [field.name for field in fields(Origin)][1:-1]
    lines = _header(["tested at", *shown, *FROZEN.values()])
    for tested, together in sorted(cells.items()):
        for origin, gains in sorted(together.items(), key=lambda item: -sum(gain for gain, _ in item[1].values())):
            lines.append(_line([_tested(*tested), *astuple(origin)[1:-1], *(gains.get(name, (0, "–"))[1] for name in FROZEN)]))
    return lines


def from_scratch(experiments: Sequence[Experiment], target: str) -> list[str]:
    """A line for each start from scratch, in the order of fine-tuning's accuracy on novel products: all / novel of each use of it."""
    cells: dict[Origin, dict[tuple[str, str], str]] = {}
    order: dict[Origin, float] = {}
    for row in _rows(experiments):
        origin = Origin(method="none: the shop alone") if row.weights == NONE else row.origin
        if row.target == target and origin is not None and origin.start == "none" and (row.learner, row.features) in NOTHING:
            cells.setdefault(origin, {}).setdefault((row.learner, row.features), _both(row))
            if row.learner == "finetune":
                order[origin] = row.novel.mean
    shown = ("method", "source", "views", "epochs", "batch", "px")
    lines = _header([*shown, *NOTHING.values()])
    for origin in sorted(cells, key=lambda origin: -order.get(origin, 0.0)):
        lines.append(_line([*(getattr(origin, name) for name in shown), *(cells[origin].get(use, "–") for use in NOTHING)]))
    return lines


def _rows(experiments: Sequence[Experiment]) -> Iterator[Transferred]:
    """The rows of transfers that were tested on the tests, with ten shots."""
    everywhere = {step.step: step for experiment in experiments for step in experiment.steps}
    for experiment in experiments:
        # Another experiment may have made weights of the same name by another command.
        steps = everywhere | {step.step: step for step in experiment.steps}
        for step in experiment.steps:
            for row in step.found.rows if step.found else ():
                config = row.config
                if "acc_novel" not in row.metrics or config["test_on"] != "test" or config["shots"] != 10:
                    continue
                if "{data}/" not in step.run:  # the synthetic shop's say nothing of real products
                    continue
                target = step.run.split("{data}/")[1].split()[0]
                weights, size, crops = str(config["weights"]), config["size"], config["crops"]
                assert isinstance(size, int) and isinstance(crops, tuple)
                config_of_row = (weights, _origin(weights, steps), str(config["learner"]), str(config["features"]), size, len(crops))
                yield Transferred(step.step, target, *config_of_row, row.metrics["acc_all"], row.metrics["acc_novel"])


def _origin(name: str, steps: Mapping[str, Step]) -> Origin | None:
    """How weights were made; None where no step trained or mixed them."""
    step = steps.get(name)
    if step is None:
        return None
    if step.trained:
        trained = step.trained
        words = shlex.split(step.run)
        arch = words[words.index("--arch") + 1] if "--arch" in words and trained.init == NONE else USUAL
        method = trained.method + (", projector" if trained.projector else "") + (f", {arch}" if arch != USUAL else "")
        rate = "–" if trained.lr is None else f"{trained.lr:g}"  # None: found before 2026-11-27, the method's own of its day
        columns = (trained.source, trained.views, str(trained.epochs), str(trained.size), rate, "1", str(trained.batch_size))
        return Origin(trained.init, method, *columns)
    words = shlex.split(step.run)
    if words[:3] != ["repr", "weights", "mix"]:
        return None
    onto, mixed = (_origin(Path(word).name, steps) for word in words[3:5])
    if mixed is None or onto is None:
        return mixed and replace(mixed, alpha=words[words.index("--alpha") + 1])
    pairs = zip(astuple(onto), astuple(mixed), strict=True)  # two that were trained here, averaged
    return Origin(*(a if a == b else f"{a} + {b}" for a, b in pairs))


def _both(row: Transferred) -> str:
    return f"{rate(row.all)} / {rate(row.novel)}"


def _gain(row: Transferred, start: Transferred) -> tuple[float, str]:
    """On novel products as a number, to sort by; on all and novel ones as text."""
    tests = [paired(_known(row.all), _known(start.all)), paired(_known(row.novel), _known(start.novel))]
    return tests[1].difference, " / ".join(points(test.difference, test.ci95).replace("-", "−") for test in tests)


def _known(metric: Metric) -> list[float]:
    return [value for value in metric.values if value is not None]


def _tested(px: int, crops: int) -> str:
    return f"{px} px" + (", two crops" if crops == 2 else "")


def _header(names: list[str]) -> list[str]:
    return [_line(names), _line(["---"] * len(names))]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
