"""Embedding images: the same as packing and encoding, in any batch size, whatever they are given as; the encoder made ready once."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from repr.catalog.table import Catalog
from repr.embedding.embedder import Embedder
from repr.embedding.embeddings import NoneReadable
from repr.errors import UserError
from repr.images.pack import make_pack
from repr.images.reader import read_image
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder


@pytest.fixture(scope="module")
def embedder(encoder: Encoder) -> Embedder:
    return Embedder(encoder, device="cpu")


def test_the_same_as_packing_and_encoding(encoder: Encoder, grocery: Catalog) -> None:
    pack = make_pack(grocery, encoder.size)
    with torch.inference_mode():
        expected = encoder.encode(torch.from_numpy(np.array(pack.pixels))).numpy()
    for batch_size in (7, 64, 1000):
        embedder = Embedder(encoder, device="cpu", batch_size=batch_size)
        embeddings = embedder.catalog(grocery, keep=False)
        np.testing.assert_array_equal(embeddings.rows, pack.rows)
        np.testing.assert_allclose(embeddings.features, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(embedder.features(pack.pixels), expected, rtol=1e-4, atol=1e-5)
    again = embedder.images(grocery.files())
    np.testing.assert_array_equal(again.vectors, embeddings.vectors)
    assert again.rows.tolist() == list(range(65)) and not again.quarantine


def test_crops_are_decoded_as_sharp_as_the_closest_needs_and_kept_apart(encoder: Encoder, grocery: Catalog) -> None:
    few = grocery.select(np.arange(5))
    closer = copy.copy(encoder)
    closer.crops = (1.0, 0.4)
    pack = make_pack(few, 80)
    with torch.inference_mode():
        expected = closer.encode(torch.from_numpy(np.array(pack.pixels))).numpy()
    made = Embedder(closer, device="cpu")
    np.testing.assert_allclose(made.catalog(few).features, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.images(few.files()).features, expected, rtol=1e-4, atol=1e-5)
    whole = Embedder(encoder, device="cpu").catalog(few).features  # not what was kept of the other crops
    assert np.abs(whole - expected).max() > 0.01


def test_all_kinds_of_images_have_the_same_vectors(embedder: Embedder, grocery: Catalog) -> None:
    """The file, its path as text, its bytes, an image of Pillow's, and its pixels; none is so big that it is drafted."""
    file = grocery.files()[0]
    with Image.open(file) as image:
        half = image.convert("RGB").resize((60, 50))
    half.save(png := Path(os.environ["REPR_CACHE"]) / "half.png")
    kinds = [png, str(png), png.read_bytes(), half, np.asarray(half)]
    vectors = embedder.images(kinds).vectors
    np.testing.assert_array_equal(vectors, np.repeat(vectors[:1], 5, axis=0))
    boxed = embedder.images(kinds, [(10, 5, 30, 30)] * 5).vectors
    np.testing.assert_array_equal(boxed, np.repeat(boxed[:1], 5, axis=0))
    assert not np.allclose(boxed, vectors, atol=1e-3)


def test_a_turned_photograph_has_the_vector_of_the_upright_one(embedder: Embedder, grocery: Catalog, tmp_path: Path) -> None:
    upright = read_image(grocery.files()[1])
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    turned = tmp_path / "turned.png"
    with Image.open(turned) as lazy:
        vectors = embedder.images([upright, turned, turned.read_bytes(), lazy]).vectors
    np.testing.assert_array_equal(vectors, np.repeat(vectors[:1], 4, axis=0))


def test_broken_images_are_left_out_and_named(embedder: Embedder, two: Catalog) -> None:
    embeddings = embedder.catalog(two)
    assert [two.column("path")[row] for row in embeddings.rows] == ["milk/good.jpg"]
    assert [q.path for q in embeddings.quarantine] == ["milk/bad.jpg"] and embeddings.quarantine[0].reason
    only_bad = two.select(np.array([path == "milk/bad.jpg" for path in two.column("path")]))
    with pytest.raises(NoneReadable, match="none of the 1 images can be read"):
        embedder.catalog(only_bad)
    bad, good = sorted(two.files())
    mixed = embedder.images([b"", good, bad, np.zeros((9, 9, 3), np.uint8)])
    assert mixed.rows.tolist() == [1, 3] and [q.path for q in mixed.quarantine] == ["image 1", str(bad)]
    assert not len(embedder.images([b""])) and not len(embedder.images([]))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([0, 1, 2, None]), max_size=12), st.integers(1, 5))
def test_any_mixture_comes_back_in_order(encoder: Encoder, order: list[int | None], batch_size: int) -> None:
    """None stands for an image that cannot be read."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    made = Embedder(encoder, device="cpu", batch_size=batch_size, workers=1).images([b"no" if i is None else pixels[i] for i in order])
    alone = Embedder(encoder, device="cpu", workers=1).images(list(pixels)).vectors
    assert made.rows.tolist() == [place for place, i in enumerate(order) if i is not None]
    np.testing.assert_allclose(made.vectors, alone[[i for i in order if i is not None]], atol=1e-5)
    assert [q.path for q in made.quarantine] == [f"image {place + 1}" for place, i in enumerate(order) if i is None]


def test_the_encoder_is_made_ready_once(encoder: Encoder, grocery: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    real = copy.deepcopy
    monkeypatch.setattr(copy, "deepcopy", lambda thing, *memo: (copies.append(thing) if thing is encoder else None, real(thing, *memo))[1])
    embedder = Embedder(encoder, device="cpu")
    assert len(copies) == 1
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    for _ in range(3):
        embedder.images([pixels[0]])
        embedder.features(pixels)
        embedder.catalog(grocery.select(np.arange(2)), keep=False)
    assert len(copies) == 1


def test_training_the_encoder_afterwards_does_not_reach_it(two: Catalog) -> None:
    trained = load_encoder(fresh("resnet18", 32, 5))
    embedder = Embedder(trained, device="cpu")
    before = embedder.images([two.files()[1], two.files()[0]]).vectors
    with torch.no_grad():
        next(trained.network.parameters()).add_(0.1)
    np.testing.assert_array_equal(embedder.images([two.files()[1], two.files()[0]]).vectors, before)
    cached = embedder.catalog(two)
    later = Embedder(trained, device="cpu").catalog(two)
    assert not np.allclose(later.vectors, cached.vectors, atol=1e-4), "nor does the cache take one for the other"


def test_packed_pixels_are_read_and_not_written(embedder: Embedder) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    assert embedder.features(pixels).shape == (3, embedder.encoder.dim) and embedder.features(pixels[:0]).shape == (0, embedder.encoder.dim)


def test_diverged_weights_are_told(two: Catalog) -> None:
    broken = load_encoder(fresh("resnet18", 32, 0))
    with torch.no_grad():
        next(broken.network.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="not finite"):
        Embedder(broken, device="cpu").catalog(two, keep=False)


def test_a_device_that_is_not_there_is_told_at_once(encoder: Encoder) -> None:
    with pytest.raises(UserError, match="no such device"):
        Embedder(encoder, device="gpu")


def test_a_forked_child_answers(tmp_path: Path) -> None:
    """OpenMP's threads stay with the parent; a child that waited for them would hang."""
    (tmp_path / "fork.py").write_text(
        "import os, numpy as np\n"
        "from repr.embedding.embedder import Embedder\n"
        "from repr.models.weights import fresh, load_encoder\n"
        "pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)\n"
        "embedder = Embedder(load_encoder(fresh('resnet18', 64, 0)), device='cpu')\n"
        "here = embedder.features(pixels)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if np.allclose(embedder.features(pixels), here, atol=1e-5) else 3)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run([sys.executable, tmp_path / "fork.py"], capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.stdout == "0\n", done.stderr
