"""The grid: rows of model × modality × level × hierarchy over seeds, each row and seed a run folder, done ones found again."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from repr import console
from repr.catalog.table import Catalog
from repr.classify import MODELS
from repr.classify.calibration import Floats, Ints, fit_temperature, log_softmax, reliability
from repr.classify.data import Data, NotRun, Problem
from repr.classify.longtail import adjust, balanced, bucket, by_bucket
from repr.classify.metrics import Blocks, Measured, measure
from repr.classify.settings import Settings
from repr.errors import UserError
from repr.files import content_key, replacing
from repr.runs import Run

VERSION = 1  # of a row; raise it when a model changes, so that old rows are run again
BLOCK = 8192  # rows scored at a time
RATES = ("top1", "top5", "ap_micro", "ap_macro", "f1_macro", "f1_weighted", "ece")
Open = Callable[[int], Catalog]  # seed → catalog with its split


class Classifier(Protocol):
    """What a model is: learns from rows of the data, gives logits of others."""

    note: str  # what a reader of the row must know, "" for nothing

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: Any) -> Classifier: ...

    def logits(self, data: Data, rows: Ints) -> Floats: ...


@dataclass(frozen=True)
class Cell:
    """One row and seed, measured on one level. `row`: what is printed and kept; measured, problem: None when found again."""

    settings: Settings
    row: dict[str, Any]
    measured: Measured | None = None
    problem: Problem | None = None


def run_cell(data: Data, settings: Settings) -> Cell:
    """Train and measure one row on one split. Raises NotRun where a model lacks what it needs."""
    import torch

    problem = data.problem(settings.level, seed=settings.seed, limit=settings.limit)
    started = time.perf_counter()
    trained, labels = np.unique(problem.labels[problem.train], return_inverse=True)
    rows = problem.train
    if settings.balanced:
        chosen = balanced(labels, np.random.default_rng([settings.seed, 1]))
        rows, labels = rows[chosen], labels[chosen]
    generator = torch.Generator().manual_seed(settings.seed)
    model = load(settings).fit(data, rows, labels, len(trained), generator)
    fitted = time.perf_counter() - started
    temperature = _temperature(model, data, problem, trained)
    classes = len(problem.names)

    def blocks(seen: Data = data) -> Iterator[Floats]:
        for part in np.split(problem.test, range(BLOCK, len(problem.test), BLOCK)):
            logits = model.logits(seen, part) / np.float32(temperature)
            if settings.adjust:
                logits = adjust(logits, problem.counts[trained], settings.adjust)
            full = np.zeros((len(part), classes), np.float32)
            full[:, trained] = np.exp(log_softmax(logits))
            yield full

    truth = problem.labels[problem.test]
    measured = measure(truth, blocks, classes)
    row = _row(settings, data, problem, measured) | {
        "temperature": temperature,
        "seconds": time.perf_counter() - started,
        "fit_seconds": fitted,
        "note": model.note,
        "missing": _missing(settings, data, truth, lambda seen: lambda: blocks(seen), classes),
    }
    return Cell(settings, row, measured, problem)


def load(settings: Settings) -> Classifier:
    """The model of a row, not yet trained."""
    module, name = MODELS[settings.model].place.split(":")
    model: Classifier = getattr(import_module(module), name)(settings)
    return model


def _temperature(model: Classifier, data: Data, problem: Problem, trained: Ints) -> float:
    """Fitted on the validation rows whose class was trained."""
    rows = problem.validation[np.isin(problem.labels[problem.validation], trained)]
    if not len(rows):
        return 1.0
    return fit_temperature(model.logits(data, rows), np.searchsorted(trained, problem.labels[rows]))


def _missing(settings: Settings, data: Data, truth: Ints, of: Callable[[Data], Blocks], classes: int) -> dict[str, float]:
    """Top-1 of an image + text row when one modality is missing from every test row."""
    if MODELS[settings.model].modality != "image+text":
        return {}
    found = {}
    for name in ("image", "text"):
        predicted = np.concatenate([scores.argmax(axis=1) for scores in of(data.without(name))()])
        found[f"without_{name}"] = float((predicted == truth).mean())
    return found


def _row(settings: Settings, data: Data, problem: Problem, measured: Measured) -> dict[str, Any]:
    train = len(problem.train) + len(problem.validation)
    return {
        "model": settings.model,
        "modality": settings.modality,
        "level": problem.level,
        "hierarchy": settings.hierarchy,
        **measured.as_json(),
        "seed": settings.seed,
        "masked": settings.mask and "text" in settings.modality,
        "preset": settings.preset,
        "split": settings.split,
        "classes": len(problem.names),
        "train": train,
        "test": len(problem.test),
        "untrained": int((problem.counts[problem.labels[problem.test]] == 0).sum()),
        "buckets": by_bucket(problem.counts, problem.labels[problem.test], measured.predicted),
        "reliability": reliability(measured.confidence, measured.predicted == problem.labels[problem.test]),
        "sample": data.catalog.sample,
    }


def run(open_catalog: Open, rows: Sequence[Settings], out: Path | None = None) -> list[dict[str, Any]]:
    """Run every row, one seed after the other, and return the cells' rows in the order given.

    open_catalog: of a seed. out: each row and seed keeps a folder below `out/rows`; those that are done are not run again.
    A row that cannot be run has "note" "not run: …" and no rates; what is wrong with the only row is raised as UserError.
    """
    found: dict[Settings, dict[str, Any]] = {}
    for seed in sorted({settings.seed for settings in rows}):
        catalog = open_catalog(seed)
        views: dict[tuple[bool, bool], Data] = {}
        of_seed = [settings for settings in rows if settings.seed == seed]
        for number, settings in enumerate(of_seed, 1):
            view = (settings.ocr, settings.mask)
            data = views.setdefault(view, Data(catalog, ocr=settings.ocr, mask=settings.mask))
            alone = len(of_seed) == 1
            found[settings] = _kept_or_run(data, settings, out, f"[{number}/{len(of_seed)}]", alone=alone)
    return [found[settings] for settings in rows]


def _kept_or_run(data: Data, settings: Settings, out: Path | None, where: str, *, alone: bool) -> dict[str, Any]:
    folder = out / "rows" / _folder(settings, data) if out else None
    if folder and (folder / "config.json").exists():
        kept = Run.open(folder).config
        if kept["status"] == "done":
            console.say(f"{where} {title(settings)}: done before.")
            row: dict[str, Any] = kept["result"]
            return row
    console.say(f"{where} {title(settings)} …")
    try:
        cell = run_cell(data, settings)
    except (NotRun, UserError) as reason:
        if alone and isinstance(reason, UserError):
            raise
        console.say(f"    not run: {reason}")
        return not_run(settings, str(reason), data.catalog.sample)
    console.say(
        f"    top-1 {100 * cell.row['top1']:.1f} % in {cell.row['seconds']:.1f} s{'; ' + cell.row['note'] if cell.row['note'] else ''}"
    )
    if folder:
        _write(cell, folder, data)
    return cell.row


def not_run(settings: Settings, reason: str, sample: bool = False) -> dict[str, Any]:
    """The row of something that cannot be run here."""
    seen = {"model": settings.model, "modality": settings.modality, "level": settings.level, "hierarchy": settings.hierarchy}
    rest = {"seed": settings.seed, "masked": settings.mask, "note": f"not run: {reason}", "seconds": None, "sample": sample}
    return {**seen, **dict.fromkeys(RATES), **rest}


def title(settings: Settings) -> str:
    """A row in a few words."""
    words = [settings.model, settings.modality, f"level {settings.level}", settings.hierarchy, "masked" if settings.mask else ""]
    return ", ".join(filter(None, [*words, f"seed {settings.seed}"]))


def _folder(settings: Settings, data: Data) -> str:
    key = content_key(VERSION, settings.relevant(), data.identity, settings.level)
    return "-".join(filter(None, [settings.model, settings.hierarchy, f"l{settings.level}", f"s{settings.seed}", key[:10]]))


def _write(cell: Cell, folder: Path, data: Data) -> None:
    """The row's run folder: config.json, environment.json, per_class.csv, predictions.npz."""
    assert cell.measured is not None and cell.problem is not None
    run = Run.create(folder, "repr classify", cell.settings.relevant(), data=data.catalog.name, sample=data.catalog.sample)
    write_per_class(folder / "per_class.csv", cell.measured, cell.problem)
    with replacing(folder / "predictions.npz") as temporary, temporary.open("wb") as stream:
        truth = cell.problem.labels[cell.problem.test]
        np.savez(stream, rows=cell.problem.test, truth=truth, predicted=cell.measured.predicted, confidence=cell.measured.confidence)
    run.finish("done", cell.row)


def write_per_class(path: Path, measured: Measured, problem: Problem) -> None:
    """One line a class: name, training and test rows, bucket, precision, recall, F1, AP; cells are empty where the test has none."""
    counts = problem.counts
    buckets = bucket(counts)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "train", "test", "bucket", "precision", "recall", "f1", "ap"])
        for c, name in enumerate(problem.names):
            rates = (measured.precision[c], measured.recall[c], measured.f1[c], measured.ap[c])
            cells = [f"{rate:.6f}" if measured.support[c] else "" for rate in rates]
            writer.writerow([name, counts[c], measured.support[c], buckets[c], *cells])


def grid(
    base: Settings, *, models: Sequence[str], levels: Sequence[int], hierarchies: Sequence[str], seeds: Sequence[int]
) -> list[Settings]:
    """Every combination, rows first, then seeds. Raises UserError for names that are in no table."""
    rows = [replace(base, model=m, level=level, hierarchy=h) for m in models for h in hierarchies for level in levels]
    if not rows:
        raise UserError("no rows", "", "Name at least one --model")
    return [replace(row, seed=seed) for row in rows for seed in seeds]
