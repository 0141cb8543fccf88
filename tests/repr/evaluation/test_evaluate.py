"""`repr evaluate` on real images and on vectors: the table, the JSON object, the page; raw pixels and resolutions."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from repr.catalog.division import Division
from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.cli.evaluate import command
from repr.errors import UserError
from repr.evaluation.evaluate import Constants, announce, evaluate
from repr.evaluation.pixels import pixel_features
from repr.evaluation.resolution import by_resolution, short_sides
from repr.experiments import document
from repr.experiments.document import Document
from repr.models.provenance import NOT_KNOWN, Provenance, Record, learned_from
from repr.models.weights import Weights, fresh, write_weights

pytestmark = pytest.mark.usefixtures("thin")


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def shop(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four products of the grocery set, eight train and four test images each, as a catalog file; one more is broken."""
    whole = open_data([shared / "grocery"])
    rows = []
    for product in ("1", "11", "31", "61"):
        for split, n in (("train", 8), ("test", 4)):
            of_product = np.flatnonzero((whole.column("product") == product) & (whole.column("split") == split))
            rows += of_product[:n].tolist()
    path = tmp_path_factory.mktemp("shop") / "shop.parquet"
    whole.select(np.array(rows)).write(path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("weights")
    for seed in (0, 1):
        write_weights(folder / f"w{seed}.safetensors", fresh("resnet18", 32, seed))
    return [folder / "w0.safetensors", folder / "w1.safetensors"]


def evaluated(*arguments: str | Path) -> Document:
    """What the command prints with --json."""
    return Document.from_json(json.loads(call(*arguments, "--json").stdout))


def test_several_weights_in_one_table_with_page_and_vectors(tmp_path: Path, shop: Path, weights: list[Path]) -> None:
    out = tmp_path / "run"
    options = ["--data", shop, "--weights", weights[0], "--weights", weights[1], "--device", "cpu", "--epochs", "20"]
    shown = evaluated(*options, "--out", out)
    assert [row.config["weights"] for row in shown.rows] == ["none", "none (2)", "raw pixels (32 px)"] and shown.about["quarantined"] == 0
    for row in shown.rows:
        assert [row.config[name] for name in ("stored", "queries", "k", "level")] == [32, 16, 32, 2]
        assert list(row.group("macro")) == ["recall@1", "recall@5", "recall@10", "map@r", "r_precision", "mrr"]
        rates = [*map(row.metrics.get, (*shown.shown, "recall@10", "mrr")), *row.group("macro").values(), *row.group("level").values()]
        assert all(rate is not None and 0 <= rate.mean <= 1 and rate.ci95 is None and rate.values == (rate.mean,) for rate in rates)
        assert sum(images.mean for images in row.group("images").values()) == 16 and set(row.group("resolution")) == set(
            row.group("images")
        )
        assert row.metrics["lone_queries"].mean == 0
    assert {name: shown.about[name] for name in ("knn_k", "knn_temperature", "linear_epochs", "linear_seed")} == {
        "knn_k": 200, "knn_temperature": 0.1, "linear_epochs": 20, "linear_seed": 0
    }  # fmt: skip
    config = json.loads((out / "config.json").read_text())
    assert config["typed"]["size"] is None and config["typed"]["k"] == 200
    assert {name: config["resolved"][name] for name in ("weights", "size", "k", "level", "device", "data_seed", "linear_lr")} == {
        "weights": ["none", "none (2)"], "size": [32, 32], "k": [32], "level": 2, "device": "cpu", "data_seed": 0,
        "linear_lr": [0.1 * 32 / 256]
    }  # fmt: skip
    written = document.read(out)
    assert [[trial.file for trial in row.trials] for row in written.rows] == [["none.npz"], ["none-2.npz"], [""]]
    assert [row.metrics for row in written.rows] == [row.metrics for row in shown.rows] and (out / "none-2.npz").is_file()
    assert len({row.trials[0].split for row in written.rows}) == 1

    page = (out / "report.html").read_text()
    assert "Map of the embedding" in page and "By raw pixels" in page and "http://" not in page and "https://" not in page
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])  # type: ignore[index]
    assert len(data["maps"]) == 2 and len(data["labels"]) == len(data["maps"][0]["points"]) == 16

    (again,) = evaluated("--embeddings", out / "none.npz", "--epochs", "20").rows
    micro = ("recall@1", "recall@5", "map@r", "mrr", "macro/recall@1")
    assert [again.metrics[name].mean for name in micro] == pytest.approx([shown.rows[0].metrics[name].mean for name in micro])
    table = call("--config", out / "config.json", "--out", tmp_path / "other").stdout
    assert "capped from 200" in table and table.count("raw pixels") == 2  # in the table, and in that of the levels
    assert "level 1" in table and "nearest neighbour is right on each level" in table


def test_crops_are_another_encoder_and_stand_in_the_name(tmp_path: Path, shop: Path, weights: list[Path]) -> None:
    options = ["--data", shop, "--weights", weights[0], "--no-raw-pixels", "--device", "cpu", "--epochs", "1"]
    (whole,) = evaluated(*options).rows
    (close,) = evaluated(*options, "--crops", "1,0.4", "--out", tmp_path / "run").rows
    assert close.config["weights"] == f"{whole.config['weights']}, crops 1,0.4" and close.trials[0].split == whole.trials[0].split
    assert all(close.metrics[name] != whole.metrics[name] for name in ("map@r", "effective_rank"))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["typed"]["crops"] == [1.0, 0.4]
    (again,) = evaluated("--config", tmp_path / "run" / "config.json", "--out", tmp_path / "again").rows
    assert again.metrics == close.metrics


def test_weights_that_saw_the_test_images_are_told_in_json_and_page(tmp_path: Path, shop: Path) -> None:
    catalog = open_data([shop])
    learned = learned_from(catalog, np.arange(len(catalog)))
    provenance = Provenance.of(Record("simclr", data=learned.data), hashes=learned.hashes)
    write_weights(tmp_path / "C+C.safetensors", replace(fresh("resnet18", 32, 0), provenance=provenance, name="C+C"))
    options = ["--data", shop, "--no-raw-pixels", "--device", "cpu", "--epochs", "1", "--weights"]
    shown = evaluated(*options, tmp_path / "C+C.safetensors", "--out", tmp_path / "run")
    (leak,) = shown.leaks
    assert (leak.kind, leak.share) == ("seen", 1.0) and "has seen all 16 test images" in leak.text
    assert document.read(tmp_path / "run").leaks == shown.leaks
    assert "has seen all 16 test images" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    write_weights(tmp_path / "clean.safetensors", fresh("resnet18", 32, 0))
    assert evaluated(*options, tmp_path / "clean.safetensors").leaks == ()


def test_vectors_alone(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 6)
    np.savez(tmp_path / "mine.npz", embeddings=4 * np.eye(5, 9)[labels] + generator.normal(size=(30, 9)), labels=labels)
    (row,) = evaluated("--embeddings", tmp_path / "mine.npz").rows
    assert (row.config["weights"], row.config["k"], row.config["level"]) == ("mine", 29, None)
    assert "linear_top1" not in row.metrics and row.metrics["recall@1"].mean > 0.8
    assert "–" in call("--embeddings", tmp_path / "mine.npz", "--out", tmp_path / "run").stdout
    assert (tmp_path / "run" / "report.html").exists()
    with pytest.raises(UserError, match="no such file"):
        call("--embeddings", tmp_path / "none.npz")
    with pytest.raises(UserError, match="--leave-one-out and --level would do nothing"):
        call("--embeddings", tmp_path / "mine.npz", "--level", "3", "--leave-one-out")
    np.savez(tmp_path / "one.npz", embeddings=np.ones((1, 3)), labels=[1])
    with pytest.raises(UserError, match="one: no query has another image"):
        call("--embeddings", tmp_path / "one.npz")
    np.savez(tmp_path / "two.npz", embeddings=np.eye(2), labels=[1, 2], gallery_embeddings=np.eye(2), gallery_labels=[3, 4])
    with pytest.raises(UserError, match="two: no query's class is in the gallery"):
        call("--embeddings", tmp_path / "mine.npz", "--embeddings", tmp_path / "two.npz")


def test_vectors_without_a_direction_are_told(tmp_path: Path) -> None:
    vectors = np.vstack([np.eye(4), np.zeros((2, 4))])
    labels = [0, 0, 1, 1, 0, 1]
    np.savez(tmp_path / "dead.npz", embeddings=vectors, labels=labels, gallery_embeddings=vectors, gallery_labels=labels)
    assert "dead: 4 of the embeddings are all zeros" in call("--embeddings", tmp_path / "dead.npz").stderr


def test_vectors_of_files_with_one_name_are_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = [tmp_path / of / "vectors.npz" for of in ("ours", "theirs")]
    for file in files:
        file.parent.mkdir()
        np.savez(file, embeddings=rng.normal(size=(20, 4)), labels=np.repeat(np.arange(5), 4))
    rows = evaluated("--embeddings", files[0], "--embeddings", files[1]).rows
    assert [row.config["weights"] for row in rows] == ["ours/vectors", "theirs/vectors"]


def test_everything_searched_in_itself_without_a_test_part(shop: Path) -> None:
    catalog = Catalog.read(shop).in_split("test")
    result = evaluate(catalog, [fresh("resnet18", 32, 0)], Constants(epochs=2), device="cpu", raw_pixels=False)
    assert result.leave_one_out and result.rows[0].linear_top1 is None and result.rows[0].queries == 16 and result.rows[0].knn_k == 15


def test_broken_images_are_left_out_of_every_row_alike(tmp_path: Path, shop: Path) -> None:
    catalog = Catalog.read(shop)
    for kind in range(3):
        (tmp_path / str(kind)).mkdir()
        for i, row in enumerate(range(kind * 12, kind * 12 + 4)):
            (tmp_path / str(kind) / f"{i}.jpg").write_bytes(catalog.file(row).read_bytes())
    (tmp_path / "1" / "0.jpg").write_bytes(b"broken")
    folders = open_data([tmp_path], split="random")
    result = evaluate(folders, [fresh("resnet18", 32, 0)], Constants(epochs=2), device="cpu")
    assert [q.path for q in result.quarantine] == ["1/0.jpg"] and result.raw_pixels is not None
    assert len(result.part) == 11 == len(result.vectors["none"]) == len(result.labels)
    assert {(row.bank, row.queries) for row in (*result.rows, result.raw_pixels)} == {(len(result.stored), len(result.queries))}
    for row, label in zip(range(11), result.labels, strict=True):
        assert result.names[label] == result.part.column("path")[row].split("/")[0]


def test_raw_pixels_are_the_neighbours_by_correlation(shop: Path) -> None:
    catalog = Catalog.read(shop)
    features, rows = pixel_features(catalog)
    train = catalog.column("split")[rows] == "train"
    labels = catalog.column("product")[rows]
    theirs = KNeighborsClassifier(1, metric="correlation").fit(features[train], labels[train]).predict(features[~train])
    evaluation = evaluate(catalog, [], Constants(k=1, epochs=1))
    assert evaluation.raw_pixels is not None
    assert evaluation.raw_pixels.knn_top1 == pytest.approx(float((theirs == labels[~train]).mean()))


def test_by_resolution(shop: Path) -> None:
    bins = by_resolution(np.array([60, 75, 76, 176, 500, 3000]), np.array([1, 0, 1, 1, 0, 1], bool))
    assert [(b["from"], b["to"], b["n"], b["accuracy"]) for b in bins] == [
        (1, 75, 2, 0.5), (76, 150, 1, 1.0), (151, 220, 1, 1.0), (401, 1000, 1, 0.0), (1001, None, 1, 1.0)
    ]  # fmt: skip
    catalog = Catalog.read(shop)
    assert set(short_sides(catalog, np.arange(5))) == {176}
    bare = Catalog(catalog.table.drop_columns(["width"]).append_column("width", [[None] * len(catalog)]), catalog.classes, catalog.sources)
    assert set(short_sides(bare, np.arange(5))) == {176}


@pytest.mark.parametrize("name", ["C+C", "a → b", "A: dairy", "-1", "nan"])
def test_weights_that_have_seen_test_images_are_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for n in range(12):
        (tmp_path / name / "ab"[n % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / name / "ab"[n % 2] / f"{n}.png")
    catalog = open_data([tmp_path / name], split="grouped")
    start = fresh("resnet18", 32, 0)

    def trained(called: str, split: str) -> Weights:
        learned = learned_from(catalog, np.flatnonzero(catalog.column("split") == split), [Division("grouped", 0)])
        return replace(start, name=called, provenance=Provenance.of(Record("simclr", data=learned.data), hashes=learned.hashes))

    weights = [trained("right", "train"), trained("wrong", "test"), replace(start, name="x.pth", provenance=NOT_KNOWN)]
    evaluation = evaluate(catalog, weights, Constants(k=1, epochs=1), raw_pixels=False)
    assert [(leak.weights, leak.kind, leak.share) for leak in evaluation.leaks] == [("wrong", "seen", 1.0), ("x.pth", "unknown", None)]
    announce(evaluation)
    stderr = capsys.readouterr().err
    assert "Note: 'wrong' has seen" in stderr and f"{name!r}" in stderr and "'x.pth' may have seen the test images" in stderr
