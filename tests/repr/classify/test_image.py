from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.classify.combinations import combine
from repr.classify.data import Data
from repr.classify.experiment import run, run_trial
from repr.classify.image import ImageFeatures
from repr.classify.leaks import leaks_of
from repr.classify.settings import Settings
from repr.errors import UserError
from repr.experiments.trials import NotRun
from repr.models.provenance import Provenance, Record, learned_from
from repr.models.weights import fresh, write_weights

pytestmark = pytest.mark.usefixtures("thin")


def test_frozen_features_below_a_linear_layer(shop: Catalog) -> None:
    trial = run_trial(Data(shop), Settings(model="encoder", weights="none", size=32, epochs=10))
    row = trial.metrics
    assert row["top1"] > 0.9 and "frozen none" in trial.note


def test_from_scratch_end_to_end(shop: Catalog) -> None:
    trial = run_trial(Data(shop), Settings(model="encoder", weights="none", end_to_end=True, size=32, epochs=4, batch_size=16))
    row = trial.metrics
    assert row["top1"] > 0.5 and "end to end from scratch" in trial.note


@pytest.mark.parametrize("model", ["vgg19", "inception_v3", "resnet50"])
def test_frozen_without_weights_is_not_run(shop: Catalog, model: str) -> None:
    with pytest.raises(NotRun, match="no weights"):
        run_trial(Data(shop), Settings(model=model, end_to_end=False))


def test_weights_of_another_network(shop: Catalog) -> None:
    with pytest.raises(UserError, match="weights of resnet18, not of resnet50"):
        run_trial(Data(shop), Settings(model="resnet50", weights="none"))


def test_each_model_finds_its_weights(tmp_path: Path) -> None:
    write_weights(tmp_path / "r18.safetensors", fresh("resnet18", 32, 0))
    named = (str(tmp_path / "r18.safetensors"), "none")
    rows = combine(Settings(), models=["resnet50", "encoder", "ngram"], levels=[2], weights=named)
    assert [(row.model, row.weights) for row in rows] == [("resnet50", ""), ("encoder", named[0]), ("encoder", "none"), ("ngram", "")]


def test_weights_that_have_seen_the_test_images_are_named_once_a_split(
    shop: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learned = learned_from(shop, np.flatnonzero(shop.column("split") == "test"))
    provenance = Provenance.of(Record("simclr", data=learned.data), hashes=learned.hashes)
    write_weights(tmp_path / "w.safetensors", replace(fresh("resnet18", 32, 0), provenance=provenance, name="C+C"))
    base = Settings(size=32, epochs=1)
    rows = combine(base, models=["encoder", "ngram"], levels=[1, 2], weights=[str(tmp_path / "w.safetensors"), "none"])
    assert [leak.kind for leak in leaks_of(rows, shop)] == ["seen"]
    assert leaks_of([replace(base, model="encoder", weights="nowhere"), base], shop) == []
    run(lambda *_: shop, rows, [0])
    told = capsys.readouterr().err
    assert told.count("Note: 'C+C' has seen all 40 test images: it was trained on ") == 1


def test_unreadable_images_count_as_missing(shop: Catalog, tmp_path: Path) -> None:
    for row, name in enumerate(shop.column("path")):
        blob = b"no image" if row in (3, 130) else (shop.sources[0].root / name).read_bytes()
        (tmp_path / name).write_bytes(blob)
    broken = replace(shop, sources=(replace(shop.sources[0], root=tmp_path),))
    settings = Settings(model="encoder", weights="none", size=32, epochs=10)
    features = ImageFeatures(settings)(Data(broken))
    assert np.flatnonzero(~features.present).tolist() == [3, 130] and not features.vectors[130].any()
    trial = run_trial(Data(broken), settings)
    row = trial.metrics
    assert row["rows/test"] == 40 and row["top1"] > 0.85
