from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.classify.paper import Printed, of_paper, read_paper
from repr.classify.settings import Settings
from repr.classify.subtree import subtree
from repr.classify.tables import NUMBERS, Choice, remarks, rows_of
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

    assert {"vgg19", "inception_v3", "lstm", "bilstm", "concat", "tfn", "lmf"} <= models("4")
    assert {row.level for row in rows_of("4", Settings(), Choice())} == {2}
    assert {"resnet50", "bert"} <= models("5") and {row.level for row in rows_of("5", Settings(), Choice())} == {1, 2, 3}
    six = rows_of("6", Settings(), Choice())
    assert {row.hierarchy for row in six} == {"flat", "coarse-to-fine", "fine-to-coarse", "coarse-and-fine", "rnn"}
    assert {row.level for row in six} == {1} and {row.seed for row in six} == {0}
    eight = rows_of("8", Settings(), Choice())
    assert {row.part for row in eight} == {"outdoors", "meats", "accessories", "jewelries"}
    assert {row.level for row in rows_of("fig8", Settings(), Choice())} == {3}


def test_two_wide_layers_below_frozen_features_and_from_scratch_what_has_no_weights() -> None:
    rows = {row.model: row for row in rows_of("5", Settings(), Choice(levels=(1,), masks=(False,)))}
    assert rows["bert"].hidden(0) == [4096, 4096] == rows["encoder"].hidden(0) and rows["ngram"].layers is None
    assert rows["resnet50"].end_to_end is True, "there are no weights to freeze"
    whole = rows_of("5", Settings(end_to_end=True), Choice())
    assert all(row.layers is None for row in whole)


@pytest.mark.parametrize("number", ["4", "5", "6", "8"])
def test_every_row_that_the_paper_prints_is_run(number: str) -> None:
    """Its tables, row by row, as they stand in the paper (levels and parts too)."""
    paper = read_paper("")
    rows = [row.config for row in rows_of(number, Settings(), Choice())]
    found = [printed for printed in of_paper(number, rows, paper) if printed]
    assert len(found) == len({key for key in paper if key[0] == number}) == {"4": 7, "5": 6, "6": 12, "8": 8}[number]


def test_figures_of_the_paper() -> None:
    paper = read_paper("")
    fused = Settings(model="concat", level=2, text_encoder="bilstm")
    (both,) = of_paper("4", [fused.config], paper)
    assert both and (both.top1, both.top5, both.ap, both.f1) == (0.9107, 0.9884, 0.9354, 0.8540) and "Table 4" in both.source
    gains = {  # the last line of Table 6, in points, from its own cells
        net: 100 * np.mean([paper["6", f"{of} {net}", 1].top1 - paper["6", f"{of} flat", 1].top1 for of in ("resnet50", "bert", "concat")])
        for net in ("coarse-to-fine", "fine-to-coarse", "coarse-and-fine")
    }
    assert {net: round(gain, 2) for net, gain in gains.items()} == {"coarse-to-fine": 0.71, "fine-to-coarse": 0.55, "coarse-and-fine": 0.63}


def test_narrowed() -> None:
    rows = rows_of("4", Settings(), Choice(models=("ngram",), levels=(2,), masks=(True,)))
    assert [(row.model, row.level, row.mask) for row in rows] == [("ngram", 2, True)]
    with pytest.raises(UserError, match="has no row gated"):
        rows_of("5", Settings(), Choice(models=("gated",)))
    with pytest.raises(UserError, match="no table '7'"):
        rows_of("7", Settings(), Choice())
    assert {row.part for row in rows_of("8", Settings(), Choice(parts={"Topwear": 3}))} == {"Topwear"}


def test_no_number_of_the_paper_is_invented() -> None:
    assert of_paper("4", [Settings(model="bert", level=1).config], read_paper("")) == (None,)
    assert "does not say which averages" in remarks("4")[0]


def test_a_copy_of_the_papers_numbers(tmp_path: Path) -> None:
    file = tmp_path / "paper.csv"
    file.write_text("table,row,level,top1,source\n6,bert flat,1,0.5,made up\n", encoding="utf-8")
    told = Settings(model="bert", hierarchy="flat", level=1)
    others = replace(told, mask=True), replace(told, fine_share=0.5), replace(told, ocr=True), replace(told, level=2)
    found = of_paper("6", [row.config for row in (told, *others)], read_paper(str(file)))
    assert found == (
        Printed(0.5, source="made up"),
        None,
        None,
        None,
        None,
    )
    for line in ("6,bert,1,", "6,bert,x,0.5,", "6,bert,1,50,"):
        file.write_text(f"table,row,level,top1,source\n{line}\n", encoding="utf-8")
        with pytest.raises(UserError, match="row 2"):
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
