"""One row and seed of the grid as a trial of `repr.experiments`: what it found, what its numbers depend on, its classes as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from repr.arrays import Array
from repr.classify.bert import identity_of
from repr.classify.data import Data
from repr.classify.image import starting_weights
from repr.classify.late import FUSERS
from repr.classify.longtail import bucket, by_bucket
from repr.classify.outcome import Outcome
from repr.classify.settings import Settings
from repr.classify.text_features import VERSION as TEXT
from repr.evaluation.calibration import reliability
from repr.experiments.trials import Trial, Wanted, key
from repr.files import content_key, replacing
from repr.records import Json, to_json

VERSION = 8  # of a trial; raise it when a model changes, so that old ones are run again
OF_CLASSES = ("precision", "recall", "f1", "ap")  # a column of per_class.csv each


def as_trial(settings: Settings, data: Data, outcome: Outcome) -> Trial:
    """The trial of a row, flat or by the tree.

    metrics: the rates (RATES, ECE without logit adjustment), `along`, the temperature and seconds; in groups "missing/…" (top-1 without a
    modality), "buckets/many/…" (the long tail), "rows/…" (how many rows there were, and how many of the test rows lack something).
    details: "held_out" (`Problem.held_out`) and "reliability", the bins with rows. arrays: `rows` of the catalog, `truth`, `predicted`,
    `confidence` of the test part (n,); `class`, `class_train`, `class_test` and a `class_…` for each of OF_CLASSES (classes,).
    """
    problem, measured, plain = outcome.problem, outcome.measured, outcome.plain
    truth = problem.labels[problem.test]
    metrics: dict[str, float | None] = {**measured.rates, "ece": plain.ece, **outcome.along}
    metrics |= {"temperature": outcome.temperature, "seconds": outcome.seconds, "fit_seconds": outcome.fit_seconds}
    metrics |= {f"missing/{name}": rate for name, rate in outcome.missing.items()}
    for name, of_bucket in by_bucket(problem.counts, truth, measured.predicted).items():
        metrics |= {f"buckets/{name}/{what}": value for what, value in vars(of_bucket).items()}
    metrics |= {f"rows/{name}": count for name, count in _counts(settings, data, outcome).items()}
    per_class = {f"class_{name}": np.asarray(getattr(measured, name)) for name in OF_CLASSES}
    return Trial(
        {**metrics, "classes": len(problem.names)},
        {"held_out": problem.held_out, "reliability": to_json(reliability(plain.confidence, plain.predicted == truth))},
        {
            **{"rows": problem.test, "truth": truth, "predicted": measured.predicted, "confidence": measured.confidence},
            **{"class": np.array(problem.names, np.str_), "class_train": problem.counts, "class_test": measured.support, **per_class},
        },
        outcome.note,
    )


def _counts(settings: Settings, data: Data, outcome: Outcome) -> dict[str, int | None]:
    """How many rows there were, and how many of the test rows are of a class without training rows, or show nothing or little."""
    problem, test = outcome.problem, outcome.problem.test
    looks = "image" in settings.modality and data.readable is not None
    return {
        "train": len(problem.training_part),
        "test": len(test),
        "untrained": int((problem.counts[problem.labels[test]] == 0).sum()),
        "no_text": int((~data.texts.present(test)).sum()) if "text" in settings.modality else 0,
        "unknown_text": outcome.unknown,
        "no_image": int((~data.readable[test]).sum()) if looks and data.readable is not None else 0,
    }


def wanted(row: int, settings: Settings, data: Data, label: str, *, kept: bool) -> Wanted:
    """The trial of a row as it is wanted. kept: whether it will be stored, and its key is needed; that reads weights and image files.

    Raises UserError for weights that are not there or are of another network, and NotRun where a text model lacks its own.
    """
    name = "-".join(filter(None, [settings.model, settings.hierarchy, f"l{settings.level}", f"s{settings.seed}"]))
    split = content_key(data.identity, settings.level)
    return Wanted(row, settings.seed, name, _key(settings, data) if kept else "", split, label)


def _key(settings: Settings, data: Data) -> str:
    """Of everything that a trial's numbers depend on, weights and images by content: a name may come to mean others."""
    depends: dict[str, Json | bytes] = {"text": TEXT, "data": data.identity, "settings": settings.relevant()}
    if "image" in settings.modality:
        looks = replace(settings, model=settings.image_model) if settings.model in FUSERS else settings
        start = starting_weights(looks)
        depends |= {"images": data.images, "settings": {**settings.relevant(), "weights": start.identity if start else ""}}
        depends |= {"looks": [start.size, start.crops]} if start else {}
    if "bert" in (settings.model, settings.encoder):
        depends["bert"] = identity_of(data, settings)
    return key(VERSION, settings.seed, depends)


def write_per_class(path: Path, arrays: Mapping[str, Array]) -> None:
    """One line a class: name, training and test rows, bucket, and OF_CLASSES; those cells are empty where the test has no row of it.

    arrays: those of `as_trial`.
    """
    buckets = bucket(arrays["class_train"])
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "train", "test", "bucket", *OF_CLASSES])
        for c, name in enumerate(arrays["class"]):
            cells = [f"{arrays[f'class_{rate}'][c]:.6f}" if arrays["class_test"][c] else "" for rate in OF_CLASSES]
            writer.writerow([name, arrays["class_train"][c], arrays["class_test"][c], buckets[c], *cells])
