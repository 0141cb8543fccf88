"""The cache of vectors: found again until an image or the weights change, never taken for another's."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from repr.catalog.table import Catalog
from repr.embedding import cache, embedder
from repr.embedding.embedder import Embedder
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPR_CACHE", str(tmp_path / "cache"))


def test_embeddings_are_kept_until_image_or_weights_change(encoder: Encoder, two: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Embedder(encoder, device="cpu").catalog(two)
    monkeypatch.setattr(embedder, "decode", lambda *_, **__: pytest.fail("decoded again"))
    again = Embedder(encoder, device="cpu").catalog(two)
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert again.quarantine == first.quarantine
    monkeypatch.undo()

    trained = load_encoder(fresh("resnet18", 32, 0))
    with torch.no_grad():
        next(trained.network.parameters()).add_(0.1)
    assert trained.identity == encoder.identity, "the name of the start, which must not be the cache's key"
    assert not np.allclose(Embedder(trained, device="cpu").catalog(two).vectors, first.vectors, atol=1e-4)

    Image.new("RGB", (40, 40), "red").save(two.file(int(first.rows[0])))
    assert not np.allclose(Embedder(encoder, device="cpu").catalog(two).vectors, first.vectors, atol=1e-3)


def test_a_damaged_file_is_made_again(encoder: Encoder, two: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Embedder(encoder, device="cpu").catalog(two)
    (file,) = (tmp_path / "cache" / "embeddings").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(Embedder(encoder, device="cpu").catalog(two).vectors, first.vectors)
    assert "Making embeddings again" in capsys.readouterr().err
    assert cache.read(file) is not None and cache.read(tmp_path / "none.npz") is None


def test_what_is_not_to_be_kept_is_not(encoder: Encoder, two: Catalog, tmp_path: Path) -> None:
    Embedder(encoder, device="cpu").catalog(two, keep=False)
    assert not (tmp_path / "cache" / "embeddings").exists()


def test_the_digest_holds_all_that_vectors_depend_on(encoder: Encoder) -> None:
    other = copy.copy(encoder)
    assert cache.digest(other) == cache.digest(encoder)
    for name, value in (("crops", (1.0, 0.5)), ("mean", (0.1, 0.2, 0.3)), ("std", (0.1, 0.2, 0.3)), ("arch", "resnet34")):
        other = copy.copy(encoder)
        setattr(other, name, value)
        assert cache.digest(other) != cache.digest(encoder), name
    assert cache.digest(load_encoder(fresh("resnet18", 32, 1))) != cache.digest(encoder)
    renamed = copy.copy(encoder)
    renamed.name = renamed.identity = "other"
    assert cache.digest(renamed) == cache.digest(encoder)


def test_the_place_changes_with_side_and_images(encoder: Encoder, two: Catalog) -> None:
    digest = cache.digest(encoder)
    place = cache.place(digest, 32, two)
    assert place == cache.place(digest, 32, two)
    others = [cache.place(digest, 33, two), cache.place(digest[::-1], 32, two), cache.place(digest, 32, two.select(np.array([0])))]
    assert len({place, *others}) == 4
