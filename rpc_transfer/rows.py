"""The rows of the table: which there are, and what is written of them in results.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repr.catalog.table import Catalog
from repr.evaluation.statistics import interval, paired
from repr.learners import learner_class
from rpc_transfer.protocol import Split
from rpc_transfer.results import Trial
from rpc_transfer.settings import Settings
from rpc_transfer.starts import Start

GIVEN, BASE_TRAINED, TRAINED = "as given", "base-trained", "trained"
FIGURES = (
    *("acc_all", "acc_base", "acc_novel", "harmonic_mean"),
    *("acc_novel_only", "avg_incremental_acc", "forgetting_base", "auroc_unknown", "fpr95_unknown", "ece", "seconds"),
    *("memory_mb", "macro_all", "macro_base", "macro_novel", "base_to_novel", "novel_to_base", "aurc"),
    *("reject_threshold", "rejected_known", "acc_accepted", "accepted_unknown"),
)
COMPARED = ("acc_all", "acc_base", "acc_novel", "harmonic_mean")
USUAL = {"learner": "linear", "weights": "imagenet", "features": GIVEN}  # what a user has without us, in an afternoon


@dataclass(frozen=True)
class Row:
    """One row of the table: a start, a learner, which encoder it works on, and the shots a product."""

    start: Start
    learner: str
    encoder: str  # GIVEN, BASE_TRAINED or TRAINED
    shots: int

    @property
    def size(self) -> int:
        """Image side in pixels."""
        return self.start.size if self.encoder == GIVEN else self.start.trained_size


def list_rows(settings: Settings, starts: Sequence[Start]) -> list[Row]:
    """The rows in the table's order: by shots, then by learner, the starts side by side."""
    rows = []
    for shots in dict.fromkeys(settings.shots):
        for learner in dict.fromkeys(settings.learner):
            images = learner_class(learner).input == "images"
            for start in starts:
                if images:
                    kinds = [TRAINED]
                elif start.spec is None:
                    kinds = [BASE_TRAINED]
                else:
                    kinds = {"given": [GIVEN], "base-trained": [BASE_TRAINED], "both": [GIVEN, BASE_TRAINED]}[settings.features or "given"]
                rows += [Row(start, learner, kind, shots) for kind in kinds]
    return rows


def content(
    settings: Settings, catalog: Catalog, split: Split, rows: Sequence[Row], trials: dict[tuple[int, int], Path], notes: Sequence[str]
) -> dict[str, Any]:
    """The object of results.json and of --json. trials: (row, seed) -> the trial's file; notes: beside the split's own."""
    described = []
    for i, row in enumerate(rows):
        files = {seed: trials[i, seed] for seed in split.seeds if (i, seed) in trials}
        figures = [Trial.read(file).figures for file in files.values()]
        described.append(
            {
                "learner": row.learner,
                "weights": row.start.spec,
                "shots": row.shots,
                "shots_from": split.shots_from,
                "test_on": split.test_on,
                "increments": [len(step) for step in split.increments],
                **{name: interval([figure.get(name) for figure in figures]) for name in FIGURES},
                "per_supercategory": _per_supercategory(figures),
                "features": row.encoder,
                "base_shots": row.shots if split.base_shots is None else split.base_shots,
                "memory": memory(settings, split, row),
                "size": row.size,
                "crops": list(row.start.crops),
                "arch": row.start.arch,
                "synthetic": catalog.synthetic or row.start.synthetic,
                "error": row.start.error or None,
                "trials": [{"seed": seed, "file": f"trials/{file.name}"} for seed, file in files.items()],
            }
        )
    return {
        "data": catalog.name,
        "novel_ids": list(split.novel),
        "split_seed": split.split_seed,
        "seeds": list(split.seeds),
        "rows": described,
        "paired": _paired(described),
        "starts": _starts(rows),
        "products": {"base": len(split.base), "novel": len(split.novel), "unknown": len(split.unknown)},
        "supercategories": len({split.supercategories[key] for key in split.products}),
        "tests": _counts(split),
        "notes": [*split.notes, *_training(settings, split), *notes],
        "synthetic": catalog.synthetic or any(row.start.synthetic for row in rows),
    }


def _starts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What the rows start from, as the weights' files tell it, and the image sides at which they were used."""
    starts = list(dict.fromkeys(row.start for row in rows if row.start.weights))
    return [
        {
            "weights": start.spec,
            **{name: getattr(start.weights, name) for name in ("arch", "method", "trained_on", "recipe")},
            "sizes": sorted({row.size for row in rows if row.start is start}),
            "crops": list(start.crops),
        }
        for start in starts
    ]


def memory(settings: Settings, split: Split, row: Row) -> int | None:
    """Images that a row's learner may keep: None where the encoder stays as it is, every shot where none was said."""
    kind = learner_class(row.learner)
    if kind.input == "features":
        return None
    if "memory" not in kind.takes and not kind.at_once:
        return 0
    every = sum(split.sizes(row.shots))
    return every if settings.memory is None or kind.at_once else min(settings.memory, every)


def _training(settings: Settings, split: Split) -> list[str]:
    """Notes on what was not typed and the trained learners then do."""
    kinds = {name: learner_class(name) for name in settings.learner}
    notes = []
    if settings.base_alpha < 1:
        notes.append(f"base-trained encoders are {settings.base_alpha:g} of what the base step made of the weights, the rest as they came")
    keepers = [name for name, kind in kinds.items() if "memory" in kind.takes]
    if keepers and settings.memory is None:
        notes.append(f"without --memory every shot is kept and seen again by {', '.join(keepers)}")
    if settings.epochs is None and any("updates" in kind.takes for kind in kinds.values()):
        for shots in dict.fromkeys(settings.shots):
            first, later = settings.updates(split.sizes(shots))
            n = len(split.increments)
            each = "in the increment" if n == 1 else f"in each of {n} increments"
            notes.append(f"updates with {shots} shots: about {first} in the base step and {later} {each}; joint {first + n * later}")
    return notes


def _counts(split: Split) -> dict[str, int]:
    """Test images of the first seed."""
    tests = split.tests[split.seeds[0]]
    return {kind: sum(len(tests[key]) for key in getattr(split, kind)) for kind in ("base", "novel", "unknown")}


def _per_supercategory(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    supercategories = sorted({supercategory for figure in figures for supercategory in figure["per_supercategory"]})
    return {
        supercategory: interval([figure["per_supercategory"].get(supercategory) for figure in figures]) for supercategory in supercategories
    }


def _paired(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one number of shots compared seed by seed, a minus b. `against` says why the two are compared:

    start      every two starts of one learner, the later row minus the earlier one
    joint      a row minus the upper bound of its own start, on images of one size
    imagenet   a row minus logistic regression on the features of `imagenet` as given
    """
    compared: list[dict[str, Any]] = []
    for i, b in enumerate(rows):
        for a in rows[i + 1 :]:
            if (a["learner"], a["shots"]) == (b["learner"], b["shots"]) and a["weights"] != b["weights"]:
                compared += _compared(a, b, "start")
    for a in rows:
        for b in rows:
            if a is not b and a["shots"] == b["shots"]:
                if b["learner"] == "joint" and all(b[key] == a[key] for key in ("weights", "size")):
                    compared += _compared(a, b, "joint")
                if all(b[key] == value for key, value in USUAL.items()):
                    compared += _compared(a, b, "imagenet")
    return compared


def _compared(a: dict[str, Any], b: dict[str, Any], against: str) -> list[dict[str, Any]]:
    """A paired test for each measure that both rows have."""
    found = []
    for name in COMPARED:
        if not (a[name] and b[name]):  # a row that could not be run, or tests of a kind that none could be read of
            continue
        pairs = [(x, y) for x, y in zip(a[name]["values"], b[name]["values"], strict=True) if not (x is None or y is None)]
        if not pairs:
            continue
        test = paired([x for x, _ in pairs], [y for _, y in pairs])
        described = {"learner": a["learner"], "shots": a["shots"], "metric": name, "against": against, "b_learner": b["learner"]}
        described |= {"a": a["weights"], "a_features": a["features"], "b": b["weights"], "b_features": b["features"]}
        described |= {"a_crops": a["crops"], "b_crops": b["crops"]}
        found.append({**described, "difference": test.difference, "ci95": test.ci95, "p": test.p, "n": test.n})
    return found
