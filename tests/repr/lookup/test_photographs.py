"""Files and folders of photographs, answers in pieces, and answers in files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.errors import UserError
from repr.lookup import photographs as module
from repr.lookup.index import Index
from repr.lookup.matches import Answer, Match
from repr.lookup.photographs import Photographs, answers, writing
from repr.models.weights import fresh


def draw(file: Path, seed: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(file)
    return file


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    for seed, name in enumerate(["b.png", "a.png", "deep/er/c.png"]):
        draw(folder / name, seed)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def index(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    index = Index.create(tmp_path_factory.mktemp("i") / "i", weights=fresh("resnet18", 32, 0), root=photos, crops=[1], device="cpu")
    index.add("one", [photos / "a.png", photos / "b.png"], name="One", barcode="4006381333931", category=["food", "tins"])
    index.add("two", photos / "deep" / "er" / "c.png")
    return index


def test_a_folder_is_every_image_below_it_in_order_and_the_rest_is_counted(photos: Path) -> None:
    found = Photographs.of([photos, photos / "notes.txt", "gone.jpg"])
    names = [photos / name for name in ("a.png", "b.png", "deep/er/c.png", "notes.txt")]
    assert found.files == (*names, Path("gone.jpg")), "what is named by itself is kept, whatever it is"
    assert [(one.count, one.examples) for one in found.passed_over] == [(1, ("notes.txt",))]


def test_a_folder_without_an_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(UserError, match="no image in the folder"):
        Photographs.of([tmp_path])


def test_answers_in_pieces_are_those_at_once(index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [*Photographs.of([photos]).files, photos / "gone.png"]
    monkeypatch.setattr(module, "PIECE", 2)
    found = list(answers(index, files, 2))
    assert [answer.query for answer in found] == [str(file) for file in files]
    assert [[m.product for m in a.matches] for a in found] == [[m.product for m in a.matches] for a in index.lookup(files, 2)]
    assert found[3].error == "no such file" and found[3].unknown is None


ANSWERS = [
    Answer("a.jpg", (Match("1", 0.5, "x.jpg", "Tea; green", "400", ("food", "tea"), 0.75), Match("2", 0.25, "y,z.jpg")), True),
    Answer("gone\n.jpg", error="no such file"),
    Answer("牛奶.jpg", (Match("牛", 1.0, "z.jpg", probability=1.0),), False),
]


def test_a_table_has_a_row_a_match(tmp_path: Path) -> None:
    with writing(tmp_path / "new" / "a.csv") as write:
        for answer in ANSWERS:
            write(answer)
    with (tmp_path / "new" / "a.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["query"], row["rank"], row["product"]) for row in rows] == [
        ("a.jpg", "1", "1"), ("a.jpg", "2", "2"), ("gone\n.jpg", "", ""), ("牛奶.jpg", "1", "牛"),
    ]  # fmt: skip
    assert rows[0] == {
        **{"query": "a.jpg", "unknown": "true", "rank": "1", "product": "1", "name": "Tea; green", "barcode": "400"},
        **{"category": "food > tea", "probability": "0.75", "score": "0.5", "image": "x.jpg", "error": ""},
    }
    assert (rows[2]["error"], rows[2]["unknown"], rows[3]["unknown"]) == ("no such file", "", "false")


def test_lines_are_what_the_json_holds(tmp_path: Path) -> None:
    with writing(tmp_path / "a.jsonl") as write:
        for answer in ANSWERS:
            write(answer)
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [answer.as_json() for answer in ANSWERS]


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "a.csv") as write:
        write(ANSWERS[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="no format"), writing(tmp_path / "a.txt"):
        pass


def test_names_barcodes_and_categories_are_in_every_answer(index: Index, photos: Path) -> None:
    match = index.lookup(photos / "a.png", k=1).matches[0]
    assert (match.product, match.name, match.barcode, match.category) == ("one", "One", "4006381333931", ("food", "tins"))
    assert match.as_json().keys() == {"product", "name", "barcode", "category", "probability", "score", "image"}
