"""The texts that every text model sees: title, description and OCR text, masked or hidden, block by block the same."""

from __future__ import annotations

import numpy as np
import pytest

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.classify import texts as module
from repr.classify.texts import PAIR, Texts

ROWS: list[tuple[str | None, str | None, str | None]] = [
    ("Red  Apple\n1 kg", "sweet", "SALE"),
    ("— !! —", None, None),
    (None, "only a description", None),
    ("绿茶 250g", None, "龙井"),
    (None, None, "only ocr"),
    (None, None, None),
    ("", "", ""),
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    columns: dict[str, list[object]] = {
        "path": [f"{n}.png" for n in range(len(ROWS))],
        "product": [str(n) for n in range(len(ROWS))],
        "class_1": [0] * len(ROWS),
        "title": [row[0] for row in ROWS],
        "description": [row[1] for row in ROWS],
        "ocr": [row[2] for row in ROWS],
    }
    source = Source("shop", "folders", tmp_path_factory.mktemp("texts"))
    return build(columns, classes=((ClassName("1", "apple"),), (), ()), sources=(source,), default_level=1)


def every(texts: Texts, *, pair: bool = False) -> list[str]:
    return texts.take(np.arange(len(texts)), pair)


def test_titles_and_descriptions_with_blanks_squeezed(catalog: Catalog) -> None:
    assert every(Texts(catalog)) == ["Red Apple 1 kg sweet", "", "only a description", "绿茶 250g", "", "", ""]


def test_ocr_stands_behind_where_it_is_asked_for(catalog: Catalog) -> None:
    assert every(Texts(catalog, ocr=True)) == ["Red Apple 1 kg sweet SALE", "", "only a description", "绿茶 250g 龙井", "only ocr", "", ""]


def test_pairs_part_what_comes_first_from_the_rest(catalog: Catalog) -> None:
    assert every(Texts(catalog, ocr=True), pair=True) == [
        f"Red Apple 1 kg{PAIR}sweet SALE", "", "only a description", f"绿茶 250g{PAIR}龙井", "only ocr", "", "",
    ]  # fmt: skip


def test_hidden_parts_are_as_if_they_were_not_there(catalog: Catalog) -> None:
    assert every(Texts(catalog, ocr=True, hidden=frozenset({"title"}))) == [
        "sweet SALE",
        "",
        "only a description",
        "龙井",
        "only ocr",
        "",
        "",
    ]
    assert every(Texts(catalog, ocr=True, hidden=frozenset({"ocr"}))) == every(Texts(catalog))
    assert every(Texts(catalog, ocr=True, hidden=frozenset({"text"}))) == [""] * len(ROWS)
    assert every(Texts(catalog, ocr=True, hidden=frozenset({"image"}))) == every(Texts(catalog, ocr=True))


def test_masked_texts_lack_the_classes_words(catalog: Catalog) -> None:
    masked = every(Texts(catalog, mask=True))
    assert "apple" not in masked[0].lower() and masked[0].startswith("Red") and masked[3] == "绿茶 250g"


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_blocks_make_no_difference_in_any_order(catalog: Catalog, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, rows = Texts(catalog, ocr=True), np.array([4, 0, 0, 6, 3])
    monkeypatch.setattr(module, "BLOCK", block)
    made = [text for part in texts.blocks(rows) for text in part]
    assert made == texts.take(rows) == [every(texts)[row] for row in rows]
    assert texts.present(rows).tolist() == [True, True, True, False, True] and not len(texts.present(rows[:0]))


def test_data_without_any_text(catalog: Catalog) -> None:
    bare = build(
        {"path": ["a.png"], "product": ["a"], "class_1": [0]},
        classes=((ClassName("1", "a"),), (), ()),
        sources=catalog.sources,
        default_level=1,
    )
    assert every(Texts(bare, ocr=True)) == [""] and not Texts(bare).present(np.arange(1)).any() and len(Texts(bare)) == 1
