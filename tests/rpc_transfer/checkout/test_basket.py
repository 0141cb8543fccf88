"""From images of a counter to lists: the whole chain on scenes of the made-up turntable, and what is written of it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from repr.checkout.basket import Basket, Item, baskets
from repr.checkout.classical import propose
from repr.checkout.proposal import Proposal
from repr.errors import UserError
from repr.lookup.index import Index
from repr.lookup.matches import Match
from repr.models.weights import fresh
from rpc_transfer.checkout import writing
from rpc_transfer.checkout.settings import Scenes
from rpc_transfer.checkout.synthesis import synthesize
from rpc_transfer.cli import group


@pytest.fixture(scope="module")
def index(turntable: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("index") / "i"
    return Index.create(folder, weights=fresh("resnet18", 32, 0), data=turntable, crops=[1], device="cpu", workers=1)


@pytest.fixture(scope="module")
def scenes(turntable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes") / "out"
    synthesize(out, [turntable], Scenes(scenes=3, side=256, exemplars=4, occlusion=0.0), workers=1)
    return out


def run(*words: object) -> tuple[str, str, int]:
    result = CliRunner().invoke(group, ["checkout", "predict", *map(str, words)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout, result.stderr, result.return_value or result.exit_code


def test_true_boxes_are_named_in_one_batch(index: Index, scenes: Path) -> None:
    content = json.loads((scenes / "instances_train2019.json").read_text())
    true = [one for one in content["annotations"] if one["image_id"] == 1]
    proposals = [Proposal(tuple(one["bbox"]), 0.5) for one in true]
    (basket,) = baskets([scenes / "train2019" / "scene-000000.jpg"], index, lambda image: proposals, k=3)
    assert [list(item.box) for item in basket.items] == [one["bbox"] for one in true]
    assert all(len(item.matches) == 3 and item.matches[0].probability is not None for item in basket.items)
    right = np.mean([item.matches[0].product == str(one["category_id"]) for item, one in zip(basket.items, true, strict=True)])
    assert right > 0.5, "five colours, which even a random network tells apart"
    assert sum(line.count for line in basket.lines) + basket.unknown == len(true)


def test_an_empty_counter_is_an_empty_list(index: Index, tmp_path: Path) -> None:
    Image.new("RGB", (120, 90), (200, 200, 198)).save(tmp_path / "empty.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    empty, broken, missing = baskets([tmp_path / "empty.png", tmp_path / "broken.jpg", tmp_path / "none.jpg"], index, propose)
    assert (empty.items, empty.lines, empty.unknown, empty.error) == ((), [], 0, "")
    assert broken.error and missing.error == "no such file"
    stdout, stderr, code = run(index.folder, tmp_path, "--json")
    told = json.loads(stdout)["results"]
    assert code == 3 and sorted(told[0]) == ["error", "query"] and "left out" in stderr
    assert told[1]["basket"] == [] and told[1]["items"] == []


def item(product: str, *, unknown: bool = False, name: str | None = None, probability: float = 0.5) -> Item:
    return Item((1.0, 2.0, 30.0, 40.0), 0.8, unknown, (Match(product, 0.9, "a.jpg", name, "690", (), probability),))


def test_a_list_counts_what_is_known(tmp_path: Path) -> None:
    basket = Basket("scenes/1.jpg", (100, 80), (item("2"), item("7", name="tea"), item("2"), item("7", unknown=True)))
    assert [(line.product, line.count) for line in basket.lines] == [("2", 2), ("7", 1)] and basket.unknown == 1
    writing.write(tmp_path / "list.csv", [basket], "csv")
    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["product"], row["name"], row["barcode"], row["count"]) for row in rows] == [
        ("2", "", "690", "2"),
        ("7", "tea", "690", "1"),
        ("", "unknown", "", "1"),
    ]


def test_results_have_the_ids_of_the_truth(tmp_path: Path) -> None:
    basket = Basket("scenes/1.jpg", (100, 80), (item("2"), item("x", unknown=True)))
    bare = writing.results([basket])
    assert bare[0] == {"image_id": "1.jpg", "category_id": 2, "bbox": [1.0, 2.0, 30.0, 40.0], "score": 0.4}
    truth: dict[str, Any] = {"categories": [{"id": 2, "name": "2_x"}], "annotations": []}
    (tmp_path / "gt.json").write_text(json.dumps({**truth, "images": [{"id": 55, "file_name": "1.jpg", "width": 100, "height": 80}]}))
    like = writing.results([basket], writing.Ids.like(tmp_path / "gt.json"))
    assert [(one["image_id"], one["category_id"]) for one in like] == [(55, 2), (55, "x")]  # type: ignore[call-overload,index]
    (tmp_path / "gt.json").write_text(json.dumps({**truth, "categories": [{"id": id_, "name": "a"} for id_ in ("007", 7)], "images": []}))
    assert set(writing.Ids.like(tmp_path / "gt.json").categories.values()) == {"007", 7}, "an id keeps its noughts"
    with pytest.raises(UserError, match="not in the list of images"):
        writing.results([Basket("other.jpg")], writing.Ids.like(tmp_path / "gt.json"))


def test_the_command_writes_what_evaluate_reads(index: Index, scenes: Path, tmp_path: Path) -> None:
    truth = scenes / "instances_train2019.json"
    words = ["--index", index.folder, scenes / "train2019", "--like", truth, "--format", "coco", "--out", tmp_path / "boxes.json"]
    stdout, _, code = run(*words, "--sheet", tmp_path / "sheet.png")
    assert code == 0 and stdout.count("scene-") == 3
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 256 + 380 and sheet.height >= 3 * 256
    result = CliRunner().invoke(
        group, ["checkout", "evaluate", "--gt", str(truth), "--results", str(tmp_path / "boxes.json"), "--json"], standalone_mode=False
    )
    levels = json.loads(result.stdout)["levels"]
    assert levels["averaged"]["images"] == 3 and levels["averaged"]["ACD"] < 20


def test_names_come_from_standard_input(index: Index, scenes: Path) -> None:
    name = str(scenes / "train2019" / "scene-000000.jpg")
    result = CliRunner().invoke(
        group, ["checkout", "predict", str(index.folder), "-", "--json"], input=f"{name}\n\n", standalone_mode=False, catch_exceptions=False
    )
    assert [one["query"] for one in json.loads(result.stdout)["results"]] == [name]
    with pytest.raises(UserError, match="no image named"):
        run(index.folder)
    with pytest.raises(UserError, match="no index"):
        run("--index", scenes / "nothing", name)


def test_options_that_would_do_nothing_are_refused(index: Index, scenes: Path, tmp_path: Path) -> None:
    image, truth = scenes / "train2019" / "scene-000000.jpg", scenes / "instances_train2019.json"
    for words in (("--format", "csv"), ("--like", truth), ("--like", truth, "--out", tmp_path / "a.json")):
        with pytest.raises(UserError, match="would do nothing"):
            run(index.folder, image, *words)
    assert list(tmp_path.iterdir()) == []


def test_the_threshold_of_scenes_says_what_is_unknown(index: Index, scenes: Path) -> None:
    scene, box = scenes / "train2019" / "scene-000000.jpg", (20.0, 30.0, 60.0, 60.0)
    given = [Proposal(box, 0.5), Proposal(box, 0.9)]
    (all_known,) = baskets([scene], index, lambda image: given, threshold=0.0)
    assert all_known.unknown == 0 and sum(line.count for line in all_known.lines) == 2
    low, high = sorted(one.confidence for one in all_known.items)
    (parted,) = baskets([scene], index, lambda image: given, threshold=(low + high) / 2)
    assert [one.unknown for one in parted.items] == [True, False]


def test_a_detector_may_name_by_itself(scenes: Path) -> None:
    scene = scenes / "train2019" / "scene-000000.jpg"
    boxes = [Proposal((1.0, 2.0, 30.0, 40.0), 0.8, "5"), Proposal((50.0, 2.0, 30.0, 40.0), 0.3, "5")]
    (basket,) = baskets([scene], None, lambda image: boxes, threshold=0.5)
    assert [(line.product, line.count) for line in basket.lines] == [("5", 1)] and basket.unknown == 1
    with pytest.raises(UserError, match="no names of its own"):
        list(baskets([scene], None, lambda image: [Proposal((1.0, 2.0, 30.0, 40.0), 0.8)]))
    with pytest.raises(UserError, match="would do nothing"):
        run("--by-detector", "--index", scenes, scene)


def test_an_index_without_images_names_nothing(scenes: Path, tmp_path: Path) -> None:
    empty = Index.create(tmp_path / "empty", weights=fresh("resnet18", 32, 0), device="cpu", workers=1)
    scene = scenes / "train2019" / "scene-000000.jpg"
    with pytest.raises(UserError, match="no image"):
        list(baskets([scene], empty, lambda image: [Proposal((1.0, 2.0, 30.0, 40.0), 0.8)]))


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1)])
def test_odd_images_have_a_list(index: Index, size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (9, 9, 9)).save(tmp_path / "odd.png")
    (basket,) = baskets([tmp_path / "odd.png"], index, propose)
    assert basket.size == size and basket.error == "" and basket.lines == []


def test_onnx_gives_the_same_and_loads_no_torch(index: Index, scenes: Path) -> None:
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    scene = str(scenes / "train2019" / "scene-000000.jpg")
    warm = json.loads(run(index.folder, scene, "--json")[0])["results"][0]
    run(index.folder, scene, "--onnx", "--json")  # exports
    code = (
        "import sys\nfrom rpc_transfer.cli import group\n"
        f"group(['checkout', 'predict', {str(index.folder)!r}, {scene!r}, '--onnx', '--json'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    (cold,) = json.loads(said.stdout)["results"]
    assert [one["box"] for one in cold["items"]] == [one["box"] for one in warm["items"]]
    for one, other in zip(cold["items"], warm["items"], strict=True):
        assert one["matches"][0]["product"] == other["matches"][0]["product"]
        assert one["matches"][0]["score"] == pytest.approx(other["matches"][0]["score"], abs=1e-3)
