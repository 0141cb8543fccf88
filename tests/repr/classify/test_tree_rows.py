from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from repr.arrays import Ints
from repr.catalog.table import Catalog
from repr.classify import tree_fit, tree_model
from repr.classify.combinations import combine
from repr.classify.data import Data
from repr.classify.experiment import run, run_trial
from repr.classify.image import ImageFeatures
from repr.classify.levels import finest, level_labels
from repr.classify.settings import Settings
from repr.classify.subtree import subtree
from repr.classify.summary import comparisons, summarise
from repr.classify.tree_model import FrozenInputs
from repr.errors import UserError
from repr.experiments.trials import Trial

BASE = Settings(model="ngram", mask=True, epochs=15, lr=0.01)


def known(trial: Trial) -> dict[str, float]:
    return {name: value for name, value in trial.metrics.items() if value is not None}


def metrics(data: Data, settings: Settings) -> dict[str, float]:
    """Of the trial, those that apply."""
    return known(run_trial(data, settings))


def test_levels_that_part_nothing_further_are_left_out(shop: Catalog) -> None:
    found = level_labels(Data(shop))
    assert found.levels == (1, 2) and found.labels.shape == (160, 2) and (found.labels[:, 1] // 2 == found.labels[:, 0]).all()
    assert found.real == (2, 4) and (found.own == found.labels).all()


def test_one_net_answers_on_every_level(shop: Catalog) -> None:
    rows = combine(BASE, models=["ngram"], levels=[1, 2], hierarchies=["flat", "coarse-to-fine"])
    found = run(lambda *_: shop, rows, [0, 1]).trials
    trials = [trial for of_row in found for _, trial in of_row]
    assert all(isinstance(trial, Trial) and trial.metrics["top1"] > 0.9 and trial.metrics["hF"] > 0.9 for trial in trials)  # type: ignore[operator]
    made = [summarise(row, of_row) for row, of_row in zip(rows, found, strict=True)]
    flat, deep = made[0].row.metrics["fit_seconds"].values, made[1].row.metrics["fit_seconds"].values
    assert flat == deep and made[0].config.level != made[1].config.level  # trained once for both levels
    assert [(test.a, test.b, test.against, test.n) for test in comparisons(made)] == [(2, 0, "flat", 2), (3, 1, "flat", 2)]


def test_a_subtree_of_one_class_on_the_levels_above(shop: Catalog) -> None:
    """Below one class the first level parts nothing: the nets work on the levels that do."""
    food = subtree(shop, "Food")
    assert level_labels(Data(food)).levels == (2,)
    assert metrics(Data(food), replace(BASE, hierarchy="coarse-to-fine", level=2))["top1"] > 0.9
    with pytest.raises(UserError, match="no level has two classes"):
        level_labels(Data(shop.select(shop.column("class_2") == 0)))


def test_missing_labels_are_weak_supervision_too(shop: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = tree_fit.fit_hierarchy
    monkeypatch.setattr(tree_fit, "fit_hierarchy", lambda *given, **more: asked.append(more["weak"]) or original(*given, **more))
    fine = shop.column("class_2").astype(np.int32)
    fine[np.arange(160) % 40 < 8] = -1
    some = replace(shop, table=shop.table.set_column(shop.table.schema.get_field_index("class_2"), "class_2", pa.array(fine)))
    settings = replace(BASE, hierarchy="flat", epochs=1, weak="residual")
    for catalog in (some, shop):
        run_trial(Data(catalog), settings)
    assert asked == ["residual", "masked"]
    assert settings.relevant() != replace(settings, weak="children").relevant()


def test_a_level_without_a_labelled_test_row(shop: Catalog) -> None:
    fine = shop.column("class_2").astype(np.int32)
    fine[120:] = -1
    some = replace(shop, table=shop.table.set_column(shop.table.schema.get_field_index("class_2"), "class_2", pa.array(fine)))
    with pytest.raises(UserError, match="no test row has a label on level 2"):
        run_trial(Data(some), replace(BASE, hierarchy="flat", epochs=1))


def test_image_and_text_side_by_side(shop: Catalog) -> None:
    settings = Settings(model="concat", hierarchy="fine-to-coarse", weights="none", size=32, epochs=15, lr=0.01)
    trial = run_trial(Data(shop), settings)
    row = known(trial)
    assert row["top1"] > 0.9 and " + " in trial.note and settings.modality == "image+text"
    assert 0.4 < row["missing/image"] <= row["top1"] and 0.4 < row["missing/text"] <= row["top1"]


def test_what_is_missing_says_nothing(shop: Catalog) -> None:
    """In its place stands the mean of the training rows, and rows with nothing left are not there."""
    data, settings = Data(shop), Settings(model="concat", hierarchy="flat", weights="none", size=32)
    inputs = FrozenInputs.learn(data, settings, np.arange(120), np.arange(120) % 4)
    whole, blind = inputs(data), inputs(data.without("image"))
    text = whole.vectors.shape[1] - ImageFeatures(settings)(data).vectors.shape[1]
    np.testing.assert_array_equal(blind.vectors[:, -text:], whole.vectors[:, -text:])
    np.testing.assert_allclose(blind.vectors[:, :-text], np.tile(whole.vectors[:120, :-text].mean(axis=0), (160, 1)), atol=1e-5)
    assert blind.present.all() and not inputs(data.without("image").without("text")).present.any()


@pytest.mark.parametrize("weak", ["masked", "children", "residual"])
def test_few_fine_labels(shop: Catalog, weak: str) -> None:
    settings = replace(BASE, hierarchy="flat", fine_share=0.2, weak=weak)
    assert metrics(Data(shop), settings)["top1"] > 0.5 and settings.config.weak == weak


def test_what_text_features_and_hold_out_may_know(shop: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deepest label a row is known by, and none that --fine-share hides; nor do counts and temperature know those."""
    seen = []
    original = tree_model.text_encoder
    monkeypatch.setattr(tree_model, "text_encoder", lambda *given: seen.append(given) or original(*given))
    settings = replace(BASE, hierarchy="flat", text_encoder="bert", epochs=1)
    run_trial(Data(shop), settings)
    assert settings.config.text_encoder == "ngram" and len(np.unique(seen[0][3])) == 4
    assert settings.relevant() == replace(settings, text_encoder="ngram").relevant()
    assert metrics(Data(shop), replace(settings, fine_share=0.1))["rows/train"] == 12 and len(np.unique(seen[1][3])) == 6


def test_finest_labels_protect_their_classes() -> None:
    labels = np.array([[0, 0], [0, 1], [0, -1], [1, 2], [1, -1]])
    assert finest(labels).tolist() == [2, 3, 0, 4, 1]


def test_adjusted_scores_choose_the_path_and_plain_ones_are_calibrated(shop: Catalog) -> None:
    plain, adjusted = (run_trial(Data(shop), replace(BASE, hierarchy="flat", level=1, adjust=tau)) for tau in (0.0, 50.0))
    assert known(adjusted)["ece"] == pytest.approx(known(plain)["ece"], abs=1e-6)
    assert adjusted.details["reliability"] == plain.details["reliability"]


def test_what_does_not_fit(shop: Catalog) -> None:
    with pytest.raises(UserError, match="level 3 has no classes beyond"):
        run_trial(Data(shop), Settings(hierarchy="flat", level=3, epochs=1))
    with pytest.raises(UserError, match="Did you mean flat"):
        Settings(hierarchy="flatt")
    with pytest.raises(UserError, match="fine_share"):
        Settings(fine_share=0.5)
    with pytest.raises(UserError, match="side by side, not by gated"):
        Settings(model="gated", hierarchy="flat")
    with pytest.raises(UserError, match="dcl is for images trained end to end"):
        Settings(model="resnet50", hierarchy="flat", method="dcl")
    assert np.isfinite(metrics(Data(shop), Settings(hierarchy="flat", level=1, epochs=1))["ece"])


def without_fine(shop: Catalog, rows: Ints) -> Catalog:
    fine = shop.column("class_2").astype(np.int32)
    fine[rows] = -1
    return replace(shop, table=shop.table.set_column(shop.table.schema.get_field_index("class_2"), "class_2", pa.array(fine)))


def test_a_class_without_classes_below_it_stands_for_itself_and_is_not_tested_there(shop: Catalog) -> None:
    bare = without_fine(shop, np.flatnonzero(shop.column("class_1") == 0))
    found = level_labels(Data(bare))
    assert found.names == (("Food", "Wear"), ("Boots", "Cap", "Food")) and found.real == (2, 2)
    assert found.labels[:4].tolist() == [[0, 2], [0, 2], [1, 0], [1, 1]] and found.own[:3].tolist() == [[0, -1], [0, -1], [1, 0]]
    for net in ("flat", "coarse-to-fine"):
        coarse, fine = (metrics(Data(bare), replace(BASE, hierarchy=net, level=level)) for level in (1, 2))
        assert coarse["rows/test"] == 40 and fine["rows/test"] == 20 and min(coarse["top1"], fine["top1"]) > 0.9


def test_a_fine_class_that_a_label_does_not_tell_is_no_mistake(shop: Catalog) -> None:
    row = metrics(Data(without_fine(shop, np.arange(120, 160, 2))), replace(BASE, hierarchy="flat"))
    assert row["rows/test"] == 20 and row["top1"] > 0.8 and row["hP"] == row["hR"] > 0.9
