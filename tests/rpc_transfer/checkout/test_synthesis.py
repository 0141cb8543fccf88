"""Scenes from exemplars: what is written is what is seen, the same whoever draws, and an interrupted run goes on."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw
from pycocotools.coco import COCO

from repr.catalog.sources import open_sources
from repr.errors import UserError
from rpc_transfer.checkout import synthesis
from rpc_transfer.checkout.settings import Scenes
from rpc_transfer.checkout.synthesis import synthesize
from rpc_transfer.cli import group

SMALL = Scenes(scenes=6, side=160, exemplars=3)


@pytest.fixture(scope="module")
def scenes(turntable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes") / "out"
    made = synthesize(out, [turntable], SMALL, workers=1)
    assert dict(made.counts) == {"easy": 2, "medium": 2, "hard": 2} and made.passed_over == ()
    return out


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != synthesis.MARK
    }


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "instances_train2019.json").read_text())
    return content


def test_boxes_are_those_of_the_masks(scenes: Path) -> None:
    coco = COCO(scenes / "instances_train2019.json")
    assert not (scenes / "parts").exists() and not (scenes / "cutouts").exists()
    for one in coco.anns.values():
        mask = coco.annToMask(one).astype(bool)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        x, y, w, h = one["bbox"]
        assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == (x, y, x + w, y + h)
        assert abs(mask.sum() - one["area"]) <= 0.06 * one["area"] + 6, "outlines cut concave corners, no more"
        column, row = one["point_xy"]
        assert mask[int(row), int(column)]


def test_levels_are_rpcs(scenes: Path) -> None:
    content = content_of(scenes)
    for image in content["images"]:
        kinds = [one["category_id"] for one in content["annotations"] if one["image_id"] == image["id"]]
        least, most = {"easy": (3, 10), "medium": (10, 15), "hard": (15, 20)}[image["level"]]
        assert least <= len(kinds) <= most and len(set(kinds)) <= 5
        with Image.open(scenes / "train2019" / image["file_name"]) as opened:
            assert opened.size == (160, 160) == (image["width"], image["height"])
    assert [one["id"] for one in content["categories"]] == [1, 2, 3, 5, 8]
    assert content["__raw_Chinese_name_df"][4] == {
        "sku_name": "8_box",
        "category_id": 8,
        "sku_class": "box",
        "code": "6908",
        "name": "box 8",
    }
    catalog = open_sources([scenes])
    assert len(catalog) == len(content["annotations"]) and set(catalog.column("split")) == {"train"}


def test_two_processes_write_the_same(scenes: Path, turntable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "PART", 2)
    synthesize(tmp_path / "two", [turntable], SMALL, workers=2)
    assert digests(tmp_path / "two") == digests(scenes)


def test_an_interrupted_run_goes_on(scenes: Path, turntable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "PART", 2)
    drawn: list[int] = []
    whole = synthesis.draw_scene

    def stop_at_four(stage: synthesis.Stage, scene: synthesis.Scene) -> Any:
        drawn.append(scene.number)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return whole(stage, scene)

    monkeypatch.setattr(synthesis, "draw_scene", stop_at_four)
    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "out", [turntable], SMALL, workers=1)
    assert not (tmp_path / "out" / "instances_train2019.json").exists()
    synthesize(tmp_path / "out", [turntable], SMALL, workers=1)
    assert drawn == [0, 1, 2, 3, 2, 3, 4, 5] and digests(tmp_path / "out") == digests(scenes)


def test_other_settings_are_not_mixed_in(scenes: Path, turntable: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="scenes of other settings or data are here"):
        synthesize(scenes, [turntable], Scenes(scenes=6, side=160, exemplars=3, seed=1))
    (tmp_path / "note.txt").touch()
    with pytest.raises(UserError, match="something else here"):
        synthesize(tmp_path, [turntable], SMALL)
    with pytest.raises(UserError, match="no exemplars in the part val"):
        synthesize(tmp_path / "new", [turntable], Scenes(scenes=6, part="val"))
    with pytest.raises(UserError, match="no such file"):
        synthesize(tmp_path / "new", [turntable], SMALL, backgrounds=[tmp_path / "none.jpg"])


def test_real_backgrounds_are_taken(turntable: Path, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (20, 90, 30)).save(tmp_path / "ground.png")
    words = ["checkout", "synthesize", "--data", turntable, "--scenes", 3, "--side", 128, "--background", tmp_path / "ground.png"]
    typed = [*words, "--exemplars", 2, "--workers", 1, "--out", tmp_path / "out", "--json"]
    result = CliRunner().invoke(group, list(map(str, typed)), standalone_mode=False, catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["scenes"] == {"easy": 1, "medium": 1, "hard": 1} and told["passed_over"] == []
    corner = np.asarray(Image.open(tmp_path / "out" / "train2019" / "scene-000000.jpg"))[:3, :3].reshape(-1, 3).mean(0)
    assert corner[1] > corner[0] + 30 and corner[1] > corner[2] + 30, "the green ground, whatever its light"


@pytest.mark.parametrize("products", [("pear", "007"), ("pear",)])
def test_products_keep_their_ids(products: tuple[str, ...], tmp_path: Path) -> None:
    """So that an index of the scenes knows a product by the id that it has elsewhere, and takes in one that comes alone."""
    for number, product in enumerate(products):
        folder = tmp_path / "data" / product
        folder.mkdir(parents=True)
        for turn in range(3):
            image = Image.new("RGB", (90, 90), "white")
            ImageDraw.Draw(image).ellipse((12 + turn, 20, 70, 66), fill=(200, 60 * number, 30))
            image.save(folder / f"{turn}.png")
    synthesize(tmp_path / "out", [tmp_path / "data"], Scenes(scenes=6, side=128, split="test"), workers=1)
    catalog = open_sources([tmp_path / "out"])
    assert set(catalog.product_keys().astype(str)) == set(products) and set(catalog.column("split")) == {"test"}
