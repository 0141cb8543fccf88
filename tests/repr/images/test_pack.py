from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from repr.catalog.table import Catalog, Source, build
from repr.errors import UserError
from repr.images import pack as packing
from repr.images.decoded import Chunk
from repr.images.pack import HEADER, make_pack, open_pack, source_key

Greys = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs find each other through the cache; each test gets its own."""
    monkeypatch.setenv("REPR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts calls of the decoder: the row each started from."""
    calls: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> Iterator[Chunk]:
        calls.append(kwargs["start"])
        return decode(*args, **kwargs)

    decode = packing.decode
    monkeypatch.setattr(packing, "decode", counted)
    return calls


def test_a_pack_holds_every_readable_image_and_lists_the_others(shelf: Catalog, greys: Greys, capsys: pytest.CaptureFixture[str]) -> None:
    pack = make_pack(shelf, 8)
    assert pack.pixels.shape == (147, 8, 8, 3) and pack.pixels.dtype == np.uint8 and len(pack) == 147
    assert np.array_equal(pack.rows, greys) and pack.rows.dtype == np.int64
    assert np.array_equal(pack.pixels[:, 4, 4, 0], greys)
    assert [Path(entry.path).name for entry in pack.quarantine] == ["003.png", "070.png", "149.png"]
    assert "not an image" in pack.quarantine[0].reason and pack.quarantine[2].reason == "no such file"
    printed = capsys.readouterr()
    assert "3 of 150 images could not be read" in printed.err and "003.png" in printed.err and not printed.out
    assert "decode" not in printed.err, "a bar for short work where nobody looks"


def test_the_file_is_a_plain_npy(shelf: Catalog, tmp_path: Path) -> None:
    pack = make_pack(shelf, 8, out=tmp_path / "p")
    assert np.array_equal(np.load(tmp_path / "p" / "pixels.npy"), pack.pixels)
    assert sorted(file.name for file in (tmp_path / "p").iterdir()) == ["index.json", "pixels.npy", "sources.npy"]


def test_it_is_made_once(shelf: Catalog, decodings: list[int]) -> None:
    first = make_pack(shelf, 8)
    again = make_pack(shelf, 8)
    assert decodings == [0] and again.path == first.path and again.key == first.key
    assert make_pack(shelf, 10).size == 10
    assert make_pack(shelf, 8, fit="pad").key != first.key
    assert len(decodings) == 3


def test_a_part_is_copied_from_a_pack_of_all(shelf: Catalog, tmp_path: Path, decodings: list[int]) -> None:
    whole = make_pack(shelf, 8, out=tmp_path / "elsewhere")
    part = make_pack(shelf.select(np.array([149, 12, 3, 3, 80])), 8)
    assert decodings == [0]
    assert part.rows.tolist() == [1, 4] and part.pixels[:, 0, 0, 0].tolist() == [12, 80]
    assert [entry.reason for entry in part.quarantine] == [whole.quarantine[i].reason for i in (2, 0, 0)]
    shutil.rmtree(whole.path)
    assert make_pack(shelf.select(np.arange(10)), 8).rows.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert decodings == [0, 0]


def test_a_damaged_pack_is_not_copied_from(shelf: Catalog, tmp_path: Path, decodings: list[int]) -> None:
    make_pack(shelf, 8, out=tmp_path / "whole")
    os.truncate(tmp_path / "whole" / "pixels.npy", 1000)
    assert len(make_pack(shelf.select(np.arange(10)), 8)) == 9
    assert len(decodings) == 2


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_killed_run_goes_on_where_it_was(
    shelf: Catalog, greys: Greys, tmp_path: Path, decodings: list[int], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    counted = packing.decode

    def killed(*args: Any, **kwargs: Any) -> Iterator[Chunk]:
        for i, chunk in enumerate(counted(*args, **kwargs)):
            if i == after:
                raise KeyboardInterrupt
            yield chunk

    with monkeypatch.context() as patch:
        patch.setattr(packing, "decode", killed)
        with pytest.raises(KeyboardInterrupt):
            make_pack(shelf, 8, out=tmp_path / "p", workers=1)
    with pytest.raises(UserError, match="unfinished pack"):
        open_pack(tmp_path / "p")
    # What a kill may leave: images without their line, and half a line.
    with (tmp_path / "p" / "pixels.npy").open("ab") as stream:
        stream.write(b"\x07" * 100)
    with (tmp_path / "p" / "progress.jsonl").open("a") as log:
        log.write('{"done": 99')
    pack = make_pack(shelf, 8, out=tmp_path / "p", workers=1)
    assert len(decodings) == 2 and (decodings[1] > 0) == (after > 0)
    assert np.array_equal(pack.rows, greys) and np.array_equal(pack.pixels[:, 2, 2, 1], greys)
    assert len(pack.quarantine) == 3


@pytest.mark.parametrize(
    ("harm", "left"),
    [
        (lambda folder: (folder / "pixels.npy").unlink(), 0),
        (lambda folder: os.truncate(folder / "pixels.npy", HEADER + 40 * 8 * 8 * 3), 37),
        (lambda folder: (folder / "progress.jsonl").write_bytes(b"\0\0\n"), 0),
    ],
)
def test_what_was_lost_since_is_decoded_again(
    shelf: Catalog, greys: Greys, tmp_path: Path, decodings: list[int], monkeypatch: pytest.MonkeyPatch, harm: Any, left: int
) -> None:
    """A crash of the machine may keep the log and lose images, or the other way round; none must come out black."""
    counted = packing.decode

    def killed(*args: Any, **kwargs: Any) -> Iterator[Chunk]:
        chunks = counted(*args, **kwargs)
        for _ in range(2):
            yield next(chunks)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(packing, "decode", killed)
        with pytest.raises(KeyboardInterrupt):
            make_pack(shelf, 8, out=tmp_path / "p", workers=1)
    harm(tmp_path / "p")
    pack = make_pack(shelf, 8, out=tmp_path / "p", workers=1)
    assert np.array_equal(pack.rows, greys) and np.array_equal(pack.pixels[:, 2, 2, 1], greys)
    assert decodings == [0, left + 1 if left else 0]


def test_a_disk_that_fills_up_names_the_pack_and_leaves_no_empty_one(
    shelf: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Iterator[Chunk]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    monkeypatch.setattr(packing, "decode", full)
    with pytest.raises(OSError) as raised:
        make_pack(shelf, 8, out=tmp_path / "p")
    assert raised.value.filename == str(tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_damaged_pack_in_the_cache_is_no_hindrance(shelf: Catalog) -> None:
    pack = make_pack(shelf, 8)
    (pack.path / "sources.npy").write_bytes(b"")
    assert len(make_pack(shelf.select(np.arange(4, 20)), 8)) == 16


def test_an_unfinished_pack_of_other_images_is_begun_again(
    shelf: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def killed(*args: Any, **kwargs: Any) -> Iterator[Chunk]:
        yield next(whole(*args, **kwargs))
        raise KeyboardInterrupt

    whole = packing.decode
    with monkeypatch.context() as patch:
        patch.setattr(packing, "decode", killed)
        with pytest.raises(KeyboardInterrupt):
            make_pack(shelf, 8, out=tmp_path / "p", workers=1)
    pack = make_pack(shelf.select(np.arange(4, 20)), 8, out=tmp_path / "p")
    assert pack.pixels[:, 0, 0, 0].tolist() == list(range(4, 20))
    assert "starting it again" in capsys.readouterr().err


def test_a_pack_whose_images_changed_is_refused_and_kept(shelf: Catalog, tmp_path: Path) -> None:
    make_pack(shelf, 8, out=tmp_path / "p")
    with pytest.raises(UserError, match=r"another size \(8 px\).*choose another `out`"):
        make_pack(shelf, 16, out=tmp_path / "p")
    Image.new("L", (30, 16), 200).save(shelf.file(5))
    with pytest.raises(UserError, match="changed or moved since"):
        make_pack(shelf, 8, out=tmp_path / "p")
    assert open_pack(tmp_path / "p").pixels[4, 0, 0, 0] == 5
    assert make_pack(shelf, 8).pixels[4, 0, 0, 0] == 200  # in the cache the key names the pack: a new one


def test_the_key_follows_files_and_boxes(shelf: Catalog) -> None:
    key = source_key(shelf, 8)
    assert key == source_key(shelf, 8) != source_key(shelf, 9)
    os.utime(shelf.file(5), ns=(0, 1))
    assert source_key(shelf, 8) != key
    boxed = build(
        {"path": ["000.png"], "product": ["p"], "box": [[0.0, 0.0, 4.0, 4.0]]},
        classes=((), (), ()),
        sources=(Source("made", "folders", shelf.sources[0].root),),
    )
    assert source_key(boxed, 8) != source_key(shelf.select(np.array([0])), 8)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: os.truncate(folder / "pixels.npy", HEADER + 500), "628 bytes where the index says 28,352"),
        (lambda folder: (folder / "pixels.npy").unlink(), "0 bytes where"),
        (lambda folder: _poke(folder / "pixels.npy", HEADER + 2, 77), "image 0 does not match its checksum"),
        (lambda folder: (folder / "index.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "index.json").write_text("[]"), "not a pack's index.json"),
        (lambda folder: (folder / "index.json").write_text('{"kind": "pack", "version": 99}'), "newer version"),
        (lambda folder: (folder / "index.json").unlink(), "not a pack"),
    ],
)
def test_a_damaged_pack_is_told(shelf: Catalog, tmp_path: Path, harm: Any, message: str) -> None:
    make_pack(shelf, 8, out=tmp_path / "p")
    harm(tmp_path / "p")
    with pytest.raises(UserError, match=message):
        open_pack(tmp_path / "p")


def _poke(file: Path, at: int, value: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] = value
    file.write_bytes(content)


def test_nothing_is_left_of_a_pack_without_images(tmp_path: Path, folder_catalog: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    catalog = folder_catalog(tmp_path, ["a.png", "b.png"])
    with pytest.raises(UserError, match="none of the 2 images could be read"):
        make_pack(catalog, 8, out=tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_full_disk_is_told_before_anything_is_written(shelf: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="the pack needs"):
        make_pack(shelf, 8, out=tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_other_folders_are_not_written_to(shelf: Catalog, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="exists and is not a pack"):
        make_pack(shelf, 8, out=tmp_path / "mine")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(UserError, match="exists and is not a pack"):
        make_pack(shelf, 8, out=tmp_path / "mine" / "thesis.txt")


def test_two_at_once_make_one_pack(shelf: Catalog, greys: Greys, decodings: list[int]) -> None:
    packs = []
    threads = [threading.Thread(target=lambda: packs.append(make_pack(shelf, 8, workers=1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(packs) == 3 and decodings == [0]
    assert all(np.array_equal(pack.pixels[:, 0, 0, 0], greys) for pack in packs)


def test_the_synthetic_shop_stays_labelled(tmp_path: Path, folder_catalog: Any) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    assert make_pack(folder_catalog(tmp_path, ["a.png"], synthetic=True), 8).synthetic
    index = next((tmp_path / "cache").glob("packs/*/index.json"))
    assert json.loads(index.read_text())["synthetic"] is True


def test_grocery_is_packed(shared: Path, folder_catalog: Any) -> None:
    root = shared / "grocery" / "val2019"
    names = sorted(file.name for file in root.iterdir())[:100]
    pack = make_pack(folder_catalog(root, names), 32)
    assert len(pack) == 100 and not pack.quarantine
    assert pack.pixels.std() > 20
