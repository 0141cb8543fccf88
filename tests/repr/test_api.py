"""The package as programs use it: `from repr import Index, embed, load`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr import Index, embed, load
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.models.weights import fresh, write_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    write_weights(path, fresh("resnet18", 32, 0))
    return path


@pytest.fixture(scope="module")
def embedder(weights: Path) -> Embedder:
    return load(weights, device="cpu")


def test_vectors_of_length_one_for_every_kind_of_image(tmp_path: Path, embedder: Embedder) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    file = tmp_path / "p.png"
    Image.fromarray(pixels).save(file)
    vectors = embed([file, str(file), file.read_bytes(), Image.fromarray(pixels), pixels], embedder)
    assert vectors.shape == (5, 512) and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.repeat(vectors[:1], 5, axis=0))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embed([], embedder).shape == (0, 512)


def test_weights_are_taken_by_place_too(weights: Path, embedder: Embedder) -> None:
    pixels = [np.full((40, 40, 3), 90, np.uint8)]
    np.testing.assert_allclose(embed(pixels, weights), embed(pixels, embedder), atol=1e-5)
    with pytest.raises(UserError, match="no such weights"):
        embed(pixels, "nowhere.safetensors")


def test_size_and_crops_are_the_weights_own_unless_given(weights: Path, embedder: Embedder) -> None:
    assert (embedder.encoder.size, embedder.encoder.crops) == (32, (1.0,))
    other = load(weights, size=48, crops=[1, 0.5], device="cpu")
    assert (other.encoder.size, other.encoder.crops, other.encoder.side) == (48, (1.0, 0.5), 96)


def test_the_first_image_that_cannot_be_read_is_named(tmp_path: Path, embedder: Embedder) -> None:
    good = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(UserError, match=r"none\.jpg: no such file\. Leave"):
        embed([good, tmp_path / "none.jpg"], embedder)
    with pytest.raises(UserError, match=r"image 2: an empty file \(2 of 3 images cannot be read\)"):
        embed([good, b"", b"no"], embedder)


def test_what_there_is_and_what_there_is_not() -> None:
    import repr as package

    assert package.Index is Index and package.__all__ == ["Classifier", "Index", "embed", "load"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    heavy = "[m for m in ('torch', 'numpy', 'faiss', 'pyarrow', 'PIL') if m in sys.modules]"
    code = f"import sys, repr\nprint({heavy})\nfrom repr import Index\nprint({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "[]" and "'torch'" in second
