"""The index on vectors: what is stored is found, what is removed is not, broken files are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.errors import UserError
from repr.lookup.index import Index
from repr.models.weights import Weights, fresh

DIM = 8


@pytest.fixture(scope="module")
def weights() -> Weights:
    return fresh("resnet18", 64, 0)


def new(folder: Path, weights: Weights) -> Index:
    return Index.create(folder, weights, dim=DIM, root=folder.parent)


def filled(folder: Path, weights: Weights, n: int = 40, images_a_product: int = 4) -> tuple[Index, np.ndarray, list[str]]:
    vectors = np.random.default_rng(0).normal(size=(n, DIM)).astype(np.float32)
    products = [str(i // images_a_product) for i in range(n)]
    index = new(folder, weights)
    index.add_vectors(vectors, products, [f"{i}.jpg" for i in range(n)])
    return index, vectors, products


def test_each_stored_image_finds_itself_first(tmp_path: Path, weights: Weights) -> None:
    _, vectors, products = filled(tmp_path / "index", weights)
    answers = Index.open(tmp_path / "index").search(vectors, 3)
    for i, matches in enumerate(answers):
        assert (matches[0].product, matches[0].image) == (products[i], f"{i}.jpg")
        assert matches[0].score == pytest.approx(1, abs=1e-6)
        assert [m.score for m in matches] == sorted((m.score for m in matches), reverse=True)


def test_products_come_once_with_their_best_image(tmp_path: Path, weights: Weights) -> None:
    index, vectors, products = filled(tmp_path / "index", weights)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    for i, matches in enumerate(index.search(vectors, 5)):
        best = {p: max(similarity[i, j] for j in range(40) if products[j] == p) for p in set(products)}
        expected = sorted(best, key=lambda p: -best[p])[:5]
        assert [m.product for m in matches] == expected
        np.testing.assert_allclose([m.score for m in matches], [best[p] for p in expected], atol=1e-6)


def test_one_product_with_nearly_all_images_does_not_hide_the_others(tmp_path: Path, weights: Weights) -> None:
    index = new(tmp_path / "index", weights)
    vectors = np.full((3000, DIM), 0.01, np.float32)
    vectors[:, 0] = 1
    vectors[-1] = -vectors[-1]
    index.add_vectors(vectors, ["big"] * 2999 + ["far"], [f"{i}.jpg" for i in range(3000)])
    assert [m.product for m in index.search(vectors[:2], 10)[0]] == ["big", "far"]
    assert len(index.search(vectors[:1], 5, per_image=True)[0]) == 5


def test_removal_and_addition(tmp_path: Path, weights: Weights) -> None:
    index, vectors, products = filled(tmp_path / "index", weights)
    assert index.remove(["3", "3", "7"]) == 8
    assert {m.product for m in index.search(vectors[12:13], 100)[0]} == set(products) - {"3", "7"}
    before = {file.name: file.stat().st_mtime_ns for file in index.folder.glob("segment-*")}
    index.add_vectors(vectors[12:16], ["3"] * 4, [f"again/{i}.jpg" for i in range(4)])
    reopened = Index.open(tmp_path / "index")
    assert reopened.search(vectors[12:13], 1)[0][0].image == "again/0.jpg"
    assert "7" not in {m.product for m in reopened.search(vectors[:1], 100)[0]}
    assert reopened.info()["images"] == 36 and reopened.info()["removed_images"] == 8
    after = {file.name: file.stat().st_mtime_ns for file in index.folder.glob("segment-*")}
    assert before.items() <= after.items() and len(after) == len(before) + 2, "what was stored is not touched"


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=8))
def test_any_order_of_additions_and_removals_equals_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, weights: Weights, steps: list[tuple[bool, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any") / "index"
    index, kept = new(folder, weights), {}
    index.add_vectors(np.ones((1, DIM), np.float32), ["always"], ["always.jpg"])
    for number, (adding, product) in enumerate(steps):
        if adding:
            index.add_vectors(np.eye(DIM, dtype=np.float32)[[product]], [str(product)], [f"{number}.jpg"])
            kept.setdefault(str(product), []).append(f"{number}.jpg")
        elif str(product) in kept:
            index.remove([str(product)])
            del kept[str(product)]
    matches = Index.open(folder).search(np.ones((1, DIM), np.float32), 100, per_image=True)[0]
    found: dict[str, list[str]] = {}
    for match in matches:
        found.setdefault(match.product, []).append(match.image)
    assert {p: sorted(names) for p, names in found.items()} == {p: sorted(names) for p, names in kept.items()} | {"always": ["always.jpg"]}


def test_removing_an_unknown_product_removes_nothing(tmp_path: Path, weights: Weights) -> None:
    index, _, _ = filled(tmp_path / "index", weights)
    with pytest.raises(UserError, match="no product 'nine'"):
        index.remove(["1", "nine"])
    assert index.remove([]) == 0
    assert Index.open(tmp_path / "index").info()["products"] == 10


def test_other_weights_are_refused(tmp_path: Path, weights: Weights) -> None:
    index, _, _ = filled(tmp_path / "index", weights)
    other = fresh("resnet18", 64, 1)
    with pytest.raises(UserError, match="made with the weights") as raised:
        index.check(other.identity, other.name)
    assert "another index" in raised.value.remedy
    index.check(weights.identity, weights.name)


def test_vectors_that_do_not_fit_are_refused(tmp_path: Path, weights: Weights) -> None:
    index, vectors, _ = filled(tmp_path / "index", weights)
    with pytest.raises(UserError, match="8 numbers an image"):
        index.search(vectors[:, :4], 1)
    vectors[0, 0] = np.nan
    with pytest.raises(UserError, match="not finite"):
        index.search(vectors, 1)
    with pytest.raises(UserError, match="not finite"):
        index.add_vectors(vectors[:1], ["x"], ["x.jpg"])
    assert Index.open(tmp_path / "index").info()["images"] == 40


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_a_file_cut_short_is_told(tmp_path: Path, weights: Weights, suffix: str) -> None:
    _, vectors, _ = filled(tmp_path / "index", weights)
    file = tmp_path / "index" / f"segment-000001{suffix}"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(UserError, match=file.name):
        Index.open(tmp_path / "index").search(vectors[:1], 1)
    file.unlink()
    with pytest.raises(UserError, match="missing"):
        Index.open(tmp_path / "index").search(vectors[:1], 1)


def test_an_altered_vector_is_told(tmp_path: Path, weights: Weights) -> None:
    _, vectors, _ = filled(tmp_path / "index", weights)
    file = tmp_path / "index" / "segment-000001.npy"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="checksum"):
        Index.open(tmp_path / "index").search(vectors[:1], 1)


def test_a_failed_addition_leaves_the_index_as_it_was(tmp_path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    index, vectors, _ = filled(tmp_path / "index", weights)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("repr.lookup.manifest.Manifest.write", full)
    with pytest.raises(OSError, match="No space"):
        index.add_vectors(vectors, ["x"] * 40, ["x.jpg"] * 40)
    with pytest.raises(OSError, match="No space"):
        filled(tmp_path / "fresh", weights)
    monkeypatch.undo()
    assert not (tmp_path / "fresh").exists(), "nothing half-written"
    assert [file.name for file in sorted((tmp_path / "index").glob("segment-*"))] == ["segment-000001.npy", "segment-000001.parquet"]
    assert Index.open(tmp_path / "index").info()["images"] == 40
    index.add_vectors(vectors[:1], ["y"], ["y.jpg"])
    assert Index.open(tmp_path / "index").info()["images"] == 41


def test_one_writer_at_a_time(tmp_path: Path, weights: Weights) -> None:
    index, vectors, _ = filled(tmp_path / "index", weights)
    with index._writing(), pytest.raises(UserError, match="another process"):
        Index.open(tmp_path / "index").add_vectors(vectors, ["x"] * 40, ["x.jpg"] * 40)
    stale = Index.open(tmp_path / "index")
    index.add_vectors(vectors[:1], ["y"], ["y.jpg"])
    stale.add_vectors(vectors[:1], ["z"], ["z.jpg"])  # the manifest is read again, so y is not lost
    assert Index.open(tmp_path / "index").info()["products"] == 12


def test_what_is_unfinished_stays_so_until_its_own_command_has_ended(tmp_path: Path, weights: Weights) -> None:
    index, vectors, _ = filled(tmp_path / "index", weights)
    for name in "aab":
        index.add_vectors(vectors[:1], [name], [f"{name}.jpg"], unfinished=f"repr index add --data {name}")
    index.end("repr index add --data b")
    info = Index.open(tmp_path / "index").info()
    assert (info["complete"], info["unfinished"]) == (False, [f"repr index add --data a --index {tmp_path / 'index'}"])
    index.end("repr index add --data a")
    assert Index.open(tmp_path / "index").info()["unfinished"] == []


def test_folders_that_are_no_index(tmp_path: Path, weights: Weights) -> None:
    with pytest.raises(UserError, match="not an index"):
        Index.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "repr.index", "version": 99}')
    with pytest.raises(UserError, match="newer version"):
        Index.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "repr.index", "version": 1}')
    with pytest.raises(UserError, match="older version"):
        Index.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "other"}')
    with pytest.raises(UserError, match="not the manifest"):
        Index.open(tmp_path)
    with pytest.raises(UserError, match="there already"):
        new(tmp_path, weights)


def test_an_empty_search_and_an_empty_index(tmp_path: Path, weights: Weights) -> None:
    index, _, _ = filled(tmp_path / "index", weights)
    assert index.search(np.empty((0, DIM), np.float32), 3) == []
    index.remove([str(i) for i in range(10)])
    assert index.remove([]) == 0
    assert index.search(np.ones((2, DIM), np.float32), 3) == [[], []]


@pytest.mark.parametrize("name", ["mine", "imagenet"])
def test_the_copy_of_the_weights_gives_the_same_encoder(tmp_path: Path, name: str) -> None:
    """Whatever they are called: a run folder may be called imagenet."""
    weights = replace(fresh("resnet18", 64, 0), name=name)
    filled(tmp_path / "index", weights)
    assert Index.open(tmp_path / "index", device="cpu").embedder.encoder.identity == weights.identity
    filled(tmp_path / "closer", replace(weights, crops=(1.0, 0.6), size=32))
    encoder = Index.open(tmp_path / "closer", device="cpu").embedder.encoder
    assert (encoder.crops, encoder.size) == ((1.0, 0.6), 32)
    from repr.models.weights import write_weights

    write_weights(tmp_path / "index" / "weights.safetensors", fresh("resnet18", 64, 1))
    with pytest.raises(UserError, match="not the weights the index was made with"):
        _ = Index.open(tmp_path / "index", device="cpu").embedder
