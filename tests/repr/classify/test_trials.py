"""What a trial is told as, and what makes it another one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted
from repr.classify.metrics import measure
from repr.classify.ngram import NGram
from repr.classify.outcome import Outcome
from repr.classify.settings import Settings
from repr.classify.trials import as_trial, wanted, write_per_class
from repr.errors import UserError
from repr.models.weights import fresh, write_weights

# Eight rows of the shop, two of each sub-class, are the test part; the last sub-class has no training row, and no name is Apple's twice.
TEST = np.arange(120, 128)
TRAIN = np.flatnonzero(np.arange(120) % 4 < 3)


NONE = np.zeros(4, np.int64)
FITTED = Fitted(NGram(Settings()), NONE, NONE, 0.5, NONE.astype(np.float32))  # no trial tells of it


def outcome(shop: Catalog) -> Outcome:
    """All right but the last two rows of the eight, which are taken for the first class."""
    labels, names = shop.labels(2)
    predicted = np.where(np.arange(8) >= 6, 0, labels[TEST])
    scores = np.full((8, 4), 0.1, np.float32)
    scores[np.arange(8), predicted] = 0.7
    problem = Problem(2, labels, names, TRAIN[10:], TRAIN[:10], TEST, True)
    measured = measure(labels[TEST], lambda: iter([scores]), 4)
    along = {"hF": 0.9, "mistake_height": None}
    return Outcome(problem, measured, measured, 0.5, {"image": 0.25}, None, "made by hand", 2.0, 1.5, along, FITTED)


def test_metrics_details_and_arrays(shop: Catalog) -> None:
    trial = as_trial(Settings(), Data(shop), outcome(shop))
    told = {
        name: trial.metrics[name] for name in ("top1", "temperature", "seconds", "fit_seconds", "hF", "mistake_height", "missing/image")
    }
    assert told == {
        "top1": 0.75, "temperature": 0.5, "seconds": 2.0, "fit_seconds": 1.5, "hF": 0.9, "mistake_height": None, "missing/image": 0.25
    }  # fmt: skip
    rows = {name.partition("/")[2]: value for name, value in trial.metrics.items() if name.startswith("rows/")}
    assert rows == {"train": 90, "test": 8, "untrained": 2, "no_text": 0, "unknown_text": None, "no_image": 0}
    assert trial.metrics["buckets/medium/classes"] == 3 and trial.metrics["buckets/none/recall"] == 0.5
    assert trial.details["held_out"] is True and trial.note == "made by hand"
    (bin_,) = trial.details["reliability"]  # type: ignore[misc]
    assert bin_ == {"number": 10, "confidence": pytest.approx(0.7), "accuracy": 0.75, "share": 1.0}
    assert trial.arrays["truth"].tolist() == [0, 1, 2, 3] * 2 and trial.arrays["predicted"].tolist() == [0, 1, 2, 3, 0, 1, 0, 0]
    assert trial.arrays["class"].tolist() == ["Apple", "Leek", "Boots", "Cap"] and trial.arrays["class_test"].tolist() == [2, 2, 2, 2]


def test_the_classes_as_a_table(shop: Catalog, tmp_path: Path) -> None:
    write_per_class(tmp_path / "a" / "classes.csv", as_trial(Settings(), Data(shop), outcome(shop)).arrays)
    with (tmp_path / "a" / "classes.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["class", "train", "test", "bucket", "precision", "recall", "f1", "ap"]
    assert [line["class"] for line in lines] == ["Apple", "Leek", "Boots", "Cap"]
    assert [line["bucket"] for line in lines] == ["medium", "medium", "medium", "none"]
    assert [float(line["recall"]) for line in lines] == pytest.approx([1.0, 1.0, 0.5, 0.5])
    assert float(lines[0]["precision"]) == pytest.approx(2 / 4)


def test_a_class_that_the_test_lacks_has_no_rates(shop: Catalog, tmp_path: Path) -> None:
    arrays = dict(as_trial(Settings(), Data(shop), outcome(shop)).arrays)
    arrays["class_test"] = np.array([2, 0, 2, 2])
    write_per_class(tmp_path / "classes.csv", arrays)
    with (tmp_path / "classes.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [lines[1][name] for name in ("precision", "recall", "f1", "ap")] == [""] * 4 and lines[0]["recall"]


def file_of(settings: Settings, shop: Catalog) -> str:
    return wanted(0, settings, Data(shop), "", kept=True).file


def test_the_file_is_named_for_people_and_by_content(shop: Catalog) -> None:
    name, _, key = file_of(Settings(model="ngram", hierarchy="flat", level=1, seed=3), shop).removesuffix(".npz").rpartition("-")
    assert name == "ngram-flat-l1-s3" and len(key) == 20
    assert wanted(0, Settings(), Data(shop), "", kept=False).key == ""


def test_only_what_a_row_depends_on_is_its_identity(shop: Catalog) -> None:
    text = Settings(model="ngram", weights="a", end_to_end=True)
    assert text.relevant() == Settings(model="ngram", weights="b", device="cpu").relevant()
    assert text.relevant() != Settings(model="ngram", mask=True).relevant()
    own = file_of(Settings(), shop)
    assert own == file_of(replace(Settings(), workers=3), shop)
    others = [replace(Settings(), seed=1), replace(Settings(), level=1), replace(Settings(), epochs=3)]
    assert len({own, *(file_of(other, shop) for other in others), file_of(Settings(), shop.select(np.arange(150)))}) == 5


def test_one_start_is_one_row_whatever_it_is_called(shop: Catalog) -> None:
    named, usual = (file_of(Settings(model="encoder", weights=weights), shop) for weights in ("imagenet", ""))
    assert named == usual != file_of(Settings(model="encoder", weights="none"), shop)


def test_weights_that_are_looked_at_otherwise_are_another_row(shop: Catalog, tmp_path: Path) -> None:
    weights = fresh("resnet18", 32, 0)
    files = set()
    for i, looks in enumerate(({}, {"crops": (1.0, 0.5)}, {"size": 48})):
        write_weights(tmp_path / f"{i}.safetensors", replace(weights, **looks))  # type: ignore[arg-type]
        files.add(file_of(Settings(model="encoder", weights=str(tmp_path / f"{i}.safetensors")), shop))
    assert len(files) == 3


def test_weights_of_another_network_are_told_before_anything_is_trained(shop: Catalog, tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", fresh("resnet18", 32, 0))
    with pytest.raises(UserError, match="weights of resnet18, not of resnet50"):
        file_of(Settings(model="resnet50", weights=str(tmp_path / "w.safetensors")), shop)
