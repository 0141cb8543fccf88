"""One row and seed of the grid: what it holds, and its run folder."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repr.classify.data import Data, Problem
from repr.classify.longtail import bucket, by_bucket
from repr.classify.metrics import Measured
from repr.classify.settings import Settings
from repr.evaluation.calibration import reliability
from repr.files import content_key, replacing
from repr.runs import Run

VERSION = 4  # of a row; raise it when a model changes, so that old rows are run again
RATES = ("top1", "top5", "ap_micro", "ap_macro", "f1_macro", "f1_weighted", "ece")


@dataclass(frozen=True)
class Trial:
    """One row and seed, measured on one level. `row`: what is printed and kept."""

    settings: Settings
    row: dict[str, Any]
    measured: Measured
    problem: Problem


def describe(settings: Settings, data: Data, problem: Problem, measured: Measured, plain: Measured, unknown: int | None) -> dict[str, Any]:
    """What every row holds, flat or by the tree. plain: measured without logit adjustment, which leaves no probabilities to calibrate.

    unknown: test rows with a text of which the model knows no term; None where it has no list of terms.
    """
    return {
        "model": settings.model,
        "modality": settings.modality,
        "level": problem.level,
        "hierarchy": settings.hierarchy,
        "part": settings.part,
        "weights": settings.weights,
        "text_encoder": settings.encoder,
        "balanced": settings.balanced,
        "adjust": settings.adjust,
        "fine_share": settings.fine_share,
        "weak": settings.weak if settings.hierarchy else "",
        **measured.as_json(),
        "ece": plain.ece,
        "seed": settings.seed,
        "masked": settings.mask and "text" in settings.modality,
        "preset": settings.preset,
        "split": settings.split,
        "classes": len(problem.names),
        "train": len(problem.training_part),
        "held_out": problem.held_out,
        "test": len(problem.test),
        "untrained": int((problem.counts[problem.labels[problem.test]] == 0).sum()),
        "no_text": int((~data.texts.present(problem.test)).sum()) if "text" in settings.modality else 0,
        "unknown_text": unknown,
        "no_image": int((~data.readable[problem.test]).sum()) if data.readable is not None and "image" in settings.modality else 0,
        "buckets": by_bucket(problem.counts, problem.labels[problem.test], measured.predicted),
        "reliability": reliability(plain.confidence, plain.predicted == problem.labels[problem.test]),
        "synthetic": data.catalog.synthetic,
    }


def folder_name(settings: Settings, data: Data) -> str:
    """The name of a row's folder: readable, then a key of everything the row depends on, weights and images included."""
    from repr.classify.bert import identity_of
    from repr.classify.image import starting_weights
    from repr.classify.text_features import VERSION as TEXT

    looks = "image" in settings.modality
    start = starting_weights(settings) if looks else None
    relevant = settings.relevant() | {"weights": start.identity if start else ""}  # by content: a name may come to mean others
    relevant |= {"looks": [start.size, start.crops]} if start else {}
    bert = identity_of(data, settings) if "bert" in (settings.model, settings.encoder) else ""
    key = content_key(VERSION, TEXT, relevant, bert, data.images if looks else "", data.identity, settings.level)
    return "-".join(filter(None, [settings.model, settings.hierarchy, f"l{settings.level}", f"s{settings.seed}", key[:10]]))


def write(trial: Trial, folder: Path, data: Data) -> None:
    """The row's run folder, "done" last: config.json, environment.json, per_class.csv, predictions.npz."""
    run = Run.create(folder, "repr classify", trial.settings.relevant(), data=data.catalog.name, synthetic=data.catalog.synthetic)
    write_per_class(folder / "per_class.csv", trial.measured, trial.problem)
    with replacing(folder / "predictions.npz") as temporary, temporary.open("wb") as stream:
        truth = trial.problem.labels[trial.problem.test]
        np.savez(stream, rows=trial.problem.test, truth=truth, predicted=trial.measured.predicted, confidence=trial.measured.confidence)
    run.finish("done", trial.row)


def is_whole(folder: Path) -> bool:
    """Whether a finished row's files are there, and not cut short."""
    return (folder / "per_class.csv").is_file() and zipfile.is_zipfile(folder / "predictions.npz")


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
