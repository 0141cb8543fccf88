"""From options to rows: what is refused before any work, and what is recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from repr.catalog.table import Catalog
from repr.catalog.union import with_split
from repr.classify import request
from repr.classify.answer import Answer
from repr.classify.grid import Request
from repr.cli.classify import command
from repr.errors import UserError
from repr.experiments import document
from repr.models.provenance import Provenance, Record, learned_from
from repr.models.weights import fresh, write_weights
from repr.runs import Run


@pytest.fixture
def data(shop: Catalog, tmp_path: Path) -> Path:
    """The shop, which brings its own split, as a catalog file."""
    shop.write(tmp_path / "shop.parquet")
    return tmp_path / "shop.parquet"


@pytest.fixture
def flat(shop: Catalog, tmp_path: Path) -> Path:
    """The shop without its split."""
    with_split(shop, np.full(len(shop), "", object)).write(tmp_path / "flat.parquet")
    return tmp_path / "flat.parquet"


def ask(data: Path, *typed: str) -> Answer:
    """What the command would be answered."""
    kept: list[Answer] = []

    def call(number: str, asked: Request, out: Path | None) -> Answer:
        kept.append(original(number, asked, out))
        return kept[0]

    original = request.ask
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "ask", call)
        CliRunner().invoke(command, [*typed, "--data", str(data)], catch_exceptions=False)
    return kept[0]


def test_a_split_of_the_data_is_called_their_own(data: Path) -> None:
    answer = ask(data, "--split", "random")
    assert answer.rows[0].config.split == "own" and "split own" in answer.document.notes[0]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("table", "4", "--hierarchy", "flat"), "nets: table 4 settles this"),
        (("table", "5", "--fine-share", "0.5"), "shares: table 5 settles this"),
        (("table", "6", "--end-to-end"), "end_to_end: table 6 settles this"),
        (("table", "5", "--layers", "1"), "layers: table 5 settles this"),
        (("--model", "ngram", "--layers", "1"), "layers: none of the rows"),
        (("table", "8", "--subset", "meats"), "subset: table 8 settles this"),
        (("--model", "bilstm", "--text-encoder", "bert"), "text_encoder: none of the rows"),
        (("--model", "ngram", "--bert", "folder"), "bert: none of the rows"),
        (("--model", "gated", "--frozen"), "end_to_end: none of the rows"),
        (("--model", "encoder", "--weak", "residual"), "weak: none of the rows"),
        (("--model", "encoder", "--mask-class-words"), "mask: none of the rows"),
        (("--model", "encoder", "--ocr"), "ocr: none of the rows"),
        (("--paper", "paper.csv"), "paper: belongs to a table"),
        (("--balanced", "--logit-adjustment", "1"), "adjust: given with `balanced`"),
        (("--model", "ngram", "--size", "64"), "size: none of the rows"),
        (("--model", "resnet50", "--weights", "imagenet"), "imagenet: none of the models asked for can use these weights"),
        (("--model", "ngram", "--weights", "none"), "none: none of the models asked for can use these weights of resnet18"),
        (("--ocr",), "ocr: no row has OCR text"),
    ],
)
def test_no_option_is_taken_and_ignored(data: Path, typed: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask(data, *typed)


def test_table_6_takes_a_share_of_fine_labels(data: Path, tmp_path: Path) -> None:
    typed = ["table", "6", "--model", "resnet50", "--hierarchy", "flat", "--fine-share", "0.5", "--level", "1"]
    answer = ask(data, *typed, "--out", str(tmp_path / "out"))
    assert {row.config.fine_share for row in answer.rows} == {0.5} and "no weights" in answer.rows[0].row.error


def test_another_commands_folder_is_left_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run.create(tmp_path / "run", "repr pretrain", {}, data="shop", synthetic=False)
    monkeypatch.setattr(request, "open_sources", lambda *_: pytest.fail("read first"))
    with pytest.raises(UserError, match="holds a run of `repr pretrain`"):
        ask(data, "--out", str(tmp_path / "run"))


def test_an_option_typed_twice_is_no_second_seed(data: Path) -> None:
    answer = ask(data, "--level", "1", "--level", "1", "--model", "ngram", "--model", "ngram")
    assert [row.seeds for row in answer.document.rows] == [(0,)] and answer.document.rows[0].metrics["top1"].ci95 is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--logit-adjustment", "-5"), "adjust is -5"),
        (("--device", "foo"), "no such device"),
        (("--model", "ngram", "--model", "bert", "--bert", "nowhere"), "nowhere: there is no such folder"),
        (("table", "5", "--under", "Nuts"), "no class is called 'Nuts'"),
        (("--model", "encoder", "--weights", "nowhere.pth"), "nowhere.pth: no such weights"),
    ],
)
def test_what_is_typed_wrong_is_said_before_anything_is_trained(data: Path, typed: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask(data, *typed)


def test_the_run_folder_holds_the_document_that_is_answered(data: Path, tmp_path: Path) -> None:
    answer = ask(data, "--level", "1", "--level", "2", "--seeds", "2", "--out", str(tmp_path / "out"))
    assert document.read(tmp_path / "out") == answer.document
    assert answer.document.command == "repr classify" and answer.document.seeds == (0, 1) and answer.document.data == "shop"
    assert [row.config["level"] for row in answer.document.rows] == [1, 2]
    assert Run.open(tmp_path / "out").config["status"] == "done"
    again = ask(data, "--level", "1", "--level", "2", "--seeds", "2", "--out", str(tmp_path / "out"))
    assert again.document == answer.document  # seconds included: nothing was computed anew


def test_a_table_tells_its_number_and_what_the_paper_prints(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "paper.csv"
    file.write_text("table,row,level,top1,source\n4,ngram,1,0.5,made up\n", encoding="utf-8")
    answer = ask(data, "table", "4", "--model", "ngram", "--level", "1", "--paper", str(file), "--out", str(tmp_path / "out"))
    about = answer.document.about
    assert (about["table"], about["paper_top1"], about["paper_f1"], about["paper_source"]) == (
        "4",
        (0.5, None),
        (None, None),
        ("made up", None),
    )
    assert answer.document.command == "repr classify table 4"
    assert {row.config.preset for row in answer.rows} == {"paper"}
    assert document.read(tmp_path / "out").about == answer.document.about


def test_bad_input_leaves_no_folder_and_a_stopped_run_no_results(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no labels on level 3"):
        ask(data, "--level", "3", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    ask(data, "--level", "1", "--out", str(tmp_path / "out"))
    monkeypatch.setattr(request, "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises((KeyboardInterrupt, IndexError)):
        ask(data, "--level", "2", "--out", str(tmp_path / "out"))
    with pytest.raises(UserError, match="has not ended"):
        document.read(tmp_path / "out")


@pytest.mark.parametrize(
    "typed", [("--scale", "2"), ("table", "7"), ("--model", "ngrams"), ("--hierarchy", "round"), ("--subset", "nowhere.csv")]
)
def test_what_needs_no_data_is_said_before_they_are_opened(data: Path, typed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "open_sources", lambda *_: pytest.fail("opened first"))
    with pytest.raises(UserError):
        ask(data, *typed)


def test_none_is_the_start_of_a_named_network_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "run", lambda _, rows, seeds, out: pytest.fail(str([row.weights for row in rows])))
    with pytest.raises(pytest.fail.Exception, match=r"\[''\]"):
        ask(data, "--model", "resnet50", "--weights", "none")


def test_two_presets_stand_side_by_side(flat: Path, tmp_path: Path) -> None:
    """Each divides data without a split in its own way, and rows are compared with those of their own preset alone."""
    answer = ask(flat, "--level", "1", "--preset", "paper", "--preset", "grouped", "--epochs", "1", "--out", str(tmp_path / "out"))
    assert [(row.config.preset, row.config.split) for row in answer.rows] == [("paper", "random"), ("grouped", "grouped")]
    assert (
        answer.document.rows[0].trials[0].split != answer.document.rows[1].trials[0].split
        and "split random, grouped" in answer.document.notes[0]
    )


def test_weights_that_saw_the_test_images_are_told_in_json_and_page(data: Path, shop: Catalog, tmp_path: Path) -> None:
    learned = learned_from(shop, np.flatnonzero(shop.column("split") == "test"))
    provenance = Provenance.of(Record("simclr", data=learned.data), hashes=learned.hashes)
    write_weights(tmp_path / "seen.safetensors", replace(fresh("resnet18", 32, 0), provenance=provenance, name="C+C"))
    typed = ["--model", "encoder", "--size", "32", "--epochs", "1", "--level", "1", "--seeds", "2", "--out"]
    answer = ask(data, *typed, str(tmp_path / "out"), "--weights", str(tmp_path / "seen.safetensors"))
    (leak,) = answer.document.leaks
    assert (leak.kind, leak.share) == ("seen", 1.0) and "has seen all 40 test images" in leak.text
    assert document.read(tmp_path / "out").leaks == answer.document.leaks
    assert "has seen all 40 test images" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert ask(data, *typed, str(tmp_path / "clean"), "--weights", "none").document.leaks == ()
