"""What programs rely on: the JSON of `repr lookup`, `repr index build|add|sync|info|check|learner`, their files and exit codes."""

from __future__ import annotations

import csv
import json
import shutil
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

PRODUCTS, IMAGES = 6, 6


def run(of: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(of, [str(argument) for argument in arguments])


def as_json(of: click.Command, *arguments: object, code: int = 0) -> dict[str, Any]:
    result = run(of, *arguments, "--json")
    assert result.exit_code == code, result.exception
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def photo(product: int, image: int) -> Image.Image:
    ground = np.random.default_rng(product).integers(0, 256, (4, 4, 3)).repeat(8, 0).repeat(8, 1)
    noise = np.random.default_rng(1000 * product + image + 1).normal(0, 60, ground.shape)
    return Image.fromarray(np.clip(ground + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    for product in range(PRODUCTS):
        (folder / f"p{product}").mkdir(parents=True)
        for image in range(IMAGES):
            photo(product, image).save(folder / f"p{product}" / f"{image}.png")
    return folder


@pytest.fixture(scope="module")
def built(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    index = tmp_path_factory.mktemp("i") / "shop.index"
    typed = ("build", "--data", shop, "--weights", "none", "--size", 32, "--crops", 1, "--device", "cpu", "--accept", 0.9, "--out", index)
    result = run(command, *typed, "--json")
    assert result.exit_code == 0, result.exception
    return index, result


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for product in range(PRODUCTS):
        photo(product, 99).save(folder / f"{product}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def test_build_prints_the_counts_and_what_was_tried(built: tuple[Path, Result]) -> None:
    content = json.loads(built[1].stdout)
    counts = {"added": 36, "updated": 0, "moved": 0, "removed": 0, "unchanged": 0, "quarantined": 0, "products": 6, "images": 36}
    assert {name: content[name] for name in counts} == counts
    assert content["schema"] == 1 and content["passed_over"] == []
    assert content["learner"] in {trial["learner"] for trial in content["trials"]}
    assert [trial["learner"] for trial in content["trials"]][:2] == ["neighbour", "ncm"]


def test_info_tells_who_answers_and_what_unknown_costs(built: tuple[Path, Result]) -> None:
    content = as_json(command, "info", built[0])
    assert set(content["accept"]) == {"threshold", "known_rejected", "strangers_accepted"}
    assert 0 <= content["accept"]["strangers_accepted"] <= 1 and content["accept"]["known_rejected"] == pytest.approx(0.1, abs=0.03)
    assert content["search"]["kind"] == "exact" and content["search"]["recall_at_10"] == 1
    words = run(command, "info", built[0]).stdout
    assert f"learner  {content['learner']}" in words and f"{content['accept']['known_rejected']:.1%} of known photographs" in words


def test_the_json_of_a_lookup(built: tuple[Path, Result], photos: Path) -> None:
    content = as_json(lookup, built[0], photos, "-k", 3, "--device", "cpu")
    assert content["schema"] == 1 and content["passed_over"][0]["count"] == 1 and content["passed_over"][0]["reason"]
    assert [Path(result["query"]).name for result in content["results"]] == [f"{product}.png" for product in range(PRODUCTS)]
    for product, result in enumerate(content["results"]):
        assert set(result) == {"query", "unknown", "matches"} and isinstance(result["unknown"], bool)
        assert result["matches"][0]["product"] == f"p{product}"
        for match in result["matches"]:
            assert set(match) == {"product", "name", "barcode", "category", "probability", "score", "image"}
        chances = [match["probability"] for match in result["matches"]]
        assert chances == sorted(chances, reverse=True) and min(chances) >= 0 and sum(chances) <= 1 + 1e-6


def test_answers_go_to_a_file_and_the_code_says_whether_all_were_answered(built: tuple[Path, Result], photos: Path, tmp_path: Path) -> None:
    result = run(lookup, built[0], photos, "--out", tmp_path / "a.csv", "-k", 2, "--device", "cpu")
    assert result.exit_code == 0 and "6 photographs answered" in result.stdout
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12 and rows[0]["product"] == "p0" and rows[0]["unknown"] in ("true", "false")
    (tmp_path / "broken.png").write_bytes(b"x")
    result = run(lookup, built[0], photos / "1.png", tmp_path / "broken.png", "--out", tmp_path / "a.jsonl", "--device", "cpu")
    assert result.exit_code == 3 and "1 could not be read" in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["matches"][:1] != [] for line in lines] == [True, False] and lines[1]["error"]
    wrong = run(lookup, built[0], photos, "--out", tmp_path / "a.xls")
    assert isinstance(wrong.exception, UserError) and "no format" in str(wrong.exception) and not (tmp_path / "a.xls").exists()


def test_what_is_unknown_is_said_in_words_and_on_the_sheet(built: tuple[Path, Result], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(np.tile(rng.integers(0, 256, (1, 32, 3), dtype=np.uint8), (32, 1, 1))).save(tmp_path / "stranger.png")
    result = run(lookup, built[0], tmp_path / "stranger.png", "--device", "cpu", "--sheet", tmp_path / "s.png")
    answer = as_json(lookup, built[0], tmp_path / "stranger.png", "--device", "cpu")["results"][0]
    assert ("(unknown)" in result.stdout) == answer["unknown"] and "probability" in result.stdout
    assert (tmp_path / "s.png").is_file()


def test_images_that_lie_in_the_index_itself_are_drawn(built: tuple[Path, Result], shop: Path, tmp_path: Path) -> None:
    from repr.lookup.index import Index

    index = Index.create(tmp_path / "i", weights="none", size=32, crops=[1], root=tmp_path, device="cpu")
    red = np.zeros((40, 40, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    index.add("red", red)
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "q.png")
    for options in ((), ("--images-root", shop)):
        assert run(lookup, index.folder, tmp_path / "q.png", "--sheet", tmp_path / "s.png", "--device", "cpu", *options).exit_code == 0
        with Image.open(tmp_path / "s.png") as sheet:
            pixels = np.asarray(sheet.convert("RGB")).astype(int)
        assert ((pixels[..., 0] > 200) & (pixels[..., 1] < 50)).sum() > 1000


def test_check_prints_what_the_contract_says_and_writes_a_page(built: tuple[Path, Result], photos: Path, tmp_path: Path) -> None:
    content = as_json(command, "check", built[0], "--report", tmp_path / "page.html")
    assert {"top1", "top5", "per_product", "confused", "suspects"} <= set(content)
    assert {one["product"] for one in content["per_product"]} == {f"p{product}" for product in range(PRODUCTS)}
    assert "</html>" in (tmp_path / "page.html").read_text()
    for product in range(PRODUCTS):
        (tmp_path / "given" / f"p{product}").mkdir(parents=True)
        shutil.copy(photos / f"{product}.png", tmp_path / "given" / f"p{product}")
    report = as_json(command, "check", built[0], "--data", tmp_path / "given", "--device", "cpu")
    assert (report["asked"], report["top1"], report["confused"]) == (6, 1.0, [])
    assert "first 100.0%" in run(command, "check", built[0], "--data", tmp_path / "given", "--device", "cpu").stdout


def test_who_answers_is_chosen_anew(built: tuple[Path, Result]) -> None:
    content = as_json(command, "learner", built[0], "--learner", "ncm")
    assert (content["learner"], content["trials"]) == ("ncm", [])
    assert as_json(command, "learner", built[0])["learner"] == "ncm", "what is not typed is as last time"
    assert as_json(command, "learner", built[0], "--learner", "auto")["trials"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--learner", "neighbor"), "Did you mean neighbour"),
        (("--learner", "finetune"), "trains an encoder"),
        (("--accept", "1"), "accept"),
    ],
)
def test_a_wrong_learner_or_share_is_told_before_anything_is_written(
    typed: tuple[str, ...], words: str, shop: Path, tmp_path: Path
) -> None:
    result = run(command, "build", "--data", shop, "--weights", "none", "--out", tmp_path / "i", *typed)
    assert result.exit_code in (1, 2) and words in f"{result.exception} {result.output}"
    assert not (tmp_path / "i").exists()
