"""`repr index` and `repr lookup` as they are typed: what they print, their JSON, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from repr.cli.index import command
from repr.cli.lookup import command as lookup
from repr.errors import UserError


def run(of: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(of, [str(argument) for argument in arguments])


def as_json(of: click.Command, *arguments: object) -> dict[str, Any]:
    result = run(of, *arguments, "--json")
    assert result.exit_code == 0, result.exception
    content: dict[str, Any] = json.loads(result.stdout)
    assert content["schema"] == 1
    return content


def images(folder: Path, names: tuple[str, ...], n: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images(tmp_path_factory.mktemp("data") / "shop", ("milk", "tea"), 3, 0)


@pytest.fixture
def index(shop: Path, tmp_path: Path) -> Path:
    typed = ("--data", shop, "--weights", "none", "--size", 32, "--device", "cpu", "--out", tmp_path / "shop.index")
    content = as_json(command, "build", *typed)
    assert (content["added"], content["products"], content["images"]) == (6, 2, 6)
    return tmp_path / "shop.index"


def test_info_says_the_same_as_json_and_in_words(index: Path) -> None:
    by_word, by_option = as_json(command, "info", index), as_json(command, "info", "--index", index)
    assert by_word == by_option and by_word["images"] == 6 and by_word["complete"] and by_word["search"]["kind"] == "exact"
    words = run(command, "info", index).stdout
    assert "6" in words and "2" in words


def test_what_is_added_is_counted_and_removed_again(index: Path, tmp_path: Path) -> None:
    more = images(tmp_path / "more", ("soap",), 2, 1)
    content = as_json(command, "add", index, "--data", more, "--device", "cpu")
    assert (content["added"], content["products"], content["images"]) == (2, 3, 8)
    again = as_json(command, "add", "--index", index, "--data", more, "--device", "cpu")
    assert (again["added"], again["images"], again["revision"]) == (0, 8, content["revision"])
    assert as_json(command, "remove", index, "soap")["removed"] == 2
    left = as_json(command, "info", index)
    assert (left["products"], left["images"]) == (2, 6) and left["revision"] > again["revision"]
    assert "Removed 3 images of 1 products; 1 products stay." in run(command, "remove", "--index", index, "milk").stdout


def test_a_stored_photograph_is_found_first(index: Path, shop: Path) -> None:
    photo = shop / "tea" / "1.png"
    (result,) = as_json(lookup, index, photo, "-k", 2, "--device", "cpu")["results"]
    assert result["query"] == str(photo)
    assert next(match["product"] for match in result["matches"]) == "tea" and len(result["matches"]) == 2
    best = result["matches"][0]
    assert best["score"] == pytest.approx(1, abs=1e-4) and best["image"].endswith("tea/1.png")
    per_image = as_json(lookup, "--index", index, photo, "-k", 4, "--per-image", "--device", "cpu")["results"][0]["matches"]
    assert len(per_image) == 4 and [m["score"] for m in per_image] == sorted((m["score"] for m in per_image), reverse=True)


def test_words_a_sheet_and_fewer_than_asked_for(index: Path, shop: Path, tmp_path: Path) -> None:
    result = run(lookup, index, shop / "milk" / "0.png", "-k", 9, "--sheet", tmp_path / "s.png", "--device", "cpu")
    assert result.exit_code == 0, result.exception
    assert "holds 2 products, fewer than -k 9" in result.stderr and "Sheet: " in result.stderr
    assert "product" in result.stdout and "milk" in result.stdout
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > sheet.height > 0


def test_what_cannot_be_read_is_said_and_the_rest_answered(index: Path, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"x")
    result = run(lookup, index, tmp_path / "broken.png", shop / "tea" / "0.png", "--device", "cpu", "--json")
    broken, good = json.loads(result.stdout)["results"]
    assert result.exit_code == 3, "done, but for some"
    assert broken["matches"] == [] and broken["error"] and good["matches"] and "error" not in good
    alone = run(lookup, index, tmp_path / "broken.png", "--device", "cpu")
    assert alone.exit_code == 3 and "broken.png" in alone.stderr


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("build", "--data", "x"), "no folder named for the index"),
        (("info",), "no index named"),
        (("info", "a", "b"), "one word too many: b"),
        (("remove", "a"), "no product named"),
        (("info", "nowhere"), "nowhere"),
    ],
)
def test_wrong_usage_of_the_index(typed: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(command, *typed)
    assert isinstance(result.exception, UserError) and words in str(result.exception)


def test_wrong_usage_of_the_lookup(index: Path) -> None:
    assert "no photograph named" in str(run(lookup, index).exception)
    assert run(lookup, index, "x.png", "-k", 0).exit_code == 2


def test_ids_that_no_terminal_shows_are_refused_wherever_they_come_from(index: Path, tmp_path: Path) -> None:
    before = as_json(command, "info", index)
    folder = images(tmp_path / "more", ("fine", "two\nlines"), 1, 2)
    for typed in (
        ("add", index, "--data", folder, "--device", "cpu"),
        ("rename", index, "milk", "a\tb"),
        ("rename", index, "milk", "y" * 1001),
    ):
        refused = run(command, *typed).exception
        assert isinstance(refused, UserError) and ("control characters" in refused.message or "1,001" in refused.message)
    assert run(command, "build", "--data", folder, "--weights", "none", "--out", tmp_path / "no.index").exception is not None
    assert as_json(command, "info", index) == before and not (tmp_path / "no.index").exists()
    assert as_json(command, "rename", index, "milk", "a/b %2F 红茶")["renamed"] == ["milk", "a/b %2F 红茶"]
    assert as_json(command, "remove", index, "a/b %2F 红茶")["removed"] == 3


def test_verify_tells_of_a_damaged_file(index: Path) -> None:
    assert as_json(command, "verify", index) | {"index": ""} == {"schema": 1, "index": "", "problems": [], "strays": 0, "passed_over": []}
    db = index / "index.db"
    whole = db.read_bytes()
    db.write_bytes(b"".join(bytes(4096) if page % 2 else whole[4096 * page :][:4096] for page in range(len(whole) // 4096)))
    result = run(command, "verify", index, "--json")
    assert result.exit_code == 3 and any("malformed" in problem for problem in json.loads(result.stdout)["problems"])
    for content, words in (
        (b"", "empty"),
        (whole[: len(whole) // 2], "not a readable index"),
        (b"no database" + whole[11:], "not a readable"),
    ):
        db.write_bytes(content)
        refused = run(command, "verify", index).exception
        assert isinstance(refused, UserError) and words in refused.message
