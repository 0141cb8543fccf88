"""From a request to rows, without any data."""

from __future__ import annotations

from typing import Any

import pytest

from repr.classify.grid import Request
from repr.classify.rows import check, list_rows
from repr.classify.settings import Settings
from repr.errors import UserError


def rows(number: str = "", levels: dict[str, int] | None = None, **asked: Any) -> list[Settings]:
    return list_rows(number, Request(**asked), {"grouped": "grouped"}, levels or {"": 2})


def test_a_request_of_nothing_is_one_row() -> None:
    (row,) = rows()
    assert (row.model, row.level, row.part, row.mask, row.split, row.text_encoder) == ("ngram", 2, "", False, "grouped", "ngram")


def test_parts_are_outermost_and_share_the_usual_level_of_the_first() -> None:
    found = rows(levels={"Food": 2, "Wear": 3}, models=("ngram", "lstm"))
    assert [(row.part, row.model, row.level) for row in found] == [
        ("Food", "ngram", 2), ("Food", "lstm", 2), ("Wear", "ngram", 2), ("Wear", "lstm", 2)
    ]  # fmt: skip


def test_what_is_named_twice_stands_once() -> None:
    assert len(rows(models=("ngram", "ngram"), levels=None)) == 1
    assert len(rows(models=("ngram",), nets=("flat", "flat", "rnn"))) == 2


def test_all_rows_share_what_the_request_says() -> None:
    found = rows(models=("ngram", "gated"), lr=0.1, epochs=3, mask=True, ocr=True, text_encoder="bilstm", scale=0.5)
    assert {(row.lr, row.epochs, row.mask, row.ocr, row.text_encoder, row.scale) for row in found} == {(0.1, 3, True, True, "bilstm", 0.5)}


@pytest.mark.parametrize(("number", "encoder"), [("4", "bilstm"), ("5", "ngram"), ("6", "bert")])
def test_a_table_has_its_own_text_encoder_and_shows_titles_both_ways(number: str, encoder: str) -> None:
    found = rows(number)
    assert {row.text_encoder for row in found} == {encoder}
    assert {row.mask for row in found if "text" in row.modality} == {False, True}
    assert {row.mask for row in rows(number, mask=True) if "text" in row.modality} == {True}
    assert {row.text_encoder for row in rows(number, text_encoder="lstm")} == {"lstm"}


def test_table_8_runs_the_parts_that_are_named_on_their_own_levels() -> None:
    found = rows("8", levels={"Food": 2, "Wear": 3}, models=("ngram",), mask=True)
    assert [(row.part, row.level) for row in found] == [("Food", 2), ("Wear", 3)]
    assert {row.part for row in rows("8")} == {"outdoors", "meats", "accessories", "jewelries"}


@pytest.mark.parametrize(
    ("number", "asked", "words"),
    [
        ("4", {"nets": ("flat",)}, "nets: table 4 settles this itself"),
        ("8", {"subset": "meats"}, "subset: table 8 settles this itself"),
        ("", {"paper": "x.csv"}, "paper: belongs to a table"),
        ("", {"models": ("encoder",), "mask": True}, "mask: none of the rows"),
        ("", {"models": ("ngram",), "size": 64}, "size: none of the rows"),
        ("", {"models": ("gated",), "end_to_end": False}, "end_to_end: none of the rows"),
        ("", {"models": ("bert",), "optimiser": "adamw"}, "optimiser: none of the rows"),  # frozen, it trains a head alone
        ("", {"models": ("bert",), "end_to_end": True, "presets": ("rakuten",), "optimiser": "adamw"}, "optimiser: none of the rows"),
        ("", {"models": ("encoder",), "end_to_end": True, "grid": 4}, "grid: none of the rows"),
        ("", {"models": ("mean", "stacking"), "fuse_hidden": 12}, "fuse_hidden: none of the rows"),
        ("", {"models": ("product",), "nets": ("flat",), "end_to_end": True}, "end_to_end: none of the rows"),
        ("", {"device": "foo"}, "no such device"),
        ("", {"subset": "nowhere.csv"}, "nowhere.csv"),
        ("7", {}, "there is no table '7'"),
    ],
)
def test_what_is_typed_wrong_needs_no_data(number: str, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check(number, Request(**asked))


def test_what_fits_is_passed() -> None:
    check("", Request(models=("ngram", "encoder"), mask=True, size=64))
    check("6", Request(nets=("flat",), shares=(0.5,)))
