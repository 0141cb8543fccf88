"""index.db: any order of changes by several connections equals a plain dictionary; a change is there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.errors import UserError
from repr.lookup import own
from repr.lookup import store as module
from repr.lookup.opened import Opened
from repr.lookup.refused import Refused
from repr.lookup.store import FILE, NewImage, Product, Store
from repr.lookup.weights import made_with
from repr.models.weights import fresh

ROOT = Path(__file__).resolve().parents[3]
STEPS = st.tuples(st.sampled_from(["add", "remove", "move", "rename"]), st.integers(0, 2), st.integers(0, 4))


def image(product: str, n: int, path: str = "") -> NewImage:
    return NewImage(product, path or f"{product}/{n}.jpg", n.to_bytes(32, "big"), np.full(4, n + 1, np.float32))


def put(store: Store, product: str, *numbers: int) -> None:
    with store.change("add") as change:
        change.put_products([Product(product)])
        change.add([image(product, n) for n in numbers])


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEPS, max_size=20))
def test_any_order_of_changes_by_two_connections_equals_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    stores, kept = [Store.create(folder, {}), Store(folder)], dict[tuple[str, int], str]()
    for turn, (what, p, n) in enumerate(steps):
        store, product, path = stores[turn % 2], f"p{p}", f"{turn}.jpg"
        ids = {(i.product, int.from_bytes(i.content, "big")): i.id for i in store.images()}
        assert ids.keys() == kept.keys(), "each connection sees what the other has changed"
        with store.change(what) as change:
            if what == "add":
                change.put_products([Product(product)])
                assert change.add([image(product, n, path)]) == ((product, n) not in kept)
                kept[product, n] = path
            elif what == "remove" and (product, n) in kept:
                assert change.remove_images([ids[product, n], 10_000]) == 1
                del kept[product, n]
            elif what == "move" and (product, n) in kept:
                change.move({ids[product, n]: path})
                kept[product, n] = path
            elif what == "rename" and not store.has_product("new"):
                change.rename(product, "new")
                kept = {("new" if name == product else name, m): at for (name, m), at in kept.items()}
    for store in [*stores, Store(folder)]:
        assert {(i.product, int.from_bytes(i.content, "big")): i.path for i in store.images()} == kept
        assert store.counts()[1] == len(kept) and store.verify() == []
    rows = [(ids, features) for ids, features in stores[0].features(dim=4)]
    assert sum(len(ids) for ids, _ in rows) == len(kept)
    stored = {i.id: int.from_bytes(i.content, "big") + 1 for i in stores[0].images()}
    assert all((features[:, 0] == [stored[i] for i in ids]).all() for ids, features in rows)


def test_a_new_file_is_whole_before_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing carries over what stands in a log of its own, which is not renamed with the file; on a full disk it cannot, in silence."""
    monkeypatch.setattr(module, "closing", nullcontext)
    store = Store.create(tmp_path, {"root": "/x"})
    assert store.setting("root") == "/x" and store.counts() == (0, 0) and store.verify() == []
    assert store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    put(store, "a", 1, 2)
    first, before = [i.id for i in store.images()], store.revision
    with store.change("remove") as change:
        assert change.remove_products(["a"]) == 2
    put(store, "a", 1)
    assert [i.id for i in store.images()] == [max(first) + 1] and store.removed(since=before) == first
    assert store.owners()[1].tolist() == [2] and store.removed(since=store.revision) == []


def test_products_keep_what_is_not_given_again(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    with store.change("add") as change:
        change.put_products([Product("a", "milk", "42", ("food", "drinks"))])
        change.put_products([Product("a", barcode="43")])
        change.add([image("a", 1)])
    assert store.products() == {1: Product("a", "milk", "43", ("food", "drinks"))} == store.products([1])
    with store.change("remove") as change:
        change.remove_images([1])
        assert change.remove_empty_products(["b"]) == 0 and change.remove_empty_products(["a", "b"]) == 1
    assert store.counts() == (0, 0)


def test_a_change_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {"root": "/x"})
    with pytest.raises(ValueError, match="on purpose"), store.change("add") as change:
        change.put_products([Product("a")])
        change.add([image("a", 1)])
        raise ValueError("on purpose")
    assert store.counts() == (0, 0) and store.revision == 1 and store.setting("root") == "/x" and store.setting("none") is None
    assert [(row[0], row[3], row[4]) for row in store.history()] == [(1, "create", {"settings": 1})]
    with store.change("nothing"):
        pass
    assert store.revision == 1, "what changes nothing is no change"


def test_a_process_killed_in_the_middle_of_a_change_leaves_all_or_nothing(tmp_path: Path) -> None:
    put(Store.create(tmp_path, {}), "a", 1)
    code = (
        "import os, sys, signal\n"
        "from repr.lookup.store import Store\n"
        "from tests.repr.lookup.test_store import image, put\n"
        "store = Store(sys.argv[1])\n"
        "put(store, 'a', 2)\n"
        "with store.change('add') as change:\n"
        "    change.add([image('a', n) for n in range(3, 500)])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.counts() == (1, 2) and store.verify() == []
    put(store, "a", 3)
    assert store.counts() == (1, 3)


def test_a_writer_waits_and_a_reader_does_not(tmp_path: Path) -> None:
    first = Store.create(tmp_path, {})
    second = Store(tmp_path, wait=0.05)
    with first.change("add") as change:
        change.put_products([Product("a")])
        change.add([image("a", 1)])
        assert second.counts() == (0, 0)
        with pytest.raises(UserError, match="another process is writing"), second.change("add"):
            pass
    assert second.counts() == (1, 1)


def test_a_reading_shows_one_revision(tmp_path: Path) -> None:
    first, second = Store.create(tmp_path, {}), Store(tmp_path)
    with second.reading():
        before = second.revision
        put(first, "a", 1)
        assert second.revision == before and second.counts() == (0, 0)
    assert second.counts() == (1, 1)


def test_backup_and_compaction(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "a", {})
    put(store, "a", *range(200))
    (tmp_path / "b").mkdir()
    store.backup(tmp_path / "b" / FILE)
    store.compact()
    with store.change("remove") as change:
        change.remove_products(["a"])
    size = (tmp_path / "a" / FILE).stat().st_size
    store.compact()
    assert Store(tmp_path / "b").counts() == (1, 200) and store.counts() == (0, 0)
    assert (tmp_path / "a" / FILE).stat().st_size < size


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    put(store, "a", 1, 2)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("DELETE FROM features WHERE image = 1")
        db.commit()
    assert store.verify() == ["1 images have no features"]
    with pytest.raises(UserError, match="not of 5 numbers"):
        list(store.features(dim=5))


def torn(file: Path) -> None:
    """Overwrite all pages but the first, which holds the tables' names."""
    page = 4096
    with file.open("r+b") as stream:
        stream.seek(page)
        stream.write(b"\xff" * (file.stat().st_size - page))


def test_a_damaged_file_is_told_in_words(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {"name": "x"})
    put(store, "a", *range(300))
    store.close()
    torn(tmp_path / FILE)
    store = Store(tmp_path)
    reads = [store.counts, store.history, lambda: list(store.images()), store.owners, lambda: list(store.features(dim=4)), store.products]
    for read in reads:
        with pytest.raises(Refused, match="malformed") as told:
            read()
        assert told.value.kind == "broken" and told.value.where == str(tmp_path / FILE)
    with pytest.raises(Refused, match="malformed"):
        put(store, "b", 1)
    assert any("malformed" in problem for problem in store.verify())
    with pytest.raises(sqlite3.IntegrityError):
        Store.create(tmp_path / "other", {}).db.execute("INSERT INTO settings VALUES ('x', NULL)")


def test_an_image_of_its_own_lies_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"of somebody else")
    store = Store.create(tmp_path / "i", {})
    (tmp_path / "i" / "images").mkdir()
    for n, path in enumerate(["index:../../secret.png", f"index:{secret}", "index:..", "index:"]):
        with store.change("add") as change:
            change.put_products([Product("a")])
            change.add([image("a", n, path)])
        with pytest.raises(UserError, match="not in the index's own folder"):
            own.place(tmp_path / "i", path)
        with store.change("remove") as change:
            change.remove_products(["a"])
    assert secret.is_file() and store.counts() == (0, 0) and store.strays() == []


def test_files_that_are_no_index(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not an index"):
        Store(tmp_path)
    (tmp_path / FILE).write_bytes(b"something else" * 100)
    with pytest.raises(UserError, match="not a readable index"):
        Store(tmp_path)
    (tmp_path / FILE).unlink()
    store = Store.create(tmp_path, {})
    with pytest.raises(UserError, match="an index here already"):
        Store.create(tmp_path, {})
    store.db.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="a newer version"):
        Store(tmp_path)


def as_nobody(work: Callable[[], None]) -> int:
    """The exit code of work that is done by a user who may write nowhere."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        work()
        os._exit(0)
    finally:
        os._exit(1)


def test_a_folder_that_cannot_be_written_to_is_read() -> None:
    with tempfile.TemporaryDirectory() as place:  # others cannot get to pytest's own
        folder = Path(place)
        put(store := Store.create(folder, {}), "a", 1)
        store.close()
        (folder / FILE).chmod(0o444)
        folder.chmod(0o555)

        def _look() -> None:
            reader = Store(folder)
            assert reader.counts() == (1, 1) and reader.verify() == [] and reader.strays() == []
            with pytest.raises(UserError, match="cannot be written to"), reader.change("add") as change:
                change.put_products([Product("b")])

        assert as_nobody(_look) == 0
        folder.chmod(0o755)
    assert not folder.exists()


def test_a_reader_that_cannot_write_sees_what_others_commit() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        put(store := Store.create(folder, {"weights": made_with(fresh("resnet18", 32, 0)), "name": "x"}), "a", 1)
        store.close()
        folder.chmod(0o555)
        opened, written = os.pipe(), os.pipe()

        def _look() -> None:
            reader = Opened(folder)
            assert reader.store.counts() == (1, 1) and not reader.store.outdated
            os.write(opened[1], b"x")
            for expected in ((2, 2), (3, 3)):
                assert os.read(written[0], 1) == b"x"
                assert reader.store.counts() == expected
                os.write(opened[1], b"x")

        def _write() -> None:
            os.read(opened[0], 1)
            writer = Store(folder)
            put(writer, "b", 2)  # stands in the -wal
            os.write(written[1], b"x")
            os.read(opened[0], 1)
            put(writer, "c", 3)
            writer.close()  # stands in the file
            os.write(written[1], b"x")

        thread = threading.Thread(target=_write)
        thread.start()
        assert as_nobody(_look) == 0
        thread.join()
        folder.chmod(0o755)


def test_a_writer_ahead_is_no_reason_to_read_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path, {})
    store.db.execute("PRAGMA locking_mode = EXCLUSIVE")
    put(store, "a", 1)
    with pytest.raises(Refused) as told:
        Store(tmp_path, wait=0.05)
    assert told.value.kind == "busy"


def test_changes_in_a_log_that_cannot_be_read_are_not_left_out() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        put(store := Store.create(folder / "i", {}), "a", 1)
        (folder / "copy").mkdir()
        for ending in ("", "-wal"):
            shutil.copy(folder / "i" / f"{FILE}{ending}", folder / "copy")
        store.close()
        (folder / "copy").chmod(0o555)
        folder.chmod(0o755)

        def _look() -> None:
            with pytest.raises(UserError, match="stand in its -wal"):
                Store(folder / "copy")

        assert as_nobody(_look) == 0
        (folder / "copy").chmod(0o755)
