"""Plain tables: aligned, wide characters counted double, and no wider than the room."""

from __future__ import annotations

from unicodedata import east_asian_width

from hypothesis import given
from hypothesis import strategies as st

from repr.tables import table

CELL = st.text("ab12茶", max_size=6)


def width(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def test_the_first_column_stands_left_and_the_others_right() -> None:
    assert table(["name", "n"], [["a", "10"], ["longer", "5"]]).splitlines() == [
        "name     n",
        "------  --",
        "a       10",
        "longer   5",
    ]


def test_wide_characters_count_double() -> None:
    lines = table(["name", "n"], [["茶叶", "1"], ["abcd", "2"]]).splitlines()
    assert lines[2:] == ["茶叶  1", "abcd  2"]


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=5))
def test_every_line_is_as_wide_as_the_rule_or_shorter_at_its_end(rows: list[tuple[str, str, str]]) -> None:
    head, rule, *lines = table(["x", "y", "z"], [list(row) for row in rows]).split("\n")
    assert len(lines) == len(rows)
    assert all(width(line) <= len(rule) for line in (head, *lines))
    for line, row in zip(lines, rows, strict=True):
        assert line.split() == [cell for cell in row if cell]


@given(st.integers(1, 60))
def test_columns_that_do_not_fit_are_named_below(room: int) -> None:
    header = ["model", "top1", "top5", "seconds"]
    head, _, row, *rest = table(header, [["encoder", "0.5", "0.75", "12"]], room=room).splitlines()
    shown = head.split()
    assert shown == header[: len(shown)] and len(shown) >= 2
    assert width(row) <= room or len(shown) == 2
    if len(shown) < 4:
        assert rest == [f"Not shown, for want of room: {', '.join(header[len(shown) :])}. The JSON has them."]
    else:
        assert not rest


def test_without_rows_the_header_stands() -> None:
    assert table(["a", "b"], []) == "a  b\n-  -"
