"""`repr embed`: one file of vectors, what it says of it, and what it refuses before any work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from repr.cli.embed import command
from repr.embedding import rays
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.models.weights import fresh, load_encoder, write_weights


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of two products with hostile names, one of them broken."""
    root = tmp_path_factory.mktemp("shop")
    for i in range(5):
        file = root / ("C+C" if i < 3 else "a → b") / f"{i}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(file)
    (root / "C+C" / "1.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    write_weights(path, fresh("resnet18", 32, 0))
    return path


def call(*words: object) -> Result:
    return CliRunner().invoke(command, [*map(str, words), "--device", "cpu"], catch_exceptions=False)


def test_the_vectors_are_the_librarys_with_products_and_paths(shop: Path, weights: Path, tmp_path: Path) -> None:
    content = json.loads(call("--data", shop, "--weights", weights, "--out", tmp_path / "v.npz", "--json").stdout)
    assert (content["images"], content["dim"], content["quarantined"], content["synthetic"]) == (4, 512, 1, False)
    assert content["file"] == str(tmp_path / "v.npz") and content["weights"] == fresh("resnet18", 32, 0).identity
    with np.load(tmp_path / "v.npz", allow_pickle=False) as file:
        order = {Path(str(path)).stem: row for row, path in enumerate(file["paths"])}
        assert sorted(order) == ["0", "2", "3", "4"]
        assert {name: str(file["labels"][row]) for name, row in order.items()} == {"0": "C+C", "2": "C+C", "3": "a → b", "4": "a → b"}
        embedder = Embedder(load_encoder(weights), device="cpu")
        expected = embedder.images([shop / "C+C" / "0.png", shop / "a → b" / "4.png"]).vectors
        np.testing.assert_allclose(file["embeddings"][[order["0"], order["4"]]], expected, atol=1e-5)


def test_in_words_it_says_what_comes_next(shop: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "two words.npz"
    result = call("--data", shop, "--weights", weights, "--size", 48, "--crops", "1,0.5", "--out", out)
    assert f"4 images in {out}, 512 numbers each (1 left out as unreadable)." in result.stdout
    assert f"Next: repr evaluate --embeddings '{out}'" in result.stdout and "left out: " in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no file named for the vectors"),
        (("--out", "v.npz"), "no data are named"),
        (("--out", "v.npz", "--data", "nowhere"), "nowhere"),
        (("--out", "v.npz", "--crops", "2"), "make no sense|crops"),
    ],
)
def test_what_is_missing_is_told_and_nothing_written(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        call(*words)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_there(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights"):
        call("--data", shop, "--weights", tmp_path / "none", "--out", tmp_path / "v.npz")
    assert not list(tmp_path.iterdir())


def test_a_cluster_that_does_not_answer_is_told(shop: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ray:
        @staticmethod
        def init(**_: object) -> None:
            raise ConnectionError("timed out")

        @staticmethod
        def shutdown() -> None:
            """Nothing was begun."""

    monkeypatch.setattr(rays, "ray", Ray)
    with pytest.raises(UserError, match=r"far:6379: no Ray cluster answers \(timed out\)\. Check the address, or say local"):
        call("--data", shop, "--weights", weights, "--out", tmp_path / "v.npz", "--ray", "far:6379")
    assert not (tmp_path / "v.npz").exists()
