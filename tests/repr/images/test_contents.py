"""Sets of images by content: names do not matter, and a sketch tells of an overlap what it can."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.arrays import Hashes
from repr.images import contents
from repr.images.contents import KEPT, MISSING, PIECE, Overlap, Sketch, file_digests, image_hashes

SEVERAL = st.lists(st.integers(1, 60), max_size=40)


def hashes_of(*values: int) -> Hashes:
    return np.array(values, dtype=np.uint64)


def drawn(n: int, seed: int) -> Hashes:
    return np.random.default_rng(seed).integers(1, 2**64, n, dtype=np.uint64)


@pytest.mark.parametrize("length", [0, 1, PIECE, 3 * PIECE, 3 * PIECE + 1, 10 * PIECE])
def test_an_image_is_known_by_its_content_whatever_it_is_called(length: int, tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(length)
    (tmp_path / "a → b").mkdir()
    files = [tmp_path / "nan.jpg", tmp_path / "a → b" / "-1", tmp_path / "A: dairy"]
    for file in files:
        file.write_bytes(content)
    first, *others = image_hashes(files).tolist()
    assert first != MISSING and others == [first, first]


@pytest.mark.parametrize("place", [0, PIECE - 1, 5 * PIECE, 10 * PIECE - 1])
def test_another_byte_is_another_image(place: int, tmp_path: Path) -> None:
    content = bytearray(10 * PIECE)
    (tmp_path / "a").write_bytes(content)
    content[place] = 1
    (tmp_path / "b").write_bytes(content)
    (tmp_path / "c").write_bytes(bytes(10 * PIECE + 1))
    assert len(set(image_hashes([tmp_path / name for name in "abc"]).tolist())) == 3


def test_what_cannot_be_read_is_missing_and_a_photograph_of_many_boxes_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(contents.os, "open", lambda file, flags: opened.append(file) or real(file, flags))  # type: ignore[func-returns-value]
    hashes = image_hashes([tmp_path / "a", tmp_path / "none", tmp_path, tmp_path / "a"])
    assert hashes[1] == hashes[2] == MISSING and hashes[0] == hashes[3] != MISSING and len(opened) == 3
    assert Sketch.of(hashes).n == 1


def test_moved_and_renamed_data_have_the_same_key(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / "shop").mkdir(exist_ok=True)
        (tmp_path / "shop" / f"{n}.jpg").write_bytes(bytes([n]) * 50)
    shutil.copytree(tmp_path / "shop", tmp_path / "C+C")
    for n, file in enumerate(sorted((tmp_path / "C+C").iterdir())):
        file.rename(file.with_name(f"{9 - n}.png"))
    keys = {Sketch.of(image_hashes(sorted((tmp_path / name).iterdir()))).key for name in ("shop", "C+C")}
    assert len(keys) == 1
    (tmp_path / "C+C" / "9.png").unlink()
    assert Sketch.of(image_hashes(sorted((tmp_path / "C+C").iterdir()))).key not in keys


@given(SEVERAL, SEVERAL)
def test_a_small_set_is_told_exactly(one: list[int], other: list[int]) -> None:
    overlap = Sketch.of(hashes_of(*one)).overlap(hashes_of(*other, MISSING))
    assert overlap == Overlap(len(set(one) & set(other)), len(set(other)), len(set(other)))


@settings(deadline=None, max_examples=50)
@given(SEVERAL, SEVERAL, st.integers(1, 20))
def test_of_a_large_set_what_is_told_is_true(one: list[int], other: list[int], kept: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "KEPT", kept)
        sketch = Sketch.of(hashes_of(*one))
        overlap = sketch.overlap(hashes_of(*other))
    known = {value for value in other if value <= sketch.limit}
    assert sketch.hashes.tolist() == sorted(set(one))[:kept] and sketch.n == len(set(one))
    assert (overlap.within, overlap.known, overlap.of) == (len(known & set(one)), len(known), len(set(other)))


def test_an_estimate_is_near_the_share() -> None:
    """200,000 images, of which the sketch keeps a twelfth: of 30,000 others half are among them, and about 2,460 are told."""
    trained = drawn(200_000, 0)
    others = np.concatenate([trained[:15_000], drawn(15_000, 1)])
    overlap = Sketch.of(trained).overlap(others)
    assert overlap.of == 30_000 and overlap.known == pytest.approx(30_000 * KEPT / 200_000, rel=0.1)
    assert overlap.share == pytest.approx(0.5, abs=0.05)  # five standard deviations of 0.01
    assert Sketch.of(trained).overlap(drawn(30_000, 2)).within == 0


def test_nothing_told_is_a_share_of_nothing() -> None:
    assert Sketch.of(hashes_of()).overlap(hashes_of(3)) == Overlap(0, 1, 1)
    assert Sketch.of(hashes_of(3)).overlap(hashes_of()).share == 0.0


@pytest.mark.parametrize("n", [0, 3, KEPT, KEPT + 1])
def test_a_sketch_is_written_as_text_and_read_again(n: int) -> None:
    sketch = Sketch.of(drawn(n, 0))
    again = Sketch.read(sketch.n, sketch.text())
    assert again.key == sketch.key and np.array_equal(again.hashes, sketch.hashes) and again.n == n


@pytest.mark.parametrize("text", ["", "no base 64!", "AAAA", Sketch.of(hashes_of(1, 2)).text()[:-4], Sketch.of(hashes_of(1)).text()])
def test_text_that_is_damaged_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Sketch.read(2, text)


def test_hashes_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="2 hashes of 2 images"):
        Sketch.read(2, Sketch(2, hashes_of(2, 1)).text())


def test_digests_are_of_the_whole_file(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("C+C", "a → b", "none", "nan")]
    for file, content in zip((files[0], files[1], files[3]), (b"", b"x" * 100_000, b"x" * 100_000), strict=True):
        file.write_bytes(content)
    digests = file_digests([*files, tmp_path])
    assert digests == [sha256(b"").digest(), sha256(b"x" * 100_000).digest(), None, sha256(b"x" * 100_000).digest(), None]
    assert file_digests([]) == []
