"""Other weights for an index that goes on answering: resumed where it was stopped, switched at once, seen by whoever has it open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.lookup import reindex
from repr.lookup.building import Look
from repr.lookup.index import Index
from repr.lookup.store import NewImage, Product
from repr.models.weights import Weights, fresh


def stopped(folder: Path, identity: str) -> Path:
    raise KeyboardInterrupt


def pixels(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def old() -> Weights:
    return fresh("resnet18", 32, 0)


@pytest.fixture(scope="module")
def new() -> Weights:
    return fresh("resnet18", 32, 1)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for seed in range(7):
        file = tmp_path / "shop" / f"p{seed % 3}" / f"{seed}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(seed)).save(file)
    return tmp_path / "shop"


@pytest.fixture
def index(tmp_path: Path, shop: Path, old: Weights) -> Index:
    return Index.create(tmp_path / "i", weights=old, data=shop, crops=[1], device="cpu")


def same_as_built(index: Index, shop: Path, tmp_path: Path, weights: Weights) -> None:
    built = Index.create(tmp_path / "built", weights=weights, data=shop, crops=[1], device="cpu")
    (features, products, ids), (expected, other, other_ids) = index.gallery(), built.gallery()
    order, expected_order = np.lexsort(features.T), np.lexsort(expected.T)
    np.testing.assert_allclose(features[order], expected[expected_order], atol=1e-6)
    assert [products[i] for i in order] == [other[i] for i in expected_order] and len(ids) == len(other_ids)
    assert index.verify() == []


def test_afterwards_it_is_as_if_built_so_and_who_has_it_open_sees_it(
    index: Index, shop: Path, tmp_path: Path, old: Weights, new: Weights
) -> None:
    reader = Index.open(index.folder, device="cpu")
    before = [match.score for match in reader.lookup(pixels(99)).matches]
    added = index.add("drawn", pixels(50)).added
    assert index.reindex(new, crops=[1]) == 7 + added
    assert index.weights["identity"] == new.identity
    answer = reader.lookup(pixels(50), k=1).matches[0]
    assert answer.product == "drawn" and answer.score > 0.9999, "asked and stored are of the same weights"
    assert [match.score for match in reader.lookup(pixels(99)).matches] != before and reader.weights == index.weights
    assert sorted(file.name for file in index.folder.glob("weights*")) == ["weights.safetensors"]
    index.remove(["drawn"])
    same_as_built(index, shop, tmp_path, new)
    reader.add("drawn", pixels(51))
    assert index.lookup(pixels(51), k=1).matches[0].score > 0.9999


def test_an_interrupted_one_goes_on_and_the_old_answers_meanwhile(
    index: Index, shop: Path, tmp_path: Path, new: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindex, "PIECE", 3)
    real, counts = Embedder.images, list[int]()

    def interrupted(self: Embedder, images: Any, boxes: Any = None) -> Any:
        if len(counts) == 2:
            raise KeyboardInterrupt
        counts.append(len(images))
        return real(self, images, boxes)

    monkeypatch.setattr(Embedder, "images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.reindex(new, crops=[1])
    monkeypatch.setattr(Embedder, "images", real)
    other = Index.open(index.folder, device="cpu")
    assert other.lookup(shop / "p1" / "4.png", k=1).matches[0].score > 0.9999 and other.weights["identity"] != new.identity
    (shop / "p0" / "new.png").write_bytes((shop / "p0" / "0.png").read_bytes() + b" ")
    other.add("p0", shop / "p0" / "new.png")
    monkeypatch.setattr(Embedder, "images", lambda self, images, boxes=None: counts.append(len(images)) or real(self, images, boxes))  # type: ignore[func-returns-value]
    assert index.reindex(new, crops=[1]) == 8
    assert sum(counts) == 8, "nothing is embedded twice"
    same_as_built(index, shop, tmp_path, new)


def test_a_switch_whose_process_died_before_the_weights_got_their_name(index: Index, new: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(reindex, "weights_file", stopped)
        with pytest.raises(KeyboardInterrupt):
            index.reindex(new, crops=[1])
    opened = Index.open(index.folder, device="cpu")
    assert opened.weights["identity"] == new.identity and opened.verify() == []
    assert opened.lookup(opened.file("p1/4.png"), k=1).matches[0].score > 0.9999
    assert [file.name for file in index.folder.glob("weights*")] == ["weights.safetensors"]


def test_an_image_that_is_lost_or_another_leaves_all_as_it_was(index: Index, shop: Path, old: Weights, new: Weights) -> None:
    (shop / "p0" / "0.png").rename(shop / "away.png")
    (shop / "p1" / "1.png").write_bytes((shop / "p1" / "4.png").read_bytes())
    with pytest.raises(UserError, match=r"2 images cannot be embedded anew, such as p0/0.png, p1/1.png"):
        index.reindex(new, crops=[1])
    assert index.weights["identity"] == old.identity
    index.sync(shop)
    assert index.reindex(new, crops=[1]) == index.store.counts()[1] == 5


def test_the_same_weights_at_another_size_and_nothing_new(index: Index, old: Weights) -> None:
    with pytest.raises(UserError, match="already"):
        index.reindex(old, crops=[1])
    assert index.reindex(old, size=48, crops=[1]) == 7
    assert index.weights["size"] == 48 and index.verify() == [] and index.lookup(index.file("p1/4.png"), k=1).matches[0].score > 0.9999


@pytest.mark.parametrize("when", ["images", "update"])
def test_two_at_once_do_not_mix(index: Index, old: Weights, new: Weights, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    third, begun = fresh("resnet18", 32, 2), list[int]()
    owner: Any = Embedder if when == "images" else type(reindex.progress.bar(1, "", ""))
    real = getattr(owner, when)

    def another_begins(self: Any, *given: Any) -> Any:
        if not begun:  # while this one embeds its images, or when it has embedded all of them and is about to switch
            begun.append(1)
            reindex.begin(Index.open(index.folder).store, index.folder, Look(third, crops=(1.0,)))
        return real(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(owner, when, another_begins)
        with pytest.raises(UserError, match="another reindex began meanwhile"):
            index.reindex(new, crops=[1])
    assert begun and index.store.next_count() == 0 and index.weights["identity"] == old.identity
    assert index.reindex(third, crops=[1]) == 7 and index.verify() == []
    assert index.lookup(index.file("p1/4.png"), k=1).matches[0].score > 0.9999


def test_products_that_boxes_cut_out_are_looked_at_as_a_build_does(tmp_path: Path, old: Weights) -> None:
    index = Index.create(tmp_path / "cut", weights=old, crops=[1], root=tmp_path, device="cpu")
    assert reindex.begin(index.store, index.folder, Look(old, size=48))["crops"] == [1.0, 0.5], "nothing says that they are cut out"
    for box, crops in (((1.0, 2.0, 30.0, 30.0), [1.0]), (None, [1.0, 0.5])):
        with index.store.change("add") as change:
            change.put_products([Product("p")])
            change.add([NewImage("p", "a.png", bytes(32), np.ones(512, np.float32), box)])
        assert reindex.begin(index.store, index.folder, Look(old, size=48))["crops"] == crops
