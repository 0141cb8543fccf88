"""Kept models asked for products, one by one and by the catalog."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repr.catalog import rakuten
from repr.catalog.sources import read_source
from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.predict import Classifier, write_predictions
from repr.classify.settings import Settings
from repr.errors import UserError


@pytest.fixture(scope="module")
def both(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    out = tmp_path_factory.mktemp("both")
    run_trial(Data(shop), Settings(model="concat", level=2, weights="none", size=32, epochs=10), out / "model")
    return Classifier.load(out / "model")


def test_one_product_by_what_is_known_of_it(both: Classifier, shop: Catalog) -> None:
    row = 2
    title, image = shop.table["title"][row].as_py(), shop.file(row)
    found = both.predict(title, image)
    parents = {"Apple": "Food", "Leek": "Food", "Boots": "Wear", "Cap": "Wear"}
    assert found.path == (parents[found.answer], found.answer) and set(found.classes) == set(parents)
    assert list(found.probabilities) == sorted(found.probabilities, reverse=True) and sum(found.probabilities) == pytest.approx(1, abs=1e-5)
    assert both.predict(title).probabilities != found.probabilities and both.predict(image=image).image == image.name
    assert both.predict(title, threshold=1.0).answer == "unsure"
    of_catalog = both.of_catalog(shop.select(np.array([row])))[0]
    assert of_catalog.classes == found.classes and of_catalog.probabilities == pytest.approx(found.probabilities, abs=1e-5)


def test_nothing_known_of_a_product(both: Classifier, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is known"):
        both.predict()
    with pytest.raises(UserError, match="no such image"):
        both.predict("boots", tmp_path / "none.jpg")


def test_what_the_model_cannot_see_is_said(both: Classifier, shop: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(shop.file(0).read_bytes()[:40])
    with pytest.raises(UserError, match="not an image that can be read"):
        both.predict("boots", torn)
    with pytest.raises(UserError, match="sees nothing of the product: it looks at images, titles and descriptions"):
        both.predict("!!!")
    run_trial(Data(shop), Settings(model="ngram", level=2), tmp_path / "text")
    text = Classifier.load(tmp_path / "text")
    with pytest.raises(UserError, match="it looks at titles and descriptions"):
        text.predict(image=shop.file(0))
    at = shop.table.schema.get_field_index("title")
    bare = replace(shop, table=shop.table.set_column(at, "title", [["?"] * 3 + shop.table["title"].to_pylist()[3:]]))
    caplog.set_level("INFO")
    predictions = text.of_catalog(bare)
    assert "sees nothing of 3 of 160 products, such as 0" in caplog.text
    shares = np.bincount(shop.column("class_2")[:120]) / 120
    assert predictions[0].probabilities[0] == pytest.approx(shares.max(), abs=0.05)


def test_files_of_predictions(both: Classifier, shop: Catalog, tmp_path: Path) -> None:
    found = both.of_catalog(shop.select(np.arange(120, 130)), top=2, threshold=0.5)
    for name in ("p.csv", "p.jsonl"):
        write_predictions(tmp_path / name, found)
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    for row, line, one in zip(rows, lines, found, strict=True):
        assert row["class"] == line["class"] == one.classes[0] and float(row["probability"]) == line["probability"]
        assert row["path"].split(" > ") == line["path"] and row["class_2"] == line["top"][1]["class"]
        assert (row["unsure"] == "yes") == line["unsure"] == (one.probabilities[0] < 0.5)
    with pytest.raises(UserError, match=r"Name it \.csv or \.jsonl"):
        write_predictions(tmp_path / "p.txt", found)


@pytest.mark.parametrize("layout", ["sigir", "ens"])
def test_a_submission_in_the_challenges_form(
    layout: str, tmp_path: Path, write_rakuten: Callable[..., Path], offers: Sequence[object]
) -> None:
    train = read_source(write_rakuten(tmp_path / "train", layout, offers[:80]))
    test = write_rakuten(tmp_path / "test", layout, offers[80:], part="test")
    labels = next(file for file in test.iterdir() if file.name.startswith("Y_"))
    divided = train.table.set_column(train.table.schema.get_field_index("split"), "split", [["train"] * 70 + ["test"] * 10])
    run_trial(Data(Catalog(divided, train.classes, train.sources, 1)), Settings(model="ngram", level=1), tmp_path / "model")
    truth = labels.read_text(encoding="utf-8").replace("\r\n", "\n").splitlines()
    labels.unlink()
    file = rakuten.products_of(test)
    found = Classifier.load(tmp_path / "model").of_catalog(read_source(file))
    rakuten.write_submission(tmp_path / "out", file, {(one.product, one.image): one.classes[0] for one in found})
    written = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert written[0] == truth[0] and len(written) == len(truth)
    assert len(set(written) & set(truth)) > 30 if layout == "ens" else np.mean(np.array(written) == np.array(truth)) > 0.7
    with pytest.raises(UserError, match="without a prediction"):
        rakuten.write_submission(tmp_path / "none", file, {})
