"""Late fusion on the small shop: which rows it sees, and what it answers where a modality is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from repr.catalog.sources import fill_split, open_sources
from repr.catalog.table import Catalog
from repr.classify import folds
from repr.classify.data import Data, Problem
from repr.classify.experiment import run_trial
from repr.classify.fitted import Fitted, fit
from repr.classify.late import FUSERS, model
from repr.classify.late.model import Late
from repr.classify.settings import Settings

pytestmark = pytest.mark.usefixtures("thin")
CHEAP = {"weights": "none", "size": 32, "epochs": 2}


def fitted(data: Data, name: str = "mean", seed: int = 0) -> Late:
    problem = data.problem(2, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    settings = Settings(model=name, level=2, seed=seed, **CHEAP)  # type: ignore[arg-type]
    return Late(settings).fit(data, problem.train, problem.labels[problem.train], 4, generator)


@pytest.mark.parametrize("seed", range(3))
def test_fusion_learns_from_no_row_that_its_base_models_saw(shop: Catalog, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Data(shop)
    problem = data.problem(2, seed=seed)
    told: list[tuple[set[int], set[int]]] = []  # of every base model: what it was trained and calibrated on, what it was asked for
    learnt: list[np.ndarray] = []

    def watched(data: Data, settings: Settings, part: Problem) -> Fitted:
        found = fit(data, settings, part)
        saw = {*part.train.tolist(), *part.validation.tolist()}
        original = Fitted.probabilities

        def asked(self: Fitted, data: Data, rows: np.ndarray, tau: float = 0.0) -> np.ndarray:
            told.append((saw, set(rows.tolist())))
            return original(self, data, rows, tau)

        class Watched(Fitted):
            probabilities = asked

        return Watched(found.model, found.counts, found.trained, found.temperature, found.nothing)

    def recorded(data: Data, settings: Settings, part: Problem, fold: np.ndarray) -> folds.OutOfFold:
        found = folds.out_of_fold(data, settings, part, fold, watched)
        learnt.append(found.rows)
        return found

    monkeypatch.setattr(model, "out_of_fold", recorded)
    fitted(data, seed=seed)
    assert len(told) == 2 * folds.FOLDS and len(learnt) == 2
    assert all(saw.isdisjoint(rows) for saw, rows in told)
    outside = {*problem.validation.tolist(), *problem.test.tolist()}
    assert all(outside.isdisjoint(rows.tolist()) for rows in learnt)


@pytest.mark.parametrize("name", list(FUSERS))
def test_without_a_modality_the_other_model_answers(shop: Catalog, name: str) -> None:
    data = Data(shop)
    late, rows = fitted(data, name), data.problem(2).test
    for hidden, base in (("image", late.bases_[1]), ("text", late.bases_[0])):
        seen = data.without(hidden)
        np.testing.assert_allclose(np.exp(late.logits(seen, rows)), base.probabilities(seen, rows), atol=1e-6)
    neither = Data(shop, hidden=frozenset({"image", "text"}))
    assert np.isnan(late.logits(neither, rows)).all()


def test_a_trial_says_what_is_missing_and_how_the_long_tail_fares(shop: Catalog) -> None:
    data = Data(shop)
    metrics = {}
    for name in ("mean", "stacking"):
        metrics = run_trial(data, Settings(model=name, level=2, **CHEAP)).metrics  # type: ignore[arg-type]
        assert metrics["top1"] > 0.7  # type: ignore[operator]
        assert {"missing/image", "missing/text", "f1_macro", "f1_weighted", "buckets/medium/recall"} <= set(metrics)
    assert len([key for key in data.memory if key.startswith("base ")]) == 2  # both rows fuse the same base models


@pytest.mark.parametrize("name", ["product", "attention"])
def test_fused_rows_answer_on_the_third_level(deep: Catalog, name: str) -> None:
    trial = run_trial(Data(deep), Settings(model=name, level=3, weights="none", size=32, epochs=15))
    metrics = {key: value for key, value in trial.metrics.items() if value is not None}
    assert metrics["classes"] == 7 and metrics["top1"] > 0.5 and {"hF", "top1_path", "f1_macro"} <= set(metrics)


@pytest.mark.parametrize("hierarchy", ["", "flat"])
def test_real_products_on_the_third_level(shared: Path, hierarchy: str) -> None:
    """400 of fashion's: most of its 145 classes have few training rows, or none."""
    whole = open_sources([str(shared / "fashion")])
    some = np.sort(np.random.default_rng(0).permutation(len(whole))[:400])
    data = Data(fill_split(whole.select(some), "random", 0), mask=True)
    trial = run_trial(data, Settings(model="product", level=3, hierarchy=hierarchy, mask=True, weights="none", size=32, epochs=2))
    metrics = {key: value for key, value in trial.metrics.items() if value is not None}
    assert metrics["classes"] > 40 and metrics["rows/test"] == 80 and metrics["top1"] > 0.15
    assert metrics["hF"] > metrics["top1_path"] and {"buckets/few/recall", "missing/image", "missing/text"} <= set(metrics)


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("name", ["layers", "committee", "attention"])
def test_fused_rows_answer_on_every_level_with_buckets_and_along_the_tree(shop: Catalog, name: str, level: int) -> None:
    shop = shop.select(np.flatnonzero((np.arange(160) % 4 != 3) | (np.arange(160) % 8 == 3)))  # 15 training rows of the last class
    metrics = run_trial(Data(shop), Settings(model=name, level=level, **CHEAP)).metrics  # type: ignore[arg-type]
    assert metrics["classes"] == 2 * level and ("hF" in metrics) == (level == 2)
    buckets = {key.split("/")[1] for key in metrics if key.startswith("buckets/")}
    assert buckets == ({"medium"} if level == 1 else {"medium", "few"})


def test_the_base_models_are_part_of_a_rows_identity() -> None:
    row = Settings(model="layers")
    assert row.relevant() != replace(row, image_model="resnet50").relevant() != replace(row, fuse_hidden=8).relevant()
    assert Settings(model="ngram").relevant() == Settings(model="ngram", image_model="resnet50").relevant()
