"""Embeddings as a value and as a file, and what is told of images that were left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from repr.embedding.embeddings import NAMED, Embeddings, NoneReadable, log_left_out
from repr.errors import UserError
from repr.images.decoded import Quarantined


def some() -> Embeddings:
    features = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    norms = np.linalg.norm(features, axis=1)
    return Embeddings(features / norms[:, None], norms, np.array([0, 2, 3, 5]), (Quarantined("ü/b.jpg", "no such file"),))


def test_features_are_vectors_times_their_lengths() -> None:
    embeddings = some()
    assert len(embeddings) == 4 and embeddings.features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings.features, axis=1), embeddings.norms, rtol=1e-6)


def test_written_and_read_again(tmp_path: Path) -> None:
    embeddings = some()
    embeddings.write(tmp_path / "deep" / "e.npz")
    read = Embeddings.read(tmp_path / "deep" / "e.npz")
    for name in ("vectors", "norms", "rows", "features"):
        np.testing.assert_array_equal(getattr(read, name), getattr(embeddings, name))
    assert read.quarantine == embeddings.quarantine


def test_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "e.npz"
    some().write(file)
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(UserError, match="not a readable file"):
        Embeddings.read(file)
    with pytest.raises(UserError, match="no such file"):
        Embeddings.read(tmp_path / "none.npz")
    with file.open("wb") as stream:
        np.savez(stream, embeddings=np.ones((1, 2)), norms=np.ones(1), rows=np.zeros(1), described=np.array(json.dumps({"version": 99})))
    with pytest.raises(UserError, match="version 99"):
        Embeddings.read(file)


def test_the_commonest_reasons_are_counted() -> None:
    broken = [Quarantined(f"{i}.jpg", "truncated" if i % 3 else "no such file") for i in range(9)]
    error = NoneReadable(broken, "shop")
    assert str(error).startswith("shop: none of the 9 images can be read (6 x truncated, 3 x no such file).")
    assert error.quarantine == broken
    assert "(truncated)" in str(NoneReadable(broken[1:3], "shop")) and "(there are no images)" in str(NoneReadable([], "shop"))


def test_the_first_ones_left_out_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    broken = [Quarantined(f"{i}.jpg", "truncated") for i in range(NAMED + 3)]
    log_left_out(broken[:1])
    assert capsys.readouterr().err == "left out: 0.jpg: truncated\n"
    log_left_out(broken)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == NAMED + 1 and lines[-1] == "left out: 3 more images that cannot be read"
    log_left_out([])
    assert not capsys.readouterr().err
