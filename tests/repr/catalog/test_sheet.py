"""CSV files, strictly."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.catalog import sheet
from repr.errors import UserError


def fits(header: Sequence[str]) -> bool:
    return "a" in header


def read(folder: Path, text: str, encoding: str = "utf-8") -> sheet.Sheet:
    (folder / "s.csv").write_bytes(text.encode(encoding))
    return sheet.read(folder / "s.csv", fits)


CELLS = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r\n\ufeff\x1c\x1d\x1e\x85\u2028\u2029\v\f"), max_size=6
)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), mark=st.sampled_from(",;\t"))
def test_what_python_writes_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], mark: str) -> None:
    out = StringIO()
    csv.writer(out, delimiter=mark).writerows([("a", "b"), *rows])
    found = read(tmp_path_factory.mktemp("s"), out.getvalue())
    assert [(row["a"], row["b"]) for _, row in found.rows] == [(a.strip(), b.strip()) for a, b in rows if a.strip() or b.strip()]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a,b\n1,2\n1,2,3\n", ", row 3", "3 cells, where the first row names 2 columns"),
        ("a,b\n1\n", ", row 2", "1 cells"),
        ("a,b\n\n1\n", ", row 3", "1 cells"),
        ('a,b\n1,2\n3,"4"5\n', ", row 3", "not a readable CSV"),
        ('a,b\n1,"2\n', ", row 2", "not a readable CSV"),
        ("a,b,a\n1,2,3\n", "", "'a' stands twice"),
        ("\na,b\n", "", "first line is empty"),
        ("sep=;\n", "", "first line is empty"),
        ("sep=;\na;b\n1\n", ", row 3", "1 cells"),
    ],
)
def test_what_does_not_fit_is_named_with_its_row(tmp_path: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 's.csv'}{place}" and caught.value.remedy


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("a,b\n1,茶\n", "utf-8"),
        ("a,b\n1,茶\n", "utf-8-sig"),
        ("a\tb\n1\t茶\n", "utf-16"),
        ("sep=;\na;b\n1;茶\n", "utf-8"),
        ('"sep=\t"\na\tb\n1\t茶\n', "utf-8"),
        ("a,b,\n1,茶,\n", "utf-8"),
        ("a,b\r\n1,茶,,\r\n\r\n", "utf-8"),
        ('"a";"b, too"\n1;茶\n', "utf-8"),
    ],
)
def test_what_spreadsheets_write(tmp_path: Path, text: str, encoding: str) -> None:
    (row,) = read(tmp_path, text, encoding).rows
    assert list(row[1].values())[:2] == ["1", "茶"]


def test_rows_have_the_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    assert [n for n, _ in read(tmp_path, 'a,b\n1,2\n\n3,"x\ny"\n4,5\n').rows] == [2, 4, 5]


def test_utf16_without_its_mark_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 1: a zero byte.*Save the file as UTF-8"):
        read(tmp_path, "a,b\n1,2\n", "utf-16-le")
    with pytest.raises(UserError, match="line 2: a zero byte"):
        read(tmp_path, "a,b\n1,2\0\n")
