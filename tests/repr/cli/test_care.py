"""`repr index verify`, compact, backup, restore, export, reindex as they are typed: words, JSON, exit codes, and what they refuse."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from repr.cli.index import command
from repr.errors import UserError
from repr.models.weights import fresh, write_weights

pytestmark = pytest.mark.usefixtures("thin")
PRODUCTS = ("C+C", "A: dairy", "-1")


def run(*typed: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in typed])


def as_json(*typed: object, code: int = 0) -> dict[str, Any]:
    result = run(*typed, "--json")
    assert result.exit_code == code, result.exception
    content: dict[str, Any] = json.loads(result.stdout)
    assert content.pop("schema") == 1 and content.pop("passed_over") == []
    return content


def refused(*typed: object) -> str:
    result = run(*typed)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, thin: None) -> Path:
    """A folder with `shop` and `shop.index`, of two images a product."""
    folder = tmp_path_factory.mktemp("care")
    rng = np.random.default_rng(0)
    for product in PRODUCTS:
        (folder / "shop" / product).mkdir(parents=True)
        for n in range(2):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / "shop" / product / f"{n}.png")
    typed = ("--data", folder / "shop", "--weights", "none", "--size", 32, "--device", "cpu", "--out", folder / "shop.index")
    assert run("build", *typed).exit_code == 0
    return folder


@pytest.fixture
def place(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil; its images lie where they lay."""
    shutil.copytree(built / "shop.index", tmp_path / "shop.index")
    return tmp_path / "shop.index"


def test_nothing_is_wrong(place: Path) -> None:
    assert as_json("verify", place) == {"index": str(place), "problems": [], "strays": 0}
    assert run("verify", "--index", place).stdout == "Nothing is wrong.\n"


def test_files_that_are_gone_or_changed_are_named_and_the_code_is_3(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "all")
    run("move", tmp_path / "all" / "shop.index", tmp_path / "all" / "shop")
    (tmp_path / "all" / "shop" / "-1" / "0.png").unlink()
    Image.new("RGB", (9, 9)).save(tmp_path / "all" / "shop" / "C+C" / "1.png")
    index = tmp_path / "all" / "shop.index"
    assert as_json("verify", index, code=3)["problems"] == [
        "1 images are not there: -1/0.png",
        "1 images have changed since they were stored: C+C/1.png",
    ]
    assert as_json("verify", index, "--no-images")["problems"] == []
    result = run("verify", index)
    assert result.exit_code == 3 and len(result.stdout.splitlines()) == 2


def test_weights_that_are_gone_are_a_problem(place: Path) -> None:
    (place / "weights.safetensors").unlink()
    (problem,) = as_json("verify", place, code=3)["problems"]
    assert "the index's weights are not there" in problem and "Restore a backup, or build it again" in problem


def test_strays_are_told_and_compact_deletes_them(place: Path) -> None:
    (place / "images").mkdir()
    (place / "images" / "left.png").write_bytes(b"half")
    result = run("verify", place)
    assert result.exit_code == 0, "they cost space, no more"
    assert result.stdout.splitlines()[-1] == "1 files of its own belong to no image; `repr index compact` deletes them."
    content = as_json("compact", place)
    assert content["strays"] == 1 and content["after"] <= content["before"] and not list((place / "images").iterdir())
    assert "MiB before," in run("compact", place).stdout


def test_a_backup_comes_back_as_it_was(place: Path, tmp_path: Path) -> None:
    content = as_json("backup", place, tmp_path / "a.tar")
    assert content == {"index": str(place), "file": str(tmp_path / "a.tar")}
    assert run("backup", place, tmp_path / "b.tar").stdout.startswith(f"Backup: {tmp_path / 'b.tar'} (")
    assert as_json("restore", tmp_path / "again", tmp_path / "a.tar") == {"index": str(tmp_path / "again"), "products": 3, "images": 6}
    before, after = as_json("info", place), as_json("info", tmp_path / "again")
    for name in ("products", "images", "weights", "root", "learner", "synthetic"):
        assert before[name] == after[name]
    assert as_json("verify", tmp_path / "again")["problems"] == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: file.write_bytes(b"no tar"), "not a backup of an index"),
        (lambda file: None, "there is no such file"),
        (lambda file: shutil.make_archive(str(file.with_suffix("")), "tar", file.parent), "not a backup of an index"),
    ],
)
def test_what_is_no_backup_leaves_nothing(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "a.tar")
    assert message in refused("restore", tmp_path / "again", tmp_path / "a.tar") and not (tmp_path / "again").exists()


def test_a_backup_cut_short_leaves_nothing(place: Path, tmp_path: Path) -> None:
    run("backup", place, tmp_path / "a.tar")
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: len(whole) // 3])
    assert refused("restore", tmp_path / "again", tmp_path / "a.tar") and not (tmp_path / "again").exists()


def test_nothing_is_restored_over_what_is_there(place: Path, tmp_path: Path) -> None:
    run("backup", place, tmp_path / "a.tar")
    assert "is there already" in refused("restore", place, tmp_path / "a.tar")
    assert as_json("info", place)["images"] == 6


def test_a_row_an_image_with_hostile_ids_as_they_are(place: Path, tmp_path: Path) -> None:
    assert as_json("export", place, tmp_path / "shop.csv")["rows"] == 6
    with (tmp_path / "shop.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["product"] for row in rows].count("-1") == 2 and {row["product"] for row in rows} == set(PRODUCTS)
    assert run("export", place, tmp_path / "shop.parquet").stdout == f"6 rows: {tmp_path / 'shop.parquet'}\n"
    table = pq.read_table(tmp_path / "shop.parquet")
    assert table.column("product").to_pylist() == [row["product"] for row in rows]
    assert {len(vector) for vector in table.column("features").to_pylist()} == {512}
    message = refused("export", place, tmp_path / "shop.xlsx")
    assert "no format '.xlsx'. End it with .csv or .parquet" in message and not (tmp_path / "shop.xlsx").exists()


def test_other_weights_take_over_with_all_images(place: Path, tmp_path: Path) -> None:
    other = fresh("resnet18", 32, 1)
    write_weights(tmp_path / "other.safetensors", other)
    before = as_json("info", place)["weights"]["identity"]
    content = as_json("reindex", place, "--weights", tmp_path / "other.safetensors", "--device", "cpu")
    assert content["embedded"] == 6 and content["weights"]["identity"] == other.identity != before
    assert as_json("verify", place)["problems"] == []
    assert "the index is of the weights" in refused("reindex", place, "--weights", tmp_path / "other.safetensors", "--device", "cpu")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("verify",), "--index: no index named"),
        (("verify", "a", "b"), "one word too many: b"),
        (("backup", "a"), "the backup's file is needed"),
        (("export", "a", "b.csv", "c.csv"), "the file to write is needed"),
        (("compact", "nowhere"), "nowhere: not an index (no index.db). Make one with `repr index build`"),
        (("verify", "--index", "nowhere"), "nowhere: not an index"),
    ],
)
def test_wrong_usage_is_one_line(typed: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(*typed)
    assert message in said and "\n" not in said and not list(tmp_path.iterdir())
