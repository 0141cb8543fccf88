"""Feature-level fusion on towers that are trained: by themselves, or end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from repr import Classifier
from repr.catalog.table import Catalog
from repr.classify import FUSIONS
from repr.classify.data import Data, Features
from repr.classify.experiment import run_trial
from repr.classify.fusion import Fusion
from repr.classify.image import Image
from repr.classify.joint import EndToEnd, Images, Vectors, recipe
from repr.classify.settings import Settings
from repr.classify.state import Restored
from repr.classify.towers import ImageTower
from repr.errors import UserError
from repr.images.views import plain

pytestmark = pytest.mark.usefixtures("thin")
SMALL = Settings(model="concat", level=2, weights="none", size=32, epochs=1, scale=0.1)


def fitted(shop: Catalog, settings: Settings) -> Fusion:
    data = Data(shop)
    problem = data.problem(2)
    rows = problem.train
    return Fusion(settings).fit(data, rows, problem.labels[rows], 4, torch.Generator().manual_seed(0))


def bare(shop: Catalog) -> Catalog:
    """The shop without the titles of every fifth row, and with one image that cannot be read."""
    titles = [None if row % 5 == 0 else title for row, title in enumerate(shop.table["title"].to_pylist())]
    table = shop.table.set_column(shop.table.schema.get_field_index("title"), "title", pa.array(titles, pa.string()))
    paths = ["gone.png" if row in (3, 131) else path for row, path in enumerate(shop.table["path"].to_pylist())]
    return replace(shop, table=table.set_column(table.schema.get_field_index("path"), "path", pa.array(paths, pa.string())))


@pytest.mark.parametrize("towers", ["trained", "joint"])
@pytest.mark.parametrize("encoder", ["ngram", "bert"])
def test_trained_measured_kept_and_asked(shop: Catalog, tmp_path: Path, tiny_bert: Path, towers: str, encoder: str) -> None:
    settings = replace(SMALL, towers=towers, text_encoder=encoder, bert=str(tiny_bert) if encoder == "bert" else "")
    trial = run_trial(Data(bare(shop)), settings, tmp_path / "model")
    assert "trained none (resnet18, 32 px)" in trial.note and ("end to end" in trial.note) == (towers == "joint")
    assert {"missing/image", "missing/text", "buckets/medium/recall"} <= set(trial.metrics)
    found = Classifier.load(tmp_path / "model").probabilities(bare(shop).select(trial.arrays["rows"]))
    assert np.array_equal(found.max(axis=1), trial.arrays["confidence"])


@pytest.mark.parametrize("model", FUSIONS)
def test_end_to_end_it_learns_and_so_do_its_towers(shop: Catalog, model: str) -> None:
    model_ = fitted(shop, replace(SMALL, model=model, towers="joint", epochs=4, batch_size=16))
    before = ImageTower.start(SMALL).encoder.state_dict()
    after = model_.look_.encoder.state_dict()  # type: ignore[union-attr]
    assert not torch.equal(after["network.conv1.weight"], before["network.conv1.weight"])
    rows = np.arange(120, 160)
    assert (model_.logits(Data(shop), rows).argmax(axis=1) == rows % 4).mean() > 0.5


def test_end_to_end_is_towers_and_fusion_one_after_the_other(shop: Catalog) -> None:
    """Against a loop over single rows, in eval mode; a row without an image or a text says so."""
    catalog = bare(shop)
    tower, data = ImageTower.start(SMALL), Data(catalog)
    vectors = np.random.default_rng(0).normal(size=(160, 5)).astype(np.float32)
    there = np.arange(160) % 5 != 0
    fused = torch.nn.Linear(tower.encoder.dim + 1 + 5 + 1, 3)
    network = EndToEnd(Images(data, tower, torch.Generator()), Vectors(Features(vectors, there, "made up")), fused).eval()
    pack, place = data.pixels(32)
    with torch.no_grad():
        found = network(torch.tensor([0, 1, 2, 3]))
        for row in range(4):
            pixels = torch.from_numpy(pack[max(place[row], 0)][None])
            image = tower.encoder(plain(pixels, 32))[0]
            flags = [torch.tensor([float(flag)]) for flag in (place[row] >= 0, there[row])]
            wanted = fused(torch.cat([image, flags[0], torch.from_numpy(vectors[row]), flags[1]]))
            torch.testing.assert_close(found[row], wanted, rtol=1e-3, atol=1e-4)
    assert place[3] == -1


def test_a_tower_trained_by_itself_is_the_image_models_own(shop: Catalog) -> None:
    data = Data(shop)
    rows, labels = np.arange(120), np.arange(120) % 4
    given = (rows, labels, 4)
    tower = ImageTower.trained(data, SMALL, *given, torch.Generator().manual_seed(1))
    alone = Image(replace(SMALL, model="encoder", end_to_end=True)).fit(data, *given, torch.Generator().manual_seed(1))
    for name, tensor in alone.network_.encoder.state_dict().items():  # type: ignore[operator, union-attr]
        assert torch.equal(tower.encoder.state_dict()[name], tensor), name


def test_an_images_features_are_the_same_to_the_bit_in_every_company(shop: Catalog) -> None:
    tower = ImageTower.start(SMALL)
    whole = tower(Data(shop)).vectors
    order = np.random.default_rng(0).permutation(160)[:37]
    assert np.array_equal(tower(Data(shop.select(order))).vectors, whole[order])
    again = ImageTower.restore(SMALL, Restored(tower.state(), "here"))
    assert np.array_equal(again(Data(shop)).vectors, whole)


def test_rates_of_what_is_trained_end_to_end() -> None:
    row = replace(SMALL, towers="joint", epochs=None, scale=1.0)
    assert (recipe(row)["lr"], recipe(row)["epochs"]) == (1e-3, 10)
    bert = replace(row, text_encoder="bert")
    assert recipe(bert)["lr"] == 5e-5 and recipe(replace(bert, lr=0.1))["lr"] == 0.1
    assert recipe(replace(bert, preset="rakuten"))["optimiser"] == "adamw" and recipe(replace(row, preset="rakuten"))["optimiser"] == "sgd"


def test_towers_are_part_of_a_fused_rows_identity_alone() -> None:
    assert SMALL.relevant() != replace(SMALL, towers="joint").relevant() and replace(SMALL, towers="joint").config.towers == "joint"
    text = Settings(model="ngram")
    assert text.relevant() == replace(text, towers="joint").relevant() and replace(text, towers="joint").config.towers == ""
    with pytest.raises(UserError, match="stand on frozen features"):
        replace(SMALL, towers="joint", hierarchy="flat")
    assert replace(SMALL, towers="trained", method="dcl").config.method == "dcl"
    with pytest.raises(UserError, match="trained end to end"):
        replace(SMALL, towers="joint", method="dcl")


def test_no_training_row_shows_a_tower_anything(shop: Catalog) -> None:
    titles = pa.array([None] * 160, pa.string())
    silent = replace(shop, table=shop.table.set_column(shop.table.schema.get_field_index("title"), "title", titles))
    with pytest.raises(UserError, match="no training row has a"):
        fitted(silent, replace(SMALL, towers="joint"))
