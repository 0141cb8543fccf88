"""One learner on one seed: base step, increments, and what it then gets right.

The arrays of a trial (`repr.experiments`), beside its metrics:

    tests        (n,) positions among the test images of its seed (`SplitFile.test_images`); unreadable ones are missing
    labels       (n,) class numbers: base products in their order, then novel ones; -1 for unknown products
    predictions  (n,) class numbers, over all classes
    novel_only   (n,) class numbers, the best novel class
    confidence   (n,) probability of the prediction
    known        (n,) higher for what is more surely taught

and the details `steps`: after the base step and each increment {"classes", "acc_all", "acc_base", "acc_novel"}, null where one does not
apply; none for a learner that is taught all at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from repr.arrays import Array, Bools, Floats, Ints, Rows
from repr.errors import UserError
from repr.evaluation.calibration import expected_calibration_error
from repr.experiments.trials import Trial
from repr.learners.arrays import log_odds
from repr.learners.learner import Learner
from repr.records import to_json
from rpc_transfer import metrics
from rpc_transfer.images import Table
from rpc_transfer.protocol import Images, Split

SUPERCATEGORY = "supercategory"  # the group of the metrics by supercategory
NAN = float("nan")
CHUNK = 1024  # test images scored at a time, so that pixels and scores of a big test set need little memory


@dataclass(frozen=True)
class Task:
    """One seed of a split with one number of shots, as arrays.

    steps: the support set of the base step and of each increment: catalog rows and class numbers.
    tests: catalog rows of the test images; positions in the split's list of them are `places`; labels -1 for unknown.
    validation: catalog rows of known products' training images that are neither shots nor tests, for the threshold.
    base: number of base classes. supercategories: supercategory of each class.
    """

    steps: tuple[tuple[Rows, Rows], ...]
    tests: Rows
    places: Rows
    labels: Rows
    base: int
    supercategories: tuple[str, ...]
    validation: Rows = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def rows(self) -> Rows:
        """Every catalog row that is needed."""
        return np.unique(np.concatenate([*(rows for rows, _ in self.steps), self.tests, self.validation]))


def make_task(split: Split, seed: int, shots: int, readable: Table, validation: Images | None = None) -> Task:
    """The task of a seed with the first `shots` of its shots (base products: the number of their own, if the split has one).

    Unreadable images are left out. Raises UserError when a product has no readable shot.
    """
    number = {product: i for i, product in enumerate(split.products)}
    of_base = shots if split.base_shots is None else None  # a number of its own, or all: not cut

    def _support(products: Sequence[str], n: int | None) -> tuple[Rows, Rows]:
        parts = [split.support[seed][product][:n] for product in products]
        rows = np.concatenate(parts)
        labels = np.repeat([number[product] for product in products], [len(part) for part in parts])
        usable = readable.has(rows)
        lost = sorted(set(labels.tolist()) - set(labels[usable].tolist()))
        if lost:
            names = ", ".join(split.products[i] for i in lost[:8])
            raise UserError(f"none of the shots of {len(lost)} products can be read: {names}", "", "Mend the images or draw other shots")
        return rows[usable], labels[usable].astype(np.int64)

    everything = (*split.products, *split.unknown)
    tests = np.concatenate([split.tests[seed][product] for product in everything])
    labels = np.concatenate([np.full(len(split.tests[seed][product]), number.get(product, -1), np.int64) for product in everything])
    usable = readable.has(tests)
    free = np.concatenate([validation[product] for product in split.products]) if validation else np.empty(0, np.int64)
    return Task(
        steps=(_support(split.base, of_base), *(_support(step, shots) for step in split.increments)),
        tests=tests[usable],
        places=np.flatnonzero(usable),
        labels=labels[usable],
        base=len(split.base),
        supercategories=tuple(split.supercategories[product] for product in split.products),
        validation=free[readable.has(free)],
    )


def base_step(learner: Learner, table: Table, task: Task) -> Learner:
    """Teach a learner the base classes."""
    rows, labels = task.steps[0]
    return learner.learn(table.take(rows), labels)


@dataclass
class Course:
    """What was seen while a learner took in the increments.

    steps: how it stood after each, the base step first; the last is judged with everything else. before: accuracy on base images after
    the base step. seconds, memory: of all increments together, and of the one that took most. NaN where it was given all at once.
    """

    steps: list[metrics.Step] = field(default_factory=list)
    before: float = NAN
    seconds: float = NAN
    memory: float = NAN


@dataclass(frozen=True)
class Answers:
    """A learner's answers to the test images, (n,) each, as the module's text has them."""

    predictions: Ints
    novel_only: Ints
    confidence: Floats
    known: Floats

    def arrays(self) -> dict[str, Array]:
        """By the names of the trial's file."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def run_trial(learner: Learner, table: Table, task: Task, *, reject: float | None = None) -> Trial:
    """Take in the increments with a learner that has had its base step, and judge it on the tests.

    A learner that has not (`at_once`) is given all steps together; forgetting, increments' time and average do not apply to it.
    reject: share of the validation images that the rejection threshold accepts.
    """
    taught = bool(len(learner.classes_))
    course = _take_in(learner, table, task) if taught else Course()
    if not taught:
        learner.learn(table.take(np.concatenate([r for r, _ in task.steps])), np.concatenate([y for _, y in task.steps]))
    answers = _answers(learner, table, task)
    known = task.labels >= 0
    labels, predictions = task.labels[known], answers.predictions[known]
    novel = labels >= task.base
    figures = metrics.accuracies(labels, predictions, task.base)
    if taught:
        course.steps.append(metrics.Step.of(len(learner.classes_), figures))
    figures |= {
        **metrics.macro_accuracies(labels, predictions, task.base),
        **metrics.confusion_rates(labels, predictions, task.base),
        "acc_novel_only": metrics.accuracy(labels[novel], answers.novel_only[known][novel]),
        "seconds": course.seconds,
        "memory_mb": course.memory,
        "acc_base_before": course.before,
        "forgetting_base": metrics.forgetting(course.before, figures["acc_base"]),
        "avg_incremental_acc": _mean_over_steps(course.steps),
        **_certainty(answers.confidence[known], predictions == labels, answers.known[known], answers.known[~known]),
    }
    if reject is not None and len(task.validation):
        threshold = metrics.threshold_keeping(_in_chunks(learner.known, table, task.validation), reject)
        figures |= _rejection(threshold, predictions == labels, answers.known[known], answers.known[~known])
    if any(task.supercategories):
        groups = metrics.per_group(labels, predictions, task.supercategories)
        figures |= {f"{SUPERCATEGORY}/{name}": accuracy for name, accuracy in groups.items()}
    return Trial(figures, {"steps": to_json(tuple(course.steps))}, {"tests": task.places, "labels": task.labels, **answers.arrays()})


def _mean_over_steps(steps: Sequence[metrics.Step]) -> float:
    """Average incremental accuracy; NaN without steps, or where one could not be judged."""
    return float(np.mean([NAN if step.acc_all is None else step.acc_all for step in steps])) if steps else NAN


def _take_in(learner: Learner, table: Table, task: Task) -> Course:
    """Teach the increments, one after the other."""
    base = (task.labels >= 0) & (task.labels < task.base)
    before = metrics.accuracy(task.labels[base], _in_chunks(learner.predict, table, task.tests[base]))
    course = Course([metrics.Step.of(task.base, {"acc_all": before, "acc_base": before, "acc_novel": NAN})], before, 0.0, 0.0)
    for i, (rows, labels) in enumerate(task.steps[1:], start=1):
        x = table.take(rows)
        with _measured() as used:
            learner.learn(x, labels)
            learner.scores(x[:1])  # what some learners put off until they are asked
        course.seconds += used.seconds
        course.memory = float(np.maximum(course.memory, used.memory))  # NaN, which max would drop, stays
        if i < len(task.steps) - 1:
            course.steps.append(_judge_step(learner, table, task))
    return course


def _judge_step(learner: Learner, table: Table, task: Task) -> metrics.Step:
    """Accuracy over all classes seen so far, on the tests of these classes."""
    taught = np.isin(task.labels, learner.classes_)
    judged = metrics.accuracies(task.labels[taught], _in_chunks(learner.predict, table, task.tests[taught]), task.base)
    return metrics.Step.of(len(learner.classes_), judged)


def _in_chunks(ask: Callable[[Array], Array], table: Table, rows: Rows) -> Array:
    """A learner's answers to images, CHUNK at a time."""
    parts = [ask(table.take(rows[i : i + CHUNK])) for i in range(0, len(rows), CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _answers(learner: Learner, table: Table, task: Task) -> Answers:
    """The learner's answers to the test images."""
    classes = np.asarray(learner.classes_)
    novel = np.flatnonzero(classes >= task.base)
    n = len(task.tests)
    answers = Answers(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float32), np.empty(n, np.float32))
    # A learner whose known() is the usual one need not score every image twice.
    own = type(learner).known is not Learner.known
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        x = table.take(task.tests[part])
        scores = np.asarray(learner.scores(x), dtype=np.float64)
        best = scores.max(axis=1, keepdims=True)
        answers.predictions[part] = classes[scores.argmax(axis=1)]
        answers.novel_only[part] = classes[novel[scores[:, novel].argmax(axis=1)]]
        answers.confidence[part] = 1 / np.exp(scores - best).sum(axis=1)
        answers.known[part] = learner.known(x) if own else log_odds(scores)
    return answers


def _certainty(confidence: Floats, correct: Bools, taught: Floats, untaught: Floats) -> dict[str, float]:
    """Calibration, risk-coverage, and how well untaught products are told apart. taught, untaught: `known` of either's images."""
    return {
        "ece": expected_calibration_error(confidence, correct),
        "aurc": metrics.area_under_risk_coverage(confidence, correct),
        "auroc_unknown": metrics.auroc(taught, untaught),
        "fpr95_unknown": metrics.fpr_at_tpr(taught, untaught),
    }


def _rejection(threshold: float, correct: Bools, taught: Floats, untaught: Floats) -> dict[str, float]:
    """What is accepted at a threshold of `known`."""
    accepted = taught >= threshold
    return {
        "reject_threshold": threshold,
        "rejected_known": float(np.mean(~accepted)),
        "acc_accepted": float(np.mean(correct[accepted])) if accepted.any() else NAN,
        "accepted_unknown": float(np.mean(untaught >= threshold)) if len(untaught) else NAN,
    }


@dataclass
class Used:
    """What a block took: wall seconds, and peak memory in MB (10**6 bytes) on top of what was there before; NaN while it runs."""

    seconds: float = NAN
    memory: float = NAN


@contextmanager
def _measured() -> Iterator[Used]:
    """Wall seconds and peak memory in MB (10**6 bytes) that a block takes on top of what was there before.

    Memory is the process's resident peak, which Linux lets one set back (proc(5), clear_refs), and on a GPU what PyTorch
    held there at most; NaN where neither can be told.
    """
    used = Used()
    status, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    before = NAN
    with suppress(OSError):
        peak.write_text("5")
        before = _kilobytes(status, "VmRSS") * 1024
    cuda = torch.cuda if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    if cuda:
        cuda.synchronize()
        cuda.reset_peak_memory_stats()
        before += cuda.memory_allocated()
    start = time.perf_counter()
    yield used
    if cuda:
        cuda.synchronize()
    used.seconds = time.perf_counter() - start
    if not math.isnan(before):
        most = _kilobytes(status, "VmHWM") * 1024 + (cuda.max_memory_allocated() if cuda else 0)
        used.memory = max(most - before, 0.0) / 1e6


def _kilobytes(status: Path, name: str) -> float:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name + ":"))
    return float(line.split()[1])
