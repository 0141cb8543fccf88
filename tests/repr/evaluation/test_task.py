"""What is stored and what is asked; somebody's vectors and what can be wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError
from repr.evaluation.task import read_vectors, task, write_vectors


def catalog(splits: list[str], kinds: list[int]) -> Catalog:
    n = len(splits)
    classes = tuple(ClassName(str(i), f"kind {i}") for i in range(3))
    return build(
        {
            "path": [f"{i}.jpg" for i in range(n)],
            "product": [str(i) for i in range(n)],
            "split": splits,
            "class_1": [0] * n,
            "class_2": kinds,
        },
        classes=((ClassName("0", "all"),), classes, ()),
        sources=(Source("s", "folders", Path()),),
    )


def test_train_is_stored_and_test_is_asked() -> None:
    searched = task(catalog(["train", "train", "val", "test", "test"], [0, 1, 0, 1, -1]))
    assert searched.queries is not None
    assert (searched.bank.tolist(), searched.queries.tolist()) == ([0, 1], [3])
    assert (searched.bank_labels.tolist(), searched.query_labels.tolist()) == ([0, 1], [1])
    assert searched.rows.tolist() == [0, 1, 3] and searched.level == 2
    assert set(searched.query_levels) == {1, 2}
    assert task(catalog(["train", "val"], [0, 0])).queries is not None
    assert task(catalog(["train", "test"], [0, 0]), level=1).names == ("all",)


def test_without_both_parts_all_are_searched_among_each_other() -> None:
    searched = task(catalog(["test", "test", "val"], [0, 1, 1]))
    assert searched.queries is None and searched.bank.tolist() == [0, 1, 2] and searched.query_labels.tolist() == [0, 1, 1]
    with pytest.raises(UserError, match="no labels on level 3"):
        task(catalog(["train"], [-1]), level=3)


def test_all_can_be_searched_among_each_other_whatever_the_split() -> None:
    searched = task(catalog(["train", "train", "test"], [0, 1, 0]), leave_one_out=True)
    assert searched.queries is None
    assert searched.bank.tolist() == [0, 1, 2]


def test_vectors_with_and_without_a_gallery(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(6, 4))
    np.savez(tmp_path / "a.npz", embeddings=x, labels=[3, 3, 5, 5, 9, 9])
    alone = read_vectors(tmp_path / "a.npz")
    assert alone.queries is None and alone.query_labels.tolist() == [0, 0, 1, 1, 2, 2] and alone.names == ("3", "5", "9")
    np.savez(
        tmp_path / "b.npz",
        embeddings=x[:2],
        labels=["milk", "tea"],
        gallery_embeddings=x[2:],
        gallery_labels=["tea", "tea", "nuts", "milk"],
    )
    apart = read_vectors(tmp_path / "b.npz")
    assert apart.bank_labels.tolist() == [2, 2, 1, 0] and apart.query_labels.tolist() == [0, 2]
    assert apart.bank.dtype == np.float32


def test_large_labels_of_two_types_stay_apart(tmp_path: Path) -> None:
    large = np.arange(4) + 2**60
    x = np.eye(4)
    np.savez(tmp_path / "a.npz", embeddings=x, labels=large, gallery_embeddings=x[::-1], gallery_labels=large.astype(np.uint64))
    vectors = read_vectors(tmp_path / "a.npz")
    assert vectors.query_labels.tolist() == vectors.bank_labels.tolist() == [0, 1, 2, 3] and vectors.names[1] == str(2**60 + 1)


def test_labels_of_bytes_are_text(tmp_path: Path) -> None:
    gallery = {"gallery_embeddings": np.ones((1, 3)), "gallery_labels": np.array(["thé"])}
    np.savez(tmp_path / "a.npz", embeddings=np.ones((2, 3)), labels=np.array(["thé".encode(), b"tea"]), **gallery)
    vectors = read_vectors(tmp_path / "a.npz")
    assert [vectors.names[i] for i in vectors.query_labels] == ["thé", "tea"]


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    write_vectors(tmp_path / "v.npz", x, np.array([0, 1, 0, 1, 1]), ("tea", "milk"), np.arange(3), np.arange(3, 5))
    vectors = read_vectors(tmp_path / "v.npz")
    assert vectors.queries is not None
    np.testing.assert_array_equal(vectors.queries, x[3:])
    assert [vectors.names[i] for i in vectors.bank_labels] == ["tea", "milk", "tea"]
    write_vectors(tmp_path / "w.npz", x, np.zeros(5, np.int64), ("tea",), np.arange(5), np.arange(5))
    assert read_vectors(tmp_path / "w.npz").queries is None


GOOD: dict[str, Any] = {"embeddings": np.ones((2, 3)), "labels": np.array([1, 2])}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": None}, "no array `labels`"),
        ({"labels": np.array([1])}, r"`labels` is int64 \(1,\) for 2 embeddings"),
        ({"labels": np.array([0.5, 1])}, "`labels` is float64"),
        ({"embeddings": np.ones(3)}, "`embeddings` is float64"),
        ({"embeddings": np.array([[1, np.nan, 0], [1, 1, 1]])}, "not finite, first row 0. Leave such rows out"),
        ({"gallery_embeddings": np.ones((2, 3))}, "no array `gallery_labels`"),
        ({"gallery_labels": np.ones(2)}, "no array `gallery_embeddings`"),
        ({"gallery_embeddings": np.ones((2, 4)), "gallery_labels": np.array([1, 2])}, "3 numbers each and gallery_embeddings 4"),
        ({"gallery_embeddings": np.ones((2, 3)), "gallery_labels": np.array(["a", "b"])}, "labels are int64 and gallery_labels"),
        ({"embeddings": np.full((2, 3), 1e300)}, "`embeddings` has numbers beyond 1e"),
        ({"labels": np.array([b"\xff", b"a"])}, "`labels` are bytes that are not UTF-8"),
        (
            {"gallery_embeddings": np.ones((2, 3)), "gallery_labels": np.array([True, False]), "labels": np.array(["a", "b"])},
            "labels are <U1",
        ),
        ({"embeddings": np.array([[object()]])}, "not a readable .npz"),
    ],
)
def test_wrong_vectors_are_told(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    arrays = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=message) as raised:
        read_vectors(tmp_path / "x.npz")
    assert raised.value.remedy


def test_files_that_are_no_vectors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_vectors(tmp_path / "none.npz")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match="not a readable"):
        read_vectors(tmp_path / "x.npz")
    np.save(tmp_path / "y.npy", np.ones(3))
    with pytest.raises(UserError, match="not a readable"):
        read_vectors(tmp_path / "y.npy")
