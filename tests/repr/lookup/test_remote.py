"""Vectors in Milvus (its Lite server, the same client): the same answers as here, whatever comes and goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from repr.arrays import Pixels
from repr.errors import UserError
from repr.lookup import remote
from repr.lookup.index import Index
from repr.lookup.refused import Refused
from repr.lookup.remote import STATE, checked_address
from repr.models.weights import Weights, fresh

pytest.importorskip("milvus_lite")
MilvusClient: Any = pytest.importorskip("pymilvus").MilvusClient


def pixels(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return fresh("resnet18", 32, 0)


def test_the_same_answers_as_here_through_all_changes(tmp_path: Path, weights: Weights) -> None:
    for seed in range(12):
        file = tmp_path / "shop" / f"p{seed % 4}" / f"{seed}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(seed)).save(file)
    made = {"weights": weights, "data": tmp_path / "shop", "crops": [1], "device": "cpu", "learner": "neighbour", "recall": 1.0}
    here = Index.create(tmp_path / "here", **made)  # type: ignore[arg-type]
    there = Index.create(tmp_path / "there", store=f"milvus://{tmp_path}/vectors.db", **made)  # type: ignore[arg-type]
    other = Index.open(there.folder, device="cpu")

    def same() -> None:
        questions = [pixels(seed) for seed in (*range(12), 70, 71)]
        for index in (there, other):
            for one, expected in zip(index.lookup(questions, k=3), here.lookup(questions, k=3), strict=True):
                assert [m.product for m in one.matches] == [m.product for m in expected.matches]
                assert [m.image for m in one.matches] == [m.image for m in expected.matches]
                np.testing.assert_allclose([m.score for m in one.matches], [m.score for m in expected.matches], atol=1e-5)

    same()
    assert there.info()["search"]["kind"] == "milvus" and there.info()["search"]["recall_at_10"] == 1.0
    assert not list(there.folder.glob("vectors*")) and there.verify() == []
    changes: tuple[Callable[[Index], object], ...] = (
        lambda index: index.add("new", pixels(70)),
        lambda index: index.remove(["p1"]),
        lambda index: index.rename("p2", "renamed"),
        lambda index: index.compact(),
    )
    for change in changes:
        for index in (here, there):
            change(index)
        same()
    for index in (here, there):
        index.reindex(fresh("resnet18", 32, 1), crops=[1])
    same()
    assert len(MilvusClient(f"{tmp_path}/vectors.db").list_collections()) == 1, "that of the old weights is dropped"
    (there.folder / STATE).unlink()  # what is known of the collection is lost: all is sent again
    other = Index.open(there.folder, device="cpu")
    same()


def test_a_milvus_that_does_not_answer_and_no_address_are_told(tmp_path: Path, weights: Weights) -> None:
    for address in ("milvus://", "http://host", "host:19530"):
        with pytest.raises(UserError, match="no store"):
            checked_address(address)
    Image.fromarray(pixels(0)).save(tmp_path / "a.png")
    index = Index.create(tmp_path / "i", weights=weights, store=f"milvus://{tmp_path}/nowhere/v.db", crops=[1], device="cpu")
    with pytest.raises(UserError, match="Milvus does not answer"):
        index.add("p", tmp_path / "a.png")
    assert index.store.counts() == (1, 1), "what was stored stays; the same again goes on when it answers"
    (tmp_path / "nowhere").mkdir()
    assert index.add("p", tmp_path / "a.png").unchanged == 1
    assert index.lookup(pixels(0), k=1).matches[0].product == "p"


def test_a_milvus_that_goes_away_in_the_middle_of_a_build(tmp_path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(9):
        file = tmp_path / "shop" / f"p{seed}" / "a.png"
        file.parent.mkdir(parents=True)
        Image.fromarray(pixels(seed)).save(file)
    sent, upsert = list[int](), MilvusClient.upsert

    def once(client: Any, *words: object, **options: object) -> object:
        sent.append(1)
        if len(sent) == 2:
            raise ConnectionError("gone")
        return upsert(client, *words, **options)

    monkeypatch.setattr(remote, "BATCH", 4)
    monkeypatch.setattr(MilvusClient, "upsert", once)
    made = {"weights": weights, "data": tmp_path / "shop", "store": f"milvus://{tmp_path}/v.db", "crops": [1], "device": "cpu"}
    with pytest.raises(Refused, match=r"does not answer \(gone") as away:
        Index.create(tmp_path / "i", **made)  # type: ignore[arg-type]
    assert away.value.kind == "away" and not Index.open(tmp_path / "i").info()["complete"]
    index = Index.create(tmp_path / "i", **made)  # type: ignore[arg-type]
    assert index.info()["complete"] and len(sent) == 5 and index.verify() == []
    assert [index.lookup(pixels(seed), k=1).matches[0].product for seed in range(9)] == [f"p{seed}" for seed in range(9)]


def test_a_restored_index_has_its_own_vectors_and_drops_those_of_one_that_is_gone(tmp_path: Path, weights: Weights) -> None:
    address = f"milvus://{tmp_path}/v.db"
    before = Index.create(tmp_path / "before", weights=weights, store=address, crops=[1], device="cpu", learner="neighbour")
    before.add("p", pixels(0))
    before.backup(tmp_path / "shop.tar")
    before.add("since", pixels(1))
    first = Index.restore(tmp_path / "shop.tar", tmp_path / "first")
    assert [match.product for match in first.lookup(pixels(1), k=5).matches] == ["p"], "not what came after the backup"
    assert [match.product for match in before.lookup(pixels(1), k=5).matches] == ["since", "p"], "which has what is its own"
    collections = MilvusClient(f"{tmp_path}/v.db").list_collections()
    assert len(collections) == 2
    shutil.rmtree(before.folder)
    second = Index.restore(tmp_path / "shop.tar", tmp_path / "second")
    assert second.lookup(pixels(0), k=1).matches[0].product == "p"
    left = MilvusClient(f"{tmp_path}/v.db").list_collections()
    assert sorted(left) == sorted(f"repr_{index.name}" for index in (first, second))
