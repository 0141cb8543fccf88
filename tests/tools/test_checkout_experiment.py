"""The checkout experiment's own arithmetic, by hand, and that the docs hold what it prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "experiments"))

import checkout as experiment
import checkout_naming as naming
import checkout_sets as sets
import checkout_table as tables
import stored

from repr.files import write_json
from repr.records import to_json
from rpc_transfer.checkout.files import Counter, Detected

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def truth() -> Counter:
    """Two scenes: products 0 and 1 on the first, 1 on the second."""
    boxes = np.array([[0, 0, 10, 10], [20, 0, 10, 10], [0, 0, 10, 10.0]])
    return Counter(
        {"1": 0, "2": 1}, ("a", "b"), np.array(["easy", "hard"]), {"5": 0, "6": 1, "7": 2}, np.array([0, 0, 1]), np.array([0, 1, 1]), boxes
    )


def found(*rows: tuple[int, int, float, float]) -> Detected:
    """Boxes of 10 × 10: image, product, left, score."""
    image, product, left, score = np.array(rows, np.float64).T
    boxes = np.column_stack([left, np.zeros(len(rows)), np.full((len(rows), 2), 10.0)])
    return Detected(image.astype(np.int64), product.astype(np.int64), boxes, score)


def test_each_true_box_is_lost_in_one_way(truth: Counter) -> None:
    above = {0: "drinks", 1: "drinks", 2: "sweets"}
    told = naming.errors(truth, found((0, 1, 1, 0.9), (0, 2, 20, 0.9), (0, 0, 60, 0.9), (1, 1, 0, 0.1)), 0.5, above)
    assert told == pytest.approx({"right": 0, "missed": 0, "within": 1 / 3, "across": 1 / 3, "unknown": 1 / 3, "too many": 1 / 3})
    told = naming.errors(truth, found((0, 0, 0, 0.9), (0, 3, 20, 0.9)), 0.5, above)
    assert told == pytest.approx({"right": 1 / 3, "missed": 1 / 3, "within": 0, "across": 0, "unknown": 1 / 3, "too many": 0})


def test_recall_of_novel_products_is_apart(truth: Counter) -> None:
    boxes = found((0, 0, 0, 0.9), (0, 1, 22, 0.9), (1, 1, 0, 0.2))
    assert naming.recall(truth, boxes, 0.5, np.array([1])) == (0.5, 1.0)


def test_what_the_index_calls_unknown_is_left_out(truth: Counter) -> None:
    boxes = naming.Boxes(np.array([0, 0, 1]), truth.boxes, np.array([1, 0.5, 1]), np.zeros((3, 2), np.float32))
    names = naming.Named(np.array(["5", "6", "nobody"]), np.array([0.5, 0.8, 0.2]), np.array([False, True, False]))
    assert naming.detected(truth, boxes, names).product.tolist() == [0, 1, 3]
    gated = naming.detected(truth, boxes, names, gated=True)
    assert gated.product.tolist() == [0, 3] and gated.scores == pytest.approx([0.5, 0.2]) and gated.image.tolist() == [0, 1]


@pytest.fixture(scope="module")
def fruits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two products of fourteen files each, in RPC's layout."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("fruits")
    (folder / "train2019").mkdir()
    images, annotations = [], []
    for number in range(28):
        name, box = f"Fruit{number % 2}_r0_{number // 2}.png", [0, 0, 24, 20]
        pixels = np.full((20, 24, 3), 255, np.uint8)
        pixels[4:16, 4:20] = 40 * (number % 2) + number
        Image.fromarray(pixels).save(folder / "train2019" / name)
        images.append({"id": number, "file_name": name, "width": 24, "height": 20})
        annotations.append({"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": box, "segmentation": [[]]})
    categories = [{"id": id_, "name": f"fruit {id_}", "supercategory": "fruit"} for id_ in (1, 2)]
    names = [{"category_id": id_, "sku_name": "", "sku_class": "fruit", "code": "", "name": f"水果 {id_}"} for id_ in (1, 2)]
    content = {"images": images, "annotations": annotations, "categories": categories, "__raw_Chinese_name_df": names}
    (folder / "instances_train2019.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_an_index_holds_the_exemplars_that_its_scenes_are_pasted_from(fruits: Path, tmp_path: Path) -> None:
    part = sets.Part.of(fruits, "test")
    of = sets.Set("fruits", fruits, None, fruits, None, part, part)
    (one,), (again,), (other,) = of.exemplars(3), of.exemplars(3), of.exemplars(4)
    assert len(one) == 2 * sets.SHOTS and one.files() == again.files() != other.files()
    (seen,), (more,) = of.seen(3, 1, tmp_path), of.seen(3, 3, tmp_path)
    assert set(seen.product_keys().astype(str)) == {"1", "2"} and len(more) > 2 * len(seen) > 12 and not of.novel_products()


def test_some_exemplars_are_kept(fruits: Path, tmp_path: Path) -> None:
    out = sets.kept(fruits, tmp_path / "some", lambda name, product: product == "2" and name.endswith("_3.png"))
    content = json.loads((out / "instances_train2019.json").read_text(encoding="utf-8"))
    assert [one["file_name"] for one in content["images"]] == ["Fruit1_r0_3.png"] and [one["id"] for one in content["categories"]] == [2]
    assert (out / "train2019" / "Fruit1_r0_3.png").is_file() and len(content["__raw_Chinese_name_df"]) == 1


def test_what_is_there_is_gathered_over_seeds(tmp_path: Path) -> None:
    for seed, novel in enumerate((0.4, 0.6, 0.5)):
        rows = []
        for way, share in (("before", 0.0), ("later", novel), ("at once", novel + 0.1)):
            config = {"weights": "imagenet", "index": naming.SEEN, "novel": way, "boxes": "true"}
            rows.append(naming.Figured(config, {"cAcc/averaged": share, "recall/novel": share, "recall/base": 0.8, "mAP50/easy": None}))
        write_json(tmp_path / f"trial-shop-imagenet-{seed}.json", to_json(rows))
    write_json(tmp_path / "trial-real-trained-0.json", to_json([naming.Figured({"boxes": "trained"}, {"boxes": 7.0, "equal": 0.5})]))
    made = experiment.gathered(tmp_path, "python it.py")
    assert [step.step for step in made.steps] == ["shop", "real"] and made.steps[0].run == "python it.py"
    document = made.steps[0].found
    assert document is not None and document.synthetic and document.rows[1].metrics["recall/novel"].values == (0.4, 0.6, 0.5)
    tests = {(test.against, test.metric): test.difference for test in document.comparisons}
    assert tests["at once", "recall/novel"] == pytest.approx(-0.1) and tests["before", "recall/base"] == 0
    stored.write(tmp_path / "checkout.json", made)
    printed = CliRunner().invoke(tables.main, [str(tmp_path / "checkout.json")], catch_exceptions=False).output
    assert "| shop | imagenet | true | later | 50.0 ± 24.8 | 50.0 ± 24.8 | 80.0 ± 0.0 |" in printed and "-10.0 ± 0.0" in printed
    assert "| trained | 7.00 | 50.0 | – | – |" in printed


@pytest.mark.skipif(not experiment.RESULTS.is_file(), reason="no results are stored yet")
def test_the_docs_hold_what_is_printed() -> None:
    printed = CliRunner().invoke(tables.main, [], catch_exceptions=False).output
    page = (ROOT / "docs" / "checkout.md").read_text(encoding="utf-8")
    assert printed.count("\n\n") >= 2
    for table in printed.strip().split("\n\n"):
        assert table in page, "print it anew: tools/experiments/checkout_table.py"
