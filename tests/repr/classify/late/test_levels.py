"""Late fusion along the class tree: a net a modality, fused level by level, down to the third."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from repr.arrays import Ints
from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.fitted import Fitted
from repr.classify.folds import FOLDS
from repr.classify.late import levels
from repr.classify.late.levels import fit_fused_levels
from repr.classify.late.model import Late
from repr.classify.settings import Settings
from repr.classify.tree_fit import fit_levels
from repr.classify.tree_task import Task, task_of
from repr.errors import UserError

pytestmark = pytest.mark.usefixtures("thin")
BASE = Settings(model="product", hierarchy="coarse-to-fine", weights="none", size=32, epochs=8, lr=0.01)


@pytest.mark.parametrize("seed", range(2))
def test_fusion_learns_from_no_row_that_its_nets_saw(deep: Catalog, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data, settings = Data(deep), replace(BASE, seed=seed, epochs=1)
    task = task_of(data, settings)
    asked: list[tuple[set[int], set[int]]] = []  # of every net and level: what it was trained and calibrated on, what it was asked for

    def watched(data: Data, settings: Settings, part: Task) -> list[Fitted]:
        saw = {*part.whole.train.tolist(), *part.whole.validation.tolist()}
        original = Fitted.probabilities

        class Watched(Fitted):
            def probabilities(self, data: Data, rows: Ints, tau: float = 0.0) -> np.ndarray:
                asked.append((saw, set(rows.tolist())))
                return original(self, data, rows, tau)

        return [Watched(**vars(one)) for one in fit_levels(data, settings, part)]

    monkeypatch.setattr(levels, "fit_levels", watched)
    fused = fit_fused_levels(data, settings, task)
    folds = [(saw, rows) for saw, rows in asked if saw.isdisjoint(rows)]
    assert len(fused) == 3 and len(folds) >= 2 * FOLDS * 3  # of two modalities, on three levels
    learnt = set().union(*(rows for _, rows in folds[: FOLDS * 3]))
    outside = {*task.whole.validation.tolist(), *task.whole.test.tolist()}
    assert learnt < set(task.whole.train.tolist()) and learnt.isdisjoint(outside)
    assert all(outside.isdisjoint(saw) for saw, _ in asked)


@pytest.mark.parametrize("name", ["product", "layers"])
def test_it_answers_on_three_levels_with_buckets_and_along_the_tree(deep: Catalog, name: str) -> None:
    data = Data(deep)
    for level, classes, rows in ((1, 2, 40), (2, 4, 40), (3, 7, 40)):
        trial = run_trial(data, replace(BASE, model=name, level=level))
        metrics = {key: value for key, value in trial.metrics.items() if value is not None}
        assert metrics["rows/test"] == rows and np.isin(trial.arrays["truth"], np.arange(classes)).all()
        assert metrics["top1"] > 0.5 and metrics["top1_path"] > 0.5 and metrics["hF"] > 0.7
        assert {"missing/image", "missing/text", "f1_macro", "f1_weighted"} <= set(metrics)
        assert any(key.startswith("buckets/") for key in metrics)
    assert len([key for key in data.memory if key.startswith("tree base ")]) == 2


def test_rows_that_fuse_the_same_nets_share_them_and_all_levels_are_trained_once(deep: Catalog) -> None:
    data = Data(deep)
    seconds = [run_trial(data, replace(BASE, level=level, epochs=1)).metrics["fit_seconds"] for level in (1, 3)]
    assert seconds[0] == seconds[1]
    run_trial(data, replace(BASE, model="mean", epochs=1))
    assert len([key for key in data.memory if key.startswith("tree base ")]) == 2
    run_trial(data, replace(BASE, hierarchy="flat", epochs=1))
    assert len([key for key in data.memory if key.startswith("tree base ")]) == 4


def test_without_a_modality_the_other_net_answers(deep: Catalog) -> None:
    data = Data(deep)
    task = task_of(data, BASE)
    for fitted in fit_fused_levels(data, replace(BASE, epochs=1), task):
        late, rows = fitted.model, task.whole.test
        assert isinstance(late, Late)
        for hidden, base in (("image", late.bases_[1]), ("text", late.bases_[0])):
            seen = data.without(hidden)
            np.testing.assert_allclose(np.exp(late.logits(seen, rows)), base.probabilities(seen, rows), atol=1e-6)


def test_few_fine_labels(deep: Catalog) -> None:
    data = Data(deep)
    metrics = run_trial(data, replace(BASE, level=2, fine_share=0.3)).metrics
    assert metrics["rows/train"] == 36 and (metrics["top1"] or 0) > 0.5


def test_no_row_has_both_modalities(deep: Catalog) -> None:
    """But those of one class."""
    titles = [title if kind == 0 else None for kind, title in zip(deep.column("class_2"), deep.table["title"].to_pylist(), strict=True)]
    table = deep.table.set_column(deep.table.schema.get_field_index("title"), "title", [titles])
    with pytest.raises(UserError, match="both an image and a text are of fewer than two classes"):
        run_trial(Data(replace(deep, table=table)), replace(BASE, hierarchy="flat", epochs=1))
