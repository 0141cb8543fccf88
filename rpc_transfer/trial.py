"""One learner on one seed: base step, increments, and what it then gets right."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from repr.arrays import Rows
from repr.errors import UserError
from repr.evaluation.calibration import expected_calibration_error
from repr.learners.arrays import log_odds
from repr.learners.learner import Learner
from rpc_transfer import metrics
from rpc_transfer.images import Table
from rpc_transfer.protocol import Images, Split
from rpc_transfer.results import Trial

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

    def support(products: Sequence[str], n: int | None) -> tuple[Rows, Rows]:
        parts = [split.support[seed][product][:n] for product in products]
        rows = np.concatenate(parts)
        labels = np.repeat([number[product] for product in products], [len(part) for part in parts])
        kept = readable.has(rows)
        lost = sorted(set(labels.tolist()) - set(labels[kept].tolist()))
        if lost:
            names = ", ".join(split.products[i] for i in lost[:8])
            raise UserError(f"none of the shots of {len(lost)} products can be read: {names}", "", "Mend the images or draw other shots")
        return rows[kept], labels[kept].astype(np.int64)

    everything = (*split.products, *split.unknown)
    tests = np.concatenate([split.tests[seed][product] for product in everything])
    labels = np.concatenate([np.full(len(split.tests[seed][product]), number.get(product, -1), np.int64) for product in everything])
    kept = readable.has(tests)
    free = np.concatenate([validation[product] for product in split.products]) if validation else np.empty(0, np.int64)
    return Task(
        steps=(support(split.base, of_base), *(support(step, shots) for step in split.increments)),
        tests=tests[kept],
        places=np.flatnonzero(kept),
        labels=labels[kept],
        base=len(split.base),
        supercategories=tuple(split.supercategories[product] for product in split.products),
        validation=free[readable.has(free)],
    )


def base_step(learner: Learner, table: Table, task: Task) -> Learner:
    """Teach a learner the base classes."""
    rows, labels = task.steps[0]
    return learner.learn(table.take(rows), labels)


def run_trial(learner: Learner, table: Table, task: Task, *, reject: float | None = None) -> Trial:
    """Take in the increments with a learner that has had its base step, and judge it on the tests.

    A learner that has not (`at_once`) is given all steps together; forgetting, increments' time and average do not apply to it.
    reject: share of the validation images that the rejection threshold accepts.
    """
    known = task.labels >= 0
    old = task.labels[known] < task.base
    steps: list[dict[str, float | int]] = []
    before = seconds = memory = float("nan")
    if len(learner.classes_):
        before = metrics.accuracy(task.labels[known][old], _predict(learner, table, task.tests[known][old]))
        steps.append({"classes": task.base, "acc_all": before, "acc_base": before, "acc_novel": float("nan")})
        seconds = memory = 0.0
        for i, (rows, labels) in enumerate(task.steps[1:], start=1):
            x = table.take(rows)
            with _measured() as used:
                learner.learn(x, labels)
                learner.scores(x[:1])  # what some learners put off until they are asked
            seconds += used["seconds"]
            memory = float(np.maximum(memory, used["memory_mb"]))  # NaN, which max would drop, stays
            if i < len(task.steps) - 1:
                steps.append(_judge_step(learner, table, task))
    else:
        learner.learn(table.take(np.concatenate([r for r, _ in task.steps])), np.concatenate([y for _, y in task.steps]))
    arrays = _answers(learner, table, task)
    labels, predictions = task.labels[known], arrays["predictions"][known]
    figures: dict[str, Any] = {
        **metrics.accuracies(labels, predictions, task.base),
        **metrics.macro_accuracies(labels, predictions, task.base),
        **metrics.confusion_rates(labels, predictions, task.base),
        "acc_novel_only": metrics.accuracy(labels[labels >= task.base], arrays["novel_only"][known][labels >= task.base]),
        "seconds": seconds,
        "memory_mb": memory,
    }
    if steps:
        steps.append({"classes": len(learner.classes_), **{k: figures[k] for k in ("acc_all", "acc_base", "acc_novel")}})
    figures |= {
        "acc_base_before": before,
        "forgetting_base": metrics.forgetting(before, figures["acc_base"]),
        "avg_incremental_acc": float(np.mean([step["acc_all"] for step in steps])) if steps else float("nan"),
        **_certainty(learner, table, task, arrays, reject),
        "steps": steps,
        "per_supercategory": metrics.per_group(labels, predictions, task.supercategories) if any(task.supercategories) else {},
    }
    return Trial({"tests": task.places, "labels": task.labels, **arrays}, figures)


def _judge_step(learner: Learner, table: Table, task: Task) -> dict[str, float | int]:
    """Accuracy over all classes seen so far, on the tests of these classes."""
    seen = np.isin(task.labels, learner.classes_)
    judged = metrics.accuracies(task.labels[seen], _predict(learner, table, task.tests[seen]), task.base)
    return {"classes": len(learner.classes_), **{key: judged[key] for key in ("acc_all", "acc_base", "acc_novel")}}


def _predict(learner: Learner, table: Table, rows: Rows) -> Rows:
    parts = [learner.predict(table.take(rows[i : i + CHUNK])) for i in range(0, len(rows), CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _answers(learner: Learner, table: Table, task: Task) -> dict[str, Any]:
    """The learner's answers to the test images, by the names of `results`."""
    classes = np.asarray(learner.classes_)
    novel = np.flatnonzero(classes >= task.base)
    n = len(task.tests)
    answers: dict[str, Any] = {
        "predictions": np.empty(n, np.int64),
        "novel_only": np.empty(n, np.int64),
        "confidence": np.empty(n, np.float32),
        "known": np.empty(n, np.float32),
    }
    # A learner whose known() is the usual one need not score every image twice.
    own = type(learner).known is not Learner.known
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        x = table.take(task.tests[part])
        scores = np.asarray(learner.scores(x), dtype=np.float64)
        best = scores.max(axis=1, keepdims=True)
        answers["predictions"][part] = classes[scores.argmax(axis=1)]
        answers["novel_only"][part] = classes[novel[scores[:, novel].argmax(axis=1)]]
        answers["confidence"][part] = 1 / np.exp(scores - best).sum(axis=1)
        answers["known"][part] = learner.known(x) if own else log_odds(scores)
    return answers


def _certainty(learner: Learner, table: Table, task: Task, arrays: dict[str, Any], reject: float | None) -> dict[str, float]:
    """Calibration, risk-coverage, and how well untaught products are told apart."""
    known = task.labels >= 0
    confidence, correct = arrays["confidence"][known], arrays["predictions"][known] == task.labels[known]
    taught, untaught = arrays["known"][known], arrays["known"][~known]
    figures = {
        "ece": expected_calibration_error(confidence, correct),
        "aurc": metrics.area_under_risk_coverage(confidence, correct),
        "auroc_unknown": metrics.auroc(taught, untaught),
        "fpr95_unknown": metrics.fpr_at_tpr(taught, untaught),
    }
    if reject is not None and len(task.validation):
        parts = [learner.known(table.take(task.validation[i : i + CHUNK])) for i in range(0, len(task.validation), CHUNK)]
        threshold = metrics.threshold_keeping(np.concatenate(parts), reject)
        accepted = taught >= threshold
        figures |= {
            "reject_threshold": threshold,
            "rejected_known": float(np.mean(~accepted)),
            "acc_accepted": float(np.mean(correct[accepted])) if accepted.any() else float("nan"),
            "accepted_unknown": float(np.mean(untaught >= threshold)) if len(untaught) else float("nan"),
        }
    return figures


@contextmanager
def _measured() -> Iterator[dict[str, float]]:
    """Wall seconds and peak memory in MB (10**6 bytes) that a block takes on top of what was there before.

    Memory is the process's resident peak, which Linux lets one set back (proc(5), clear_refs), and on a GPU what PyTorch
    held there at most; NaN where neither can be told.
    """
    used = {"seconds": float("nan"), "memory_mb": float("nan")}
    status, peak = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    before = float("nan")
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
    used["seconds"] = time.perf_counter() - start
    if not math.isnan(before):
        most = _kilobytes(status, "VmHWM") * 1024 + (cuda.max_memory_allocated() if cuda else 0)
        used["memory_mb"] = max(most - before, 0.0) / 1e6


def _kilobytes(status: Path, name: str) -> float:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name + ":"))
    return float(line.split()[1])
