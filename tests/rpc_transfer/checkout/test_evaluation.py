"""Checkout metrics against counts by hand, a slow computation that shares nothing with them, and rpctool itself."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from repr.arrays import Ints
from repr.catalog.passed import Tally
from repr.errors import UserError
from rpc_transfer.checkout import rpctool
from rpc_transfer.checkout.counting import Tape
from rpc_transfer.checkout.evaluation import AVERAGED, Validation, chosen, evaluate, measure
from rpc_transfer.checkout.files import Counter, Detected, read_counter, read_detected
from rpc_transfer.cli import group

Truth, Results = dict[str, Any], list[dict[str, Any]]


def scene(counts: list[list[int]], levels: list[str] | None = None, first_id: int = 1) -> Truth:
    """A truth with counts[image][product] boxes, each of its own place. Category ids are 1..K, image ids 10, 20, …"""
    images = [{"id": 10 * (i + 1), "file_name": f"{i}.jpg", "width": 100, "height": 100} for i in range(len(counts))]
    for image, level in zip(images, levels or [], strict=False):
        image["level"] = level
    annotations: list[dict[str, Any]] = []
    for i, row in enumerate(counts):
        for product, n in enumerate(row):
            for _ in range(n):
                box = [7.0 * len(annotations), 3.0, 5.0, 5.0]
                annotations.append(
                    {
                        "id": first_id + len(annotations),
                        "image_id": 10 * (i + 1),
                        "category_id": product + 1,
                        "bbox": box,
                        "iscrowd": 0,
                        "area": 25,
                    }
                )
    categories = [{"id": k + 1, "name": f"{k + 1}_x", "supercategory": "x"} for k in range(len(counts[0]))]
    return {"categories": categories, "images": images, "annotations": annotations, "__raw_Chinese_name_df": []}


def box(image: int, product: int, score: float, at: float = 0.0) -> dict[str, Any]:
    return {"image_id": 10 * (image + 1), "category_id": product + 1, "bbox": [at, 3.0, 5.0, 5.0], "score": score}


def write(folder: Path, truth: Truth, results: Results) -> tuple[Path, Path]:
    (folder / "gt.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "gt.json", folder / "results.json"


def read(folder: Path, truth: Truth, results: Results) -> tuple[Counter, Detected]:
    gt, found = write(folder, truth, results)
    counter = read_counter(gt, Tally())
    return counter, read_detected(found, counter, Tally())


def slow(counter: Counter, detected: Detected, threshold: float) -> tuple[float, float, float, float]:
    """cAcc, ACD, mCCD, mCIoU from whole tables of counts, all images."""
    shape = len(counter.names), len(counter.categories) + 1
    true, found = np.zeros(shape), np.zeros(shape)
    for i, k in zip(counter.image, counter.product, strict=True):
        true[i, k] += 1
    for i, k, score in zip(detected.image, detected.product, detected.scores, strict=True):
        found[i, k] += score >= threshold
    distance = np.abs(true - found)
    there = true.sum(0) > 0
    if not there.any():
        return float(np.mean(distance.sum(1) == 0)), float(distance.sum(1).mean()), math.nan, math.nan
    mccd = np.mean(distance.sum(0)[there] / true.sum(0)[there])
    mciou = np.mean(np.minimum(true, found).sum(0)[there] / np.maximum(true, found).sum(0)[there])
    return float(np.mean(distance.sum(1) == 0)), float(distance.sum(1).mean()), float(mccd), float(mciou)


def test_counts_by_hand(tmp_path: Path) -> None:
    truth = scene([[2, 0], [1, 1], [0, 3]], ["easy", "easy", "hard"])
    results = [box(0, 0, 0.9), box(0, 0, 0.8), box(1, 0, 0.9), box(1, 1, 0.4), box(1, 0, 0.7), box(2, 1, 0.95)]
    strict = measure(*read(tmp_path, truth, results), threshold=0.5)["strict"]
    assert (strict["easy"].cAcc, strict["easy"].ACD) == (1 / 2, 2 / 2), "image 1 has one of product 0 too many and one of product 1 too few"
    assert strict["easy"].mCCD == pytest.approx((1 / 3 + 1 / 1) / 2) and strict["easy"].mCIoU == pytest.approx((3 / 4 + 0 / 1) / 2)
    assert (strict["hard"].cAcc, strict["hard"].ACD, strict["hard"].mCCD, strict["hard"].mCIoU) == (0, 2, 2 / 3, 1 / 3)
    assert (strict[AVERAGED].cAcc, strict[AVERAGED].images, strict["medium"].cAcc, strict["medium"].images) == (1 / 3, 3, None, 0)
    assert strict["medium"].threshold is None and strict["easy"].threshold == 0.5


counts_of = st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=6)
found_of = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from([0.1, 0.25, 0.5, 0.5, 0.75, 0.992])), max_size=40)


def arrays(counts: list[list[int]], found: list[tuple[int, int, float]]) -> tuple[Counter, Detected]:
    """A counter and results in memory; product 3 is none of the counter's."""
    pairs = [(i, k) for i, row in enumerate(counts) for k, n in enumerate(row) for _ in range(n)]
    image, product = (np.array(one, np.int64) for one in (zip(*pairs, strict=True) if pairs else ((), ())))
    names = tuple(f"{i}.jpg" for i in range(len(counts)))
    ids = {str(i): i for i in range(len(counts))}
    counter = Counter(ids, names, np.array([""] * len(counts)), {str(k): k for k in range(3)}, image, product, np.zeros((len(pairs), 4)))
    mine = [one for one in found if one[0] < len(counts)]
    columns: list[Ints] = [np.array([one[at] for one in mine], np.int64) for at in (0, 1)]
    return counter, Detected(*columns, np.zeros((len(mine), 4)), np.array([one[2] for one in mine], np.float64))


@given(counts_of, found_of)
@settings(max_examples=150, deadline=None)
def test_every_threshold_agrees_with_whole_tables(counts: list[list[int]], found: list[tuple[int, int, float]]) -> None:
    counter, detected = arrays(counts, found)
    tape = Tape.of(counter, detected, np.ones(len(counts), bool))
    thresholds = [0.0, 0.1, 0.3, 0.5, 0.75, 0.9, 1.0]
    expected = [slow(counter, detected, threshold) for threshold in thresholds]
    for threshold, numbers in zip(thresholds, expected, strict=True):
        got = tape.strict(threshold)
        for mine, other in zip((got.cAcc, got.ACD, got.mCCD, got.mCIoU), numbers, strict=True):
            assert (mine is None and not len(counter.image) and math.isnan(other)) or mine == pytest.approx(other)
        touched, right = (int(of[tape.length(threshold)]) for of in tape.right_touched)
        shown = {int(i) for i, score in zip(detected.image, detected.scores, strict=True) if score >= threshold}
        empty = sum(1 for i, row in enumerate(counts) if not sum(row) and i not in shown)
        assert touched == len(shown) and right == round((got.cAcc or 0) * len(counts)) - empty
    best = tape.strict(tape.best_threshold())
    every = [slow(counter, detected, threshold)[0] for threshold in (*detected.scores.tolist(), 2.0)]
    assert best.cAcc == pytest.approx(max(every))


def test_a_threshold_is_chosen_half_way(tmp_path: Path) -> None:
    paths = write(tmp_path, scene([[1, 0], [0, 1]]), [box(0, 0, 0.9), box(1, 1, 0.8), box(0, 1, 0.4), box(1, 0, 0.3)])
    assert chosen(Validation(*paths)) == pytest.approx(0.6)
    found = evaluate(*paths, validation=Validation(*paths), protocol="A0")
    assert found.modes["strict"][AVERAGED].cAcc == 1 and found.protocol == "A0"
    with pytest.raises(UserError, match="a threshold is given, and files"):
        evaluate(*paths, threshold=0.5, validation=Validation(*paths))


def test_faults_of_rpctool_are_kept_apart(tmp_path: Path) -> None:
    """Ten images, right boxes for two and none for eight: 100 % there, 20 % here. And no score of 0.99 is no reason to fail."""
    truth = scene([[1, 0]] * 10)
    found = measure(*read(tmp_path, truth, [box(0, 0, 0.995), box(1, 0, 0.995)]), threshold=0.5)
    assert (found["strict"][AVERAGED].cAcc, found["rpctool"][AVERAGED].cAcc, found["rpctool"][AVERAGED].images) == (0.2, 1.0, 2)
    low = measure(*read(tmp_path, truth, [box(i, 0, 0.5) for i in range(10)]), threshold=0.5)
    assert low["rpctool"][AVERAGED].cAcc == 1 and low["rpctool"][AVERAGED].mCIoU is None, "product 1 is nowhere: nan there, null here"
    nothing = measure(*read(tmp_path, truth, []), threshold=0.5)
    assert (nothing["strict"][AVERAGED].cAcc, nothing["strict"][AVERAGED].ACD, nothing["rpctool"][AVERAGED].cAcc) == (0, 1, None)


def test_bad_input_is_counted_by_name(tmp_path: Path) -> None:
    truth = scene([[1, 0], [0, 1]], ["easy", "odd"])
    results = [box(0, 0, 0.9), box(7, 0, 0.9), box(0, 8, 0.9), {**box(0, 0, 0.2), "bbox": [0, 0, 0, 5]}]
    found = evaluate(*write(tmp_path, truth, results), threshold=0.5)
    told = {one.reason: (one.count, one.examples) for one in found.passed_over}
    assert [reason.split(":")[0] for reason in told] == [
        "images of the truth without a level of easy, medium or hard",
        "boxes of the results whose image id is not in the truth",
        "boxes of the results whose category id is not in the truth",
        "boxes of the results without an area",
        "images without a box in the results",
    ]
    assert list(told.values()) == [(1, ("1.jpg",)), (1, ("image 80",)), (1, ("category 9",)), (1, ("record 4",)), (1, ("1.jpg",))]
    assert found.modes["strict"]["easy"].cAcc == 0 and found.absent["easy"] == 1, "a box of no product makes its image wrong"


@pytest.mark.parametrize(
    "results, complaint",
    [
        ('{"boxes": []}', "not a list of boxes"),
        ('[{"image_id": 10, "category_id": 1, "score": 1}]', "no field bbox"),
        ('[{"image_id": 10, "category_id": 1, "bbox": [1, 2, 3], "score": 1}]', "bbox has 3 numbers"),
    ],
)
def test_broken_results_are_one_line(tmp_path: Path, results: str, complaint: str) -> None:
    gt, found = write(tmp_path, scene([[1]]), [])
    found.write_text(results)
    with pytest.raises(UserError, match=complaint):
        evaluate(gt, found)
    with pytest.raises(UserError, match="image id 99 is not in the table of 1"):
        bad = scene([[1]])
        bad["annotations"][0]["image_id"] = 99
        evaluate(*write(tmp_path, bad, []))


def test_ids_need_not_be_1_to_k(tmp_path: Path) -> None:
    truth, results = scene([[1, 0], [0, 2]]), [box(0, 0, 0.9), box(1, 1, 0.9), box(1, 1, 0.8)]
    for one in [*truth["annotations"], *results]:
        one["category_id"] = f"sku-{one['category_id']}"
    for one in truth["categories"]:
        one["id"] = f"sku-{one['id']}"
    assert evaluate(*write(tmp_path, truth, results), threshold=0.5).modes["strict"][AVERAGED].cAcc == 1


def drawn(seed: int, images: int = 24, products: int = 4) -> tuple[Truth, Results]:
    """A set on which rpctool works: levels, every product in each, scores up to 1; boxes that are shifted, missed, doubled, misnamed."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, (images, products)) + (np.arange(images)[:, None] // 3 % products == np.arange(products))
    truth = scene(counts.tolist(), [("easy", "medium", "hard")[i % 3] for i in range(images)], first_id=seed % 2)
    results = []
    for one in truth["annotations"]:
        for _ in range(rng.choice([0, 1, 2], p=[0.1, 0.8, 0.1])):
            product = one["category_id"] if rng.random() < 0.9 else int(rng.integers(1, products + 1))
            shifted = [one["bbox"][0] + rng.normal(), 3.0 + rng.normal() * 0.5, 5.0, 5.0]
            results.append({"image_id": one["image_id"], "category_id": product, "bbox": shifted, "score": float(rng.beta(5, 1))})
    for i in range(3):
        results.append({**results[i], "score": 0.999, "image_id": 10 * (i + 1)})
    return truth, results


def as_printed(folder: Path, truth: Truth, results: Results) -> dict[str, dict[str, str]]:
    gt, found = write(folder, truth, results)
    rows = evaluate(gt, found, with_map=True).modes["rpctool"]
    return {
        name: {
            **{key: rpctool.printed(getattr(row, key), percent=key in ("cAcc", "mCIoU")) for key in ("cAcc", "mCIoU", "ACD", "mCCD")},
            **{key: rpctool.printed_precision(getattr(row, key)) for key in ("mAP50", "mmAP")},
        }
        for name, row in rows.items()
    }


def test_every_printed_digit_is_rpctools(rpctool_python: Path, tmp_path: Path) -> None:
    runner = tmp_path / "run.py"
    runner.write_text(
        "import sys, json\nimport boxx\nfrom rpctool import evaluate\nfrom rpctool.evaluate_v1 import evaluateByBbox as v1\n"
        "out = {}\nfor name in sys.argv[1:]:\n    v1.getMmap = True\n"
        "    levels = ['easy', 'medium', 'hard', 'averaged']\n"
        "    table = v1.evaluateByJsp(name + '/results.json', name + '/gt.json', method='m', levels=levels)\n"
        "    out[name] = {level: {k: str(v) for k, v in row.items()} for level, row in table.items()}\n"
        "print('RESULT' + json.dumps(out))\n"
    )
    sets = {}
    for seed in range(6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        sets[str(folder)] = as_printed(folder, *drawn(seed))
    done = subprocess.run([rpctool_python, runner, *sets], capture_output=True, text=True, check=True, cwd=tmp_path)
    theirs = json.loads(done.stdout.split("RESULT")[1])
    for name, ours in sets.items():
        for level, row in ours.items():
            assert row == {key: theirs[name][level][key] for key in row}, (name, level)


@pytest.mark.parametrize("seed", range(4))
def test_precision_is_pycocotools_own(tmp_path: Path, seed: int) -> None:
    truth, results = drawn(2 * seed + 1)  # ids from 2, so that nothing has the id 0
    found = measure(*read(tmp_path, truth, results), threshold=0.5, with_map=True)
    coco = COCO(tmp_path / "gt.json")
    reference = COCOeval(coco, coco.loadRes(results), "bbox")
    for row, images in [("hard", [one["id"] for one in truth["images"] if one["level"] == "hard"]), (AVERAGED, sorted(coco.getImgIds()))]:
        reference.params.imgIds = images
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
        for mode in found.values():
            assert (mode[row].mmAP, mode[row].mAP50) == pytest.approx(reference.stats[:2].tolist(), abs=1e-12)


def test_the_command_prints_both_and_emits_one(tmp_path: Path) -> None:
    gt, results = write(tmp_path, *drawn(1))
    words = ["checkout", "evaluate", "--gt", str(gt), "--results", str(results), "--threshold", "0.5", "--protocol", "C"]
    text = CliRunner().invoke(group, words, standalone_mode=False, catch_exceptions=False).stdout
    assert text.count(", strict") == 4 and text.count(", rpctool") == 4 and "protocol: C: labelled validation scenes" in text
    for mode in ("strict", "rpctool"):
        typed = [*words, "--map", "--mode", mode, "--json"]
        got = json.loads(CliRunner().invoke(group, typed, standalone_mode=False, catch_exceptions=False).stdout)
        assert (got["schema"], got["mode"], got["protocol"]) == (1, mode, "C") and set(got["levels"]) == {
            "easy",
            "medium",
            "hard",
            "averaged",
        }
        assert set(got["levels"]["easy"]) == {"cAcc", "ACD", "mCCD", "mCIoU", "threshold", "images", "mAP50", "mmAP"}
        assert got["beside"]["mode"] != mode and 0 < got["levels"]["hard"]["mAP50"] <= 1
    with pytest.raises(UserError, match="chosen on two files"):
        CliRunner().invoke(group, [*words[:-2], "--val-gt", "x"], standalone_mode=False, catch_exceptions=False)
