from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from repr.catalog.table import Catalog
from repr.classify.settings import Settings
from repr.classify.subtree import subtree
from repr.classify.tables import NUMBERS, Choice, of_paper, read_paper, remarks, rows_of
from repr.errors import UserError


@pytest.mark.parametrize("number", NUMBERS)
def test_rows_that_read_titles_stand_twice_and_images_once(number: str) -> None:
    rows = rows_of(number, Settings(), Choice())
    assert len(set(rows)) == len(rows) > 0
    for row in rows:
        twin = [
            other
            for other in rows
            if (other.model, other.level, other.hierarchy, other.part) == (row.model, row.level, row.hierarchy, row.part)
        ]
        assert len(twin) == (2 if "text" in row.modality else 1)


def test_what_the_issue_asks_of_each_table() -> None:
    def models(number: str) -> set[str]:
        return {row.model for row in rows_of(number, Settings(), Choice())}

    assert {"vgg19", "inception_v3", "resnet50", "lstm", "bilstm", "bert"} <= models("4")
    assert {"concat", "tfn", "lmf"} <= models("5")
    six = rows_of("6", Settings(), Choice())
    assert {row.hierarchy for row in six} == {"flat", "coarse-to-fine", "fine-to-coarse", "coarse-and-fine", "rnn"}
    assert {row.level for row in six} == {1, 2, 3} and {row.seed for row in six} == {0}
    eight = rows_of("8", Settings(), Choice())
    assert {row.part for row in eight} == {"outdoors", "meats", "accessories", "jewelries"}
    assert {row.level for row in rows_of("fig8", Settings(), Choice())} == {3}
    assert all(row.end_to_end is False for row in rows_of("5", Settings(), Choice()))


def test_narrowed() -> None:
    rows = rows_of("4", Settings(), Choice(models=("ngram",), levels=(2,), masks=(True,)))
    assert [(row.model, row.level, row.mask) for row in rows] == [("ngram", 2, True)]
    with pytest.raises(UserError, match="has no row gated"):
        rows_of("4", Settings(), Choice(models=("gated",)))
    with pytest.raises(UserError, match="no table '7'"):
        rows_of("7", Settings(), Choice())
    assert {row.part for row in rows_of("8", Settings(), Choice(parts={"Topwear": 3}))} == {"Topwear"}


def test_no_number_of_the_paper_is_invented() -> None:
    assert of_paper("4", [Settings(model="bert", level=1).config], read_paper("")) == (None,)
    assert "not in the package's sources" in remarks("4", read_paper(""))[0]


def test_a_copy_of_the_papers_numbers(tmp_path: Path) -> None:
    file = tmp_path / "paper.csv"
    file.write_text("table,row,level,top1,source\n6,bert flat,1,0.5,made up\n", encoding="utf-8")
    told = Settings(model="bert", hierarchy="flat", level=1)
    others = replace(told, mask=True), replace(told, fine_share=0.5), replace(told, ocr=True), replace(told, level=2)
    assert of_paper("6", [row.config for row in (told, *others)], read_paper(str(file))) == (0.5, None, None, None, None)
    assert not remarks("4", read_paper(str(file)))
    for line in ("6,bert,1,", "6,bert,x,0.5,", "6,bert,1,50,"):
        file.write_text(f"table,row,level,top1,source\n{line}\n", encoding="utf-8")
        with pytest.raises(UserError, match="line 2"):
            read_paper(str(file))
    with pytest.raises(UserError, match="no such file"):
        read_paper(str(tmp_path / "nowhere"))


def test_rows_with_ocr_text_stand_beside_those_without() -> None:
    rows = rows_of("4", Settings(), Choice(models=("ngram", "resnet50"), levels=(1,), masks=(True,), ocrs=(False, True)))
    assert [(row.model, row.ocr) for row in rows] == [("resnet50", False), ("ngram", False), ("ngram", True)]


def test_subtrees_by_name_and_id(shop: Catalog) -> None:
    food = subtree(shop, "Food")
    assert len(food) == 80 and food.default_level == 2 and set(food.labels()[1]) == {"Apple", "Leek"}
    with pytest.raises(UserError, match=r"no class is called 'Fod'.*Did you mean Food"):
        subtree(shop, "Fod")
    with pytest.raises(UserError, match=r"2 classes are called '1'.*1:1 or 2:1"):
        subtree(shop, "1")
    assert len(subtree(shop, "1:1")) == 80
    with pytest.raises(UserError, match="has no class below it"):
        subtree(shop, "Leek")
