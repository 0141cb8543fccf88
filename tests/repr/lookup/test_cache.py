"""The matrix beside index.db: it shows what is stored, whatever happened to its files."""

from __future__ import annotations

import fcntl
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.lookup import cache
from repr.lookup.cache import IDS, LOCK, STATE, VECTORS, Matrix, load
from repr.lookup.store import NewImage, Product, Store

DIM = 3


def vector(n: int) -> np.ndarray:
    return np.array([n + 1, 1, 0], np.float32)


def put(store: Store, *numbers: int, product: str = "p") -> None:
    with store.change("add") as change:
        change.put_products([Product(product)])
        change.add([NewImage(product, f"{n}.jpg", n.to_bytes(32, "big"), vector(n)) for n in numbers])


def remove(store: Store, *numbers: int) -> None:
    with store.change("remove") as change:
        change.remove_images([i.id for i in store.images() if int.from_bytes(i.content, "big") in numbers])


def loaded(store: Store, before: Matrix | None = None, name: str = "me") -> Matrix:
    return load(store.file.parent, store, index=name, dim=DIM, before=before)


def check(matrix: Matrix, store: Store) -> None:
    """The living rows are the stored images, each with its vector scaled to length 1 and its product."""
    alive = np.flatnonzero(matrix.alive)
    stored, numbers = list(store.images()), {product.id: number for number, product in store.products().items()}
    assert matrix.ids[alive].tolist() == [i.id for i in stored] and matrix.revision == store.revision
    assert matrix.products[alive].tolist() == [numbers[i.product] for i in stored]
    rows = np.concatenate([np.empty((0, DIM), np.float32), *matrix.pieces])
    expected = np.array([vector(int.from_bytes(i.content, "big")) for i in stored]).reshape(-1, DIM)
    np.testing.assert_allclose(rows[alive], expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["add", "remove", "reopen", "tear"]), st.integers(0, 9)), max_size=25))
def test_any_order_of_changes_shows_what_is_stored(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    store, matrices = Store.create(folder, {}), [None, None]  # of two processes
    for turn, (what, n) in enumerate(steps):
        if what == "add":
            put(store, n, n + 10, product=f"p{n % 3}")
        elif what == "remove":
            remove(store, n)
        elif what == "reopen":
            matrices[turn % 2] = None
        elif (file := folder / [IDS, VECTORS, STATE][n % 3]).exists():
            file.write_bytes(file.read_bytes()[:-5])
            matrices = [None, None]
        if what != "tear" or n % 2:
            matrices[turn % 2] = loaded(store, matrices[turn % 2])
            check(matrices[turn % 2], store)
    for before in (*matrices, None):
        check(loaded(store, before), store)


@pytest.fixture(scope="module")
def monkeypatch_module() -> object:
    """A tail of two rows, so that files are extended often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "TAIL", 2)
        yield patch


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path, {})
    put(store, *range(10))
    return store


def test_an_addition_extends_the_files(store: Store, tmp_path: Path) -> None:
    matrix = loaded(store)
    assert len(matrix.pieces) == 1 and isinstance(matrix.pieces[0], np.memmap)
    inode, content = (tmp_path / VECTORS).stat().st_ino, (tmp_path / VECTORS).read_bytes()
    put(store, *range(10, 20))
    check(loaded(store), store)
    assert (tmp_path / VECTORS).stat().st_ino == inode and (tmp_path / VECTORS).read_bytes()[: len(content)] == content
    assert loaded(store, matrix) is not matrix and len(matrix) == 10, "what was handed out does not change"


def test_the_same_revision_is_the_same_matrix(store: Store) -> None:
    matrix = loaded(store)
    assert loaded(store, matrix) is matrix


@pytest.mark.parametrize("name", [IDS, VECTORS, STATE])
@pytest.mark.parametrize("how", ["cut", "altered", "gone", "empty"])
def test_a_torn_file_is_noticed_and_made_again(store: Store, tmp_path: Path, name: str, how: str) -> None:
    loaded(store)
    file = tmp_path / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes({"cut": bytes(content[:-1]), "altered": bytes(content), "empty": b""}[how])
    check(loaded(store), store)
    again = loaded(store)
    assert isinstance(again.pieces[0], np.memmap) and len(again.pieces) == 1
    check(again, store)


def test_rows_of_a_stopped_process_are_written_over(store: Store, tmp_path: Path) -> None:
    loaded(store)
    for name in (IDS, VECTORS):
        with (tmp_path / name).open("ab") as stream:
            stream.write(b"\1" * 100)
    put(store, 11)
    check(loaded(store), store)
    check(loaded(store), store)
    assert (tmp_path / IDS).stat().st_size == 11 * 8


def test_files_of_another_index_or_another_time_are_not_taken(store: Store, tmp_path: Path) -> None:
    loaded(store, name="another")
    check(loaded(store), store)
    before = tmp_path / "before.db"
    store.backup(before)
    put(store, 50, 51)
    loaded(store)
    store.close()
    for file in tmp_path.glob("index.db*"):
        file.unlink()
    before.rename(tmp_path / "index.db")
    older = Store(tmp_path)
    check(loaded(older), older)


def test_what_is_removed_is_masked_and_in_the_end_swept(store: Store, tmp_path: Path) -> None:
    matrix = loaded(store)
    remove(store, 3)
    matrix = loaded(store, matrix)
    assert len(matrix) == 10 and matrix.alive.sum() == 9
    remove(store, 4, 5, 6)
    matrix = loaded(store, matrix)
    assert len(matrix) == 6 and (tmp_path / IDS).stat().st_size == 6 * 8
    check(loaded(store), store)
    remove(store, *range(10))
    check(loaded(store, matrix), store)


def test_nobody_waits_for_who_writes_the_files(store: Store, tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check(loaded(store), store)
        assert not (tmp_path / STATE).exists()
    check(loaded(store), store)
    assert (tmp_path / STATE).exists()
    cache.drop(tmp_path)
    assert not list(tmp_path.glob("*.f32"))
    check(loaded(store), store)


def test_who_waits_for_the_lock_and_who_comes_later_have_the_same_one(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    put(store, 1, 2)
    loaded(store)
    before = (tmp_path / LOCK).stat().st_ino
    cache.drop(tmp_path)
    assert (tmp_path / LOCK).stat().st_ino == before and not any((tmp_path / name).exists() for name in (IDS, VECTORS, STATE))
    check(loaded(store), store)
