"""Kept runs joined: against scikit-learn, and refused where their splits differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.metrics import f1_score

from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.ensemble import MEAN, VOTE, bootstrap, f1, join, listed
from repr.classify.experiment import run_trial
from repr.classify.kept import TESTED, read_tested
from repr.classify.settings import Settings
from repr.errors import UserError


@pytest.fixture(scope="module")
def runs(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for name, settings in {
        "text": Settings(model="ngram", level=2),
        "image": Settings(model="encoder", level=2, weights="none", size=32, epochs=2),
        "both": Settings(model="concat", level=2, weights="none", size=32, epochs=3),
        "coarse": Settings(model="ngram", level=1),
    }.items():
        run_trial(Data(shop), settings, root / name)
    column = shop.table.schema.get_field_index("split")
    split = ["train"] * 119 + ["test"] * 41
    moved = Catalog(shop.table.set_column(column, "split", [split]), shop.classes, shop.sources)
    run_trial(Data(moved), Settings(model="ngram", level=2), root / "moved")
    return root


def named(folder: Path, *names: str) -> Path:
    file = folder / "members.txt"
    file.write_text("# the members\n" + "\n".join(names), encoding="utf-8")
    return file


@pytest.mark.parametrize("seed", range(3))
def test_f1_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 5, 60), rng.integers(0, 6, 60)
    macro, weighted = f1(truth, predicted, 8)
    assert macro == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert weighted == pytest.approx(f1_score(truth, predicted, average="weighted"))


def test_the_interval_of_a_sure_thing_is_a_point_and_draws_are_shared() -> None:
    truth = np.arange(40) % 4
    same, other = bootstrap(truth, [truth, truth], 4, np.random.default_rng(0), 20)
    assert (same == 1).all() and np.array_equal(same, other)


def test_votes_and_means_of_the_members(runs: Path) -> None:
    found = join(named(runs, "text", "image", "both"))
    members = [read_tested(runs / name) for name in ("text", "image", "both")]
    truth = members[0].truth
    mean = np.mean([member.probabilities for member in members], axis=0).argmax(axis=1)
    scores = {one.name.rpartition("/")[2]: one for one in found.scored}
    assert scores[MEAN].f1_macro == pytest.approx(f1_score(truth, mean, average="macro"))
    assert set(scores) == {"text", "image", "both", VOTE, MEAN} and found.rows == 40
    assert all(one.low <= one.f1_macro + 0.05 and one.high >= one.f1_macro - 0.05 for one in found.scored)
    assert len(found.differences) == 6
    json.dumps(found.as_json())


@pytest.mark.parametrize(
    ("other", "words"), [("coarse", "its classes are others"), ("moved", r"tested on other rows than .*, such as 119 119\.png")]
)
def test_runs_that_do_not_belong_together(runs: Path, other: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        join(named(runs, "text", other))


def test_a_member_whose_probabilities_do_not_sum_to_one(runs: Path, tmp_path: Path) -> None:
    for name in ("text", "image"):
        shutil.copytree(runs / name, tmp_path / name)
    arrays = load_file(tmp_path / "image" / TESTED)
    save_file({**arrays, "probabilities": 2 * arrays["probabilities"]}, tmp_path / "image" / TESTED)
    with pytest.raises(UserError, match=r"image/tested\.safetensors: the probabilities of 40 rows do not sum to one"):
        join(named(tmp_path, "text", "image"))


def test_files_that_name_no_ensemble(runs: Path, tmp_path: Path) -> None:
    for names in (("text",), ("text", "text")):
        with pytest.raises(UserError, match="two runs or more, each named once"):
            listed(named(runs, *names))
    with pytest.raises(UserError, match="no such file"):
        listed(tmp_path / "none")
    (tmp_path / "e.json").write_text('{"run": []}', encoding="utf-8")
    with pytest.raises(UserError, match="no runs in it"):
        listed(tmp_path / "e.json")
    (tmp_path / "e.json").write_text('{"runs": ["a", "b"]}', encoding="utf-8")
    assert listed(tmp_path / "e.json") == [tmp_path / "a", tmp_path / "b"]
