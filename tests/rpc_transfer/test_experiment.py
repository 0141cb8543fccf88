"""The whole run on eight turntable fruits at 32 px: small, but every part is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repr.catalog.sources import open_data
from repr.errors import UserError
from repr.evaluation.words import rate
from repr.experiments.trials import Trial
from repr.files import held
from repr.learners import LEARNERS, VARIANTS
from repr.models.provenance import Provenance, Record, learned_from
from repr.models.weights import fresh, write_weights
from rpc_transfer import bench, experiment, report, results, summary
from rpc_transfer.configs import TransferConfig
from rpc_transfer.images import Shelf
from rpc_transfer.metrics import read_steps
from rpc_transfer.results import Results
from rpc_transfer.settings import Settings

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads gain nothing on images this small, and lose much on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random network in the place of a pretrained one: frozen learners need no training then."""
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    write_weights(path, fresh("resnet18", 32, 1))
    return str(path)


@pytest.fixture(scope="module")
def settings(shared: Path, weights: str) -> Settings:
    return Settings(
        data=(str(shared / "fruits"),),
        novel=2,
        shots=(4,),
        weights=(weights,),
        learner=("ncm", "finetune"),
        seeds=2,
        unknown=1,
        reject=0.9,
        epochs=1,
        size=32,
        device="cpu",
        workers=0,
    )


@pytest.fixture(scope="module")
def done(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return experiment.run(settings, tmp_path_factory.mktemp("run") / "first")


def test_rows_are_every_learner_with_every_weights(done: Results, weights: str) -> None:
    assert done.document.data == "fruits" and len(done.about.novel_ids) == 2 and done.document.seeds == (0, 1)
    assert [(row.config.learner, row.config.weights, row.config.features) for row in done.rows] == [
        ("ncm", "none", "base-trained"),
        ("ncm", weights, "as given"),
        ("ncm", "imagenet", "as given"),
        ("finetune", "none", "trained"),
        ("finetune", weights, "trained"),
        ("finetune", "imagenet", "trained"),
    ]
    for row in done.rows:
        assert (row.config.shots, row.config.shots_from, row.config.test_on, row.config.increments) == (4, "train", "test", (2,))
        for name in ("acc_all", "acc_base", "acc_novel", "harmonic_mean", "acc_novel_only", "ece", "auroc_unknown", "rejected_known"):
            values = row.metrics[name].values
            assert len(values) == 2 and all(value is not None and 0 <= value <= 1 for value in values), name
    json.dumps(done.document.as_json(), allow_nan=False)


def test_what_was_left_open_stands_in_its_config(done: Results, weights: str) -> None:
    config = json.loads((done.folder / "config.json").read_text(encoding="utf-8"))
    typed, resolved = config["typed"], config["resolved"]
    assert (typed["lr"], typed["split_seed"], typed["base_shots"]) == (None, None, None)
    assert (resolved["split_seed"], resolved["data_seed"], resolved["increments"], resolved["device"]) == (0, 0, [2], "cpu")
    assert resolved["weights"] == ["none", weights, "imagenet"] and resolved["size"] == [32] and resolved["test_on"] == "test"
    assert resolved["learners"]["finetune"] == {"memory": None, "epochs": 1, "lr": 0.02, "batch_size": 64, "views": "supervised"}
    training = resolved["training"]
    assert (training["weight_decay"], training["warmup"], training["updates"]) == (5e-4, 0, {"4": [1, 1]})


def test_figures_are_those_of_the_predictions(done: Results) -> None:
    """Counted again from the arrays, in another way than by rpc_transfer.metrics."""
    split = json.loads(done.split_path.read_text(encoding="utf-8"))
    base = len(split["base"])
    for row in done.rows[:2]:
        for place, seed in enumerate((0, 1)):
            arrays = done.trials(row)[seed].arrays
            right = {"base": [], "novel": []}
            for label, prediction in zip(arrays["labels"].tolist(), arrays["predictions"].tolist(), strict=True):
                if label >= 0:
                    right["base" if label < base else "novel"].append(label == prediction)
            assert row.metrics["acc_base"].values[place] == pytest.approx(sum(right["base"]) / len(right["base"]))
            assert row.metrics["acc_novel"].values[place] == pytest.approx(sum(right["novel"]) / len(right["novel"]))
            assert sum(map(len, right.values())) == 7 * 30 and (arrays["labels"] < 0).sum() == 30
            assert set(arrays["novel_only"]) <= {base, base + 1}


def test_test_images_have_the_labels_of_their_folder(done: Results) -> None:
    split = json.loads(done.split_path.read_text(encoding="utf-8"))
    arrays, images = done.trials(done.rows[0])[0].arrays, done.split.test_images(0)
    products = [*split["base"], *split["novel"]]
    for place, label in zip(arrays["tests"][::17], arrays["labels"][::17], strict=True):
        if label >= 0:
            kind = split["products"][products[label]]["name"]
            assert Path(images[place]).name.split("_")[0].replace("-", " ").lower() == kind.lower()


def test_ncm_is_the_nearest_mean_computed_here(done: Results, settings: Settings, weights: str) -> None:
    """Frozen rows against embeddings of the split file's images and scikit-learn's centroids."""
    from sklearn.neighbors import NearestCentroid

    from repr.embedding.embedder import Embedder
    from repr.models.weights import load_encoder

    split = json.loads(done.split_path.read_text(encoding="utf-8"))
    root, embedder = Path(settings.data[0]), Embedder(load_encoder(weights, size=32), device="cpu", workers=0)
    products = [*split["base"], *split["novel"]]

    def side(images: dict[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
        files = [root / name for product in products for name in images[product]]
        made = embedder.images(files)
        return made.vectors, np.repeat(np.arange(len(products)), [len(images[p]) for p in products])[made.rows]

    x, y = side(split["support"][0]["images"])
    tests, labels = side(split["tests"][0]["images"])
    means = NearestCentroid().fit(x, y).centroids_
    predictions = (tests @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(axis=1)
    assert np.mean(predictions == labels) == pytest.approx(
        done.rows[1].metrics["acc_all"].values[0], abs=0.011
    )  # the mean of unit vectors or of features


def test_the_same_seed_gives_the_same_numbers(done: Results, settings: Settings, tmp_path: Path) -> None:
    again = experiment.run(replace(settings, learner=("ncm",), seeds=1), tmp_path)
    for row, first in zip(again.rows, done.rows, strict=False):
        assert row.metrics["acc_all"].values[0] == first.metrics["acc_all"].values[0]


def test_a_split_file_given_back_gives_the_same_numbers(done: Results, settings: Settings, tmp_path: Path) -> None:
    again = experiment.run(replace(settings, novel=None, split=str(done.split_path), learner=("ncm",)), tmp_path)
    assert [row.metrics["acc_all"] for row in again.rows] == [row.metrics["acc_all"] for row in done.rows[:3]]
    untold = replace(settings, novel=None, split=str(done.split_path), learner=("ncm",), shots=(), seeds=None)
    assert [row.metrics["acc_all"] for row in experiment.run(untold, tmp_path).rows] == [row.metrics["acc_all"] for row in done.rows[:3]]
    with pytest.raises(UserError, match="4 shots a product, not 10"):
        experiment.run(replace(settings, novel=None, split=str(done.split_path), shots=(10,)), tmp_path)
    with pytest.raises(UserError, match="no seed 2"):
        experiment.run(replace(settings, novel=None, split=str(done.split_path), seeds=3), tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"novel": 3}, r"the split has 2 novel products, not 3\. Leave `novel` out"),
        ({"shots": (4, 5)}, r"the split has 4 shots a product, not 5\. Ask for `shots` 4 or fewer"),
        ({"seeds": 3}, r"the split has no seed 2 \(it has 0, 1\)\. Ask for `seeds` 2 or fewer"),
        ({"seeds": None, "seed": 7}, r"the split has no seed 7 \(it has 0, 1\)"),
        ({"split_seed": 1}, r"the split was drawn with `split_seed` 0, not 1\. Leave `split_seed` out, or draw a new split"),
        ({"unknown": 2}, r"the split was drawn with `unknown` 1, not 2"),
        ({"base_shots": 3}, r"the split was drawn with `base_shots` as many as `shots`, not 3"),
        ({"increments": "3x1"}, r"adds up to 3 products"),
    ],
)
def test_what_a_split_file_contradicts_is_refused(
    done: Results, settings: Settings, changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    of_file = replace(settings, split=str(done.split_path), novel=None, unknown=0)
    with pytest.raises(UserError, match=message):
        experiment.run(replace(of_file, **changed), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_finished_trials_are_not_computed_again(done: Results, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "run_trial", lambda *_, **__: pytest.fail("a trial was computed again"))
    before = {file: file.stat().st_mtime_ns for file in (done.folder / "trials").iterdir()}
    again = experiment.run(settings, done.folder)
    assert again.rows == done.rows
    assert {file: file.stat().st_mtime_ns for file in (done.folder / "trials").iterdir()} == before


@pytest.mark.parametrize("changed", [{"lr": 0.05}, {"memory": 9}, {"increments": "2x1"}, {"reject": 0.5}, {"epochs": 2}, {"seed": 3}])
def test_a_trial_is_computed_again_where_its_numbers_depend_on_what_changed(
    done: Results, settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copytree(done.folder, tmp_path / "run")
    computed: list[str] = []

    def trial(_: object, config: TransferConfig) -> Trial:
        computed.append(config.learner)
        return done.trials(done.rows[3])[0]

    monkeypatch.setattr(bench.Stage, "trial", trial)
    experiment.run(replace(settings, learner=("finetune",), **changed), tmp_path / "run")
    assert computed == ["finetune"] * 6


def test_settings_of_a_learner_are_rows_of_their_own(settings: Settings, tmp_path: Path) -> None:
    wanted = replace(settings, learner=("lda", "lda:shrinkage=1"), weights=("imagenet",), only_weights=True, seeds=1, epochs=None)
    rows = experiment.run(wanted, tmp_path).rows
    assert [row.config.learner for row in rows] == ["lda", "lda:shrinkage=1"] and rows[0].metrics["acc_all"] != rows[1].metrics["acc_all"]
    assert all(trial.file.startswith("lda-") and (tmp_path / "trials" / trial.file).is_file() for row in rows for trial in row.row.trials)


def test_an_interrupted_run_keeps_its_trials(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = bench.run_trial, iter(range(9))

    def interrupted(*args: object, **options: object) -> object:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)  # type: ignore[arg-type]

    few = replace(settings, learner=("ncm",), reject=None)
    with monkeypatch.context() as patch:
        patch.setattr(bench, "run_trial", interrupted)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(few, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["status"] == "stopped"
    assert len(list((tmp_path / "trials").iterdir())) == 2
    assert len(experiment.run(few, tmp_path).rows) == 3


def test_the_whole_ladder(settings: Settings, tmp_path: Path) -> None:
    """Every learner once, from one random start; each is paired with joint."""
    whole = replace(settings, learner=(*LEARNERS, *VARIANTS), weights=("none",), only_weights=True, memory=14, seeds=1, shots=(3,))
    results_of_all = experiment.run(whole, tmp_path)
    assert len(results_of_all.rows) == len(LEARNERS) + len(VARIANTS) and all("acc_all" in row.metrics for row in results_of_all.rows)
    memory = {row.config.learner: row.config.memory for row in results_of_all.rows}
    assert memory["lda"] is None and memory["lwf"] == 0 and memory["icarl"] == memory["finetune"] == 14
    assert memory["joint"] == 7 * 3, "all shots of five base and two novel products"
    against = [test for test in results_of_all.document.comparisons if test.metric == "acc_all" and test.against == "joint"]
    assert {results_of_all.rows[test.a].config.learner for test in against} == set(memory) - {"joint"}
    assert all(results_of_all.rows[test.b].config.learner == "joint" for test in against)
    before = {row.config.learner: row.metrics["acc_base_before"] for row in results_of_all.rows if "acc_base_before" in row.metrics}
    assert before["finetune"] == before["lwf"] == before["wa"] == before["bic"], "one base step"


def test_rejection_is_told_and_comes_back_with_the_split_file(done: Results, settings: Settings, tmp_path: Path) -> None:
    line = next(line for line in summary.lines(done) if line.startswith("Rejection by "))
    best = summary.best_row(done.rows)
    assert best is not None
    assert rate(best.metrics["rejected_known"]) in line and rate(best.metrics["accepted_unknown"]) in line
    again = replace(settings, novel=None, split=str(done.split_path), learner=("ncm",), split_seed=None)
    assert [row.metrics["reject_threshold"] for row in experiment.run(again, tmp_path).rows] == [
        row.metrics["reject_threshold"] for row in done.rows[:3]
    ]
    html = report.write(done.folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "known rejected" in html and ">threshold<" in html and f"{100 * best.metrics['rejected_known'].mean:.1f} (" in html


def test_many_increments_and_shots(settings: Settings, tmp_path: Path) -> None:
    many = experiment.run(replace(settings, learner=("ncm",), shots=(1, 3, 1), increments="2x1", weights=(), seeds=1), tmp_path)
    assert [(row.config.shots, row.config.weights) for row in many.rows] == [(1, "none"), (1, "imagenet"), (3, "none"), (3, "imagenet")]
    row = many.rows[1]
    steps = read_steps(many.trials(row)[0].details["steps"])
    assert [step.classes for step in steps] == [5, 6, 7]
    assert row.config.increments == (1, 1)
    assert row.metrics["avg_incremental_acc"].mean == pytest.approx(np.mean([step.acc_all for step in steps if step.acc_all is not None]))
    assert row.metrics["forgetting_base"].mean == pytest.approx((steps[0].acc_base or 0) - (steps[-1].acc_base or 0))


def test_weights_that_cannot_be_had_say_why(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from repr.models import foreign

    def absent(_: str) -> None:
        raise UserError("the package is not installed", "imagenet", "Install the extra imagenet")

    monkeypatch.setattr(foreign, "imagenet_tensors", absent)
    results = experiment.run(replace(settings, learner=("ncm",), reject=None, seeds=1), tmp_path)
    assert not results.rows[2].metrics and not results.rows[2].row.trials and "not installed" in results.rows[2].error
    text = "\n".join(summary.lines(results))
    assert "not run" in text and "imagenet could not be run: imagenet: the package is not installed" in text


def test_weights_named_that_are_not_there_are_an_error(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        experiment.run(replace(settings, weights=("nowhere",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_run_at_a_time_in_a_folder(done: Results, settings: Settings) -> None:
    with held(done.folder), pytest.raises(UserError, match="another process is writing here"):
        experiment.run(settings, done.folder)
    assert results.read(done.folder).rows == done.rows


def test_weights_that_saw_the_very_set_are_noted(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    catalog = open_data(settings.data)
    learned = learned_from(catalog, np.arange(len(catalog)))
    provenance = Provenance.of(Record("simclr", data=learned.data), hashes=learned.hashes)
    write_weights(path, replace(fresh("resnet18", 32, 1), provenance=provenance))
    wanted = replace(settings, weights=(str(path),), learner=("ncm",), only_weights=True, seeds=1, unknown=0, reject=None, epochs=None)
    document = experiment.run(wanted, tmp_path / "run").document
    (leak,) = document.leaks
    assert leak.kind == "seen" and str(leak) in document.notes
    assert "has seen all" in leak.text and "images of novel products: it was trained on 'fruits'" in leak.text


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results in this folder"):
        results.read(tmp_path)


def test_every_row_is_asked_by_the_crops(settings: Settings, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = replace(settings, learner=("ncm", "joint"), weights=(weights,), only_weights=True, seeds=1, unknown=0, reject=None)
    wanted = replace(wanted, features="both")
    whole, close = (experiment.run(replace(wanted, crops=crops), tmp_path / "run") for crops in ((), (1.0, 0.6)))
    assert [(row.config.features, row.config.crops) for row in close.rows] == [
        ("as given", (1.0, 0.6)),
        ("base-trained", (1.0, 0.6)),
        ("trained", (1.0, 0.6)),
    ]
    assert all(a.metrics["ece"].mean != b.metrics["ece"].mean for a, b in zip(whole.rows, close.rows, strict=True))
    assert any("1,0.6" in line for line in summary.lines(close))
    closer = tmp_path / "close.safetensors"
    write_weights(closer, replace(fresh("resnet18", 32, 1), crops=(1.0, 0.6)))
    packed: list[int] = []
    real = Shelf.pixels
    monkeypatch.setattr(Shelf, "pixels", lambda shelf, size: packed.append(size) or real(shelf, size))  # type: ignore[func-returns-value]
    of_weights = experiment.run(replace(wanted, weights=(str(closer),)), tmp_path / "weights")
    assert [row.metrics["ece"] for row in of_weights.rows] == [row.metrics["ece"] for row in close.rows]
    assert set(packed) == {54}, "squares that hold enough for the middle"
    two = replace(wanted, weights=(weights, str(closer)), learner=("ncm",), features="given", epochs=None)
    one, other = experiment.run(two, tmp_path / "two").rows
    assert one.metrics["ece"] != other.metrics["ece"], "one network, looked through in two ways"
    with pytest.raises(UserError, match=r"crops is 1\.5"):
        replace(wanted, crops=(1.5,))


def test_a_share_of_the_base_training_is_mixed_into_the_start(settings: Settings, weights: str, tmp_path: Path) -> None:
    wanted = replace(settings, learner=("lda",), weights=(weights, "none"), only_weights=True, seeds=1, unknown=0, reject=None)
    wanted = replace(wanted, features="both")
    whole, half, little = (experiment.run(replace(wanted, base_alpha=share), tmp_path / str(share)) for share in (1.0, 0.5, 1e-6))
    rows = {
        run: {(row.config.weights, row.config.features): row.metrics["ece"].mean for row in results.rows}
        for run, results in enumerate((whole, half, little))
    }
    given, trained, scratch = (weights, "as given"), (weights, "base-trained"), ("none", "base-trained")
    assert rows[2][trained] == pytest.approx(rows[2][given], abs=1e-3)  # next to nothing of it is the start
    assert len({rows[run][trained] for run in rows}) == 3
    assert rows[0][scratch] == rows[1][scratch] == rows[2][scratch]  # nothing to mix a random start with
    assert any("0.5 of what the base step made" in note for note in half.document.notes)
    with pytest.raises(UserError, match="base_alpha"):
        experiment.run(replace(wanted, features="given", base_alpha=0.5), tmp_path / "none")
    with pytest.raises(UserError, match="above 0 to 1"):
        replace(wanted, base_alpha=0.0)
