"""Embedding images: the same as packing and encoding, in any batch size; broken images left out; kept and found again."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.embedding.embed import Embeddings, embed, embed_files
from repr.errors import UserError
from repr.images.pack import make_pack
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(fresh("resnet18", 32, 0))


@pytest.fixture(scope="module")
def grocery(shared: Path) -> Catalog:
    return open_data([shared / "grocery"]).select(np.arange(0, 2600, 40))  # 65 images: more than one chunk


@pytest.fixture
def two(tmp_path: Path, shared: Path) -> Catalog:
    """A class folder with two images, one of them broken."""
    folder = tmp_path / "set" / "milk"
    folder.mkdir(parents=True)
    image = sorted((shared / "grocery" / "train2019").iterdir())[0]
    (folder / "good.jpg").write_bytes(image.read_bytes())
    (folder / "bad.jpg").write_bytes(image.read_bytes()[:200])
    return open_data([tmp_path / "set"], split="random")


def test_the_same_as_packing_and_encoding(encoder: Encoder, grocery: Catalog) -> None:
    pack = make_pack(grocery, encoder.size)
    with torch.inference_mode():
        expected = encoder.encode(torch.from_numpy(np.array(pack.pixels))).numpy()
    for batch_size in (7, 64, 1000):
        got = embed(encoder, grocery, batch_size=batch_size, cache=False, device="cpu")
        np.testing.assert_array_equal(got.rows, pack.rows)
        np.testing.assert_allclose(got.features, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(got.vectors, axis=1), 1, atol=1e-6)
    files, positions, bad = embed_files(encoder, grocery.files(), device="cpu")
    np.testing.assert_allclose(files, got.vectors, atol=1e-5)
    assert positions.tolist() == list(range(65)) and not bad


def test_crops_are_decoded_as_sharp_as_the_closest_needs_and_kept_apart(encoder: Encoder, grocery: Catalog) -> None:
    few = grocery.select(np.arange(5))
    closer = copy.copy(encoder)
    closer.crops = (1.0, 0.4)
    pack = make_pack(few, 80)
    with torch.inference_mode():
        expected = closer.encode(torch.from_numpy(np.array(pack.pixels))).numpy()
    np.testing.assert_allclose(embed(closer, few, device="cpu").features, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        embed_files(closer, few.files(), device="cpu")[0], expected / np.linalg.norm(expected, axis=1)[:, None], atol=1e-5
    )
    whole = embed(encoder, few, device="cpu").features  # not what was kept of the other crops
    assert np.abs(whole - expected).max() > 0.01


def test_broken_images_are_left_out_and_named(encoder: Encoder, two: Catalog) -> None:
    got = embed(encoder, two)
    assert [two.column("path")[row] for row in got.rows] == ["milk/good.jpg"]
    assert [q.path for q in got.quarantine] == ["milk/bad.jpg"] and got.quarantine[0].reason
    only_bad = two.select(np.array([path == "milk/bad.jpg" for path in two.column("path")]))
    with pytest.raises(UserError, match="none of the 1 images can be read"):
        embed(encoder, only_bad)


def test_embeddings_are_kept_until_image_or_weights_change(encoder: Encoder, two: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed(encoder, two, device="cpu")
    monkeypatch.setattr("repr.embedding.embed.decode", lambda *_, **__: pytest.fail("decoded again"))
    again = embed(encoder, two, device="cpu")
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert again.quarantine == first.quarantine
    monkeypatch.undo()

    trained = load_encoder(fresh("resnet18", 32, 0))
    with torch.no_grad():
        next(trained.network.parameters()).add_(0.1)
    assert trained.identity == encoder.identity, "the name of the start, which must not be the cache's key"
    assert not np.allclose(embed(trained, two, device="cpu").vectors, first.vectors, atol=1e-4)

    good = two.file(int(first.rows[0]))
    other = sorted((good.parents[1]).rglob("good.jpg"))[0]
    from PIL import Image

    Image.new("RGB", (40, 40), "red").save(other)
    assert not np.allclose(embed(encoder, two, device="cpu").vectors, first.vectors, atol=1e-3)


def test_written_and_read_again(tmp_path: Path, encoder: Encoder, two: Catalog) -> None:
    made = embed(encoder, two, device="cpu")
    made.write(tmp_path / "e.npz")
    read = Embeddings.read(tmp_path / "e.npz")
    np.testing.assert_array_equal(read.features, made.features)
    assert read.quarantine == made.quarantine
    (tmp_path / "e.npz").write_bytes((tmp_path / "e.npz").read_bytes()[:-500])
    with pytest.raises(UserError, match="not a readable file"):
        Embeddings.read(tmp_path / "e.npz")


def test_diverged_weights_are_told(two: Catalog) -> None:
    broken = load_encoder(fresh("resnet18", 32, 0))
    with torch.no_grad():
        next(broken.network.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="not finite"):
        embed(broken, two, device="cpu", cache=False)
