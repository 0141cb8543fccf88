"""The journal of a pack: what was written counts, what was cut off does not, and another one's lines are thrown away."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.images.decoded import Chunk
from repr.images.journal import NAME, from_spans, held, resume, spans


@given(st.sets(st.integers(0, 200)))
def test_spans_and_back(rows: set[int]) -> None:
    ascending = sorted(rows)
    written = spans(ascending)
    assert from_spans(written).tolist() == ascending
    assert all(first < end for first, end in written)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(written)), "no span could be joined to the next"


def chunk(good: list[int], bad: list[int]) -> Chunk:
    return Chunk(np.array(good, np.int64), np.zeros((len(good), 2, 2, 3), np.uint8), [(row, "broken") for row in bad])


def begun(folder: Path) -> None:
    """A journal of two chunks: rows 0 to 3, of which 2 is broken, and 4 to 5."""
    with held(folder) as stream:
        journal = resume(stream, 1, "key", folder, 0)
        journal.note(chunk([0, 1, 3], [2]))
        journal.note(chunk([4, 5], []))


@pytest.mark.parametrize(
    ("stored", "rows", "bad", "done"),
    [(5, [0, 1, 3, 4, 5], [(2, "broken")], 6), (4, [0, 1, 3], [(2, "broken")], 4), (2, [], [], 0)],
)
def test_what_is_on_the_disk_counts(tmp_path: Path, stored: int, rows: list[int], bad: list[tuple[int, str]], done: int) -> None:
    begun(tmp_path)
    with held(tmp_path) as stream:
        journal = resume(stream, 1, "key", tmp_path, stored)
        assert (journal.rows, journal.bad, journal.done) == (rows, bad, done)
        journal.note(chunk([done], []))
    with held(tmp_path) as stream:
        assert resume(stream, 1, "key", tmp_path, 99).rows == [*rows, done], "it goes on where it was"


@pytest.mark.parametrize("tail", [b'{"done": 9, "ro', b"[1]\n", b"\x00\x01\n"])
def test_a_damaged_last_line_does_not_count(tmp_path: Path, tail: bytes) -> None:
    begun(tmp_path)
    with (tmp_path / NAME).open("ab") as stream:
        stream.write(tail)
    with held(tmp_path) as lines:
        assert resume(lines, 1, "key", tmp_path, 99).done == 6
    assert tail not in (tmp_path / NAME).read_bytes()


def test_other_images_start_it_again_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun(tmp_path)
    with held(tmp_path) as stream:
        assert resume(stream, 1, "other", tmp_path, 99).done == 0
    assert "starting it again" in capsys.readouterr().err
    assert len((tmp_path / NAME).read_text().splitlines()) == 1


def test_one_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with held(tmp_path):
            order.append("second")

    with held(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"] and "waiting for it" in capsys.readouterr().err
