"""The truth and results as arrays: ids of any kind, what is passed over counted by name, what is broken named with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.catalog.passed import Tally
from repr.errors import UserError
from rpc_transfer.checkout.files import NO_AREA, NO_BOX, NO_CATEGORY, NO_IMAGE, NO_LEVEL, Counter, Detected, read_counter, read_detected

IDS = [1, 20, 3, "007", "C+C", "a → b", "A: dairy", "-1", "nan"]


def truth(**changed: Any) -> dict[str, Any]:
    """Two images, of which the first has two products and the second none."""
    images = [
        {"id": "i1", "file_name": "a.jpg", "width": 9, "height": 9, "level": "easy"},
        {"id": 2, "file_name": "b.jpg", "width": 9, "height": 9},
    ]
    categories = [{"id": id_, "name": str(id_), "supercategory": "s"} for id_ in IDS]
    annotations = [
        {"id": 0, "image_id": "i1", "category_id": "C+C", "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0},
        {"id": 1, "image_id": "i1", "category_id": 20, "bbox": [2, 2, 5, 5], "area": 25, "iscrowd": 0},
    ]
    return {"categories": categories, "images": images, "annotations": annotations, **changed}


def counter(folder: Path, content: object, tally: Tally | None = None) -> Counter:
    (folder / "truth.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_counter(folder / "truth.json", tally or Tally())


def detected(folder: Path, of: Counter, content: object, tally: Tally | None = None) -> Detected:
    (folder / "results.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_detected(folder / "results.json", of, tally or Tally())


def reasons(tally: Tally) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.reason: (one.count, one.examples) for one in tally.list()}


def test_numbers_stand_in_their_order_and_texts_behind_them(tmp_path: Path) -> None:
    made = counter(tmp_path, truth())
    assert list(made.categories) == ["-1", "1", "3", "007", "20", "A: dairy", "C+C", "a → b", "nan"]
    assert made.names == ("a.jpg", "b.jpg") and made.levels.tolist() == ["easy", ""] and made.zero == 0
    names = list(made.categories)
    assert [names[n] for n in made.product] == ["C+C", "20"] and made.image.tolist() == [0, 0]


@pytest.mark.parametrize("written", [20, "20", 20.0])
def test_an_id_is_the_same_however_it_is_written(tmp_path: Path, written: object) -> None:
    made = counter(tmp_path, truth())
    boxes = detected(tmp_path, made, [{"image_id": "2", "category_id": written, "bbox": [0, 0, 5, 5], "score": 0.5}])
    assert list(made.categories)[boxes.product[0]] == "20" and boxes.image.tolist() == [1]


def test_all_that_does_not_fit_is_counted_by_name(tmp_path: Path) -> None:
    tally = Tally()
    made = counter(tmp_path, truth(), tally)
    rows = [
        {"image_id": "i1", "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.5},
        {"image_id": "elsewhere", "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.5},
        {"image_id": "i1", "category_id": "stranger", "bbox": [0, 0, 5, 5], "score": 0.5},
        {"image_id": "i1", "category_id": 3, "bbox": [0, 0, 0, 5], "score": 0.5},
    ]
    boxes = detected(tmp_path, made, rows, tally)
    assert len(boxes.scores) == 3 and boxes.product.tolist()[1] == len(made.categories), "what the truth lacks counts as wrong"
    assert reasons(tally) == {
        NO_LEVEL: (1, ("b.jpg",)),
        NO_IMAGE: (1, ("image elsewhere",)),
        NO_CATEGORY: (1, ("category stranger",)),
        NO_AREA: (1, ("record 4",)),
        NO_BOX: (1, ("b.jpg",)),
    }


def test_crowds_are_left_out_and_told(tmp_path: Path) -> None:
    content, tally = truth(), Tally()
    content["annotations"][1]["iscrowd"] = 1
    assert len(counter(tmp_path, content, tally).image) == 1
    assert any("crowds" in reason and count == 1 for reason, (count, _) in reasons(tally).items())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": [{"id": 1, "file_name": "a", "width": 1, "height": 1}] * 2, "annotations": []}, "id 1 stands twice"),
        ({"categories": [{"id": 1, "name": "a", "supercategory": ""}, {"id": "1", "name": "b", "supercategory": ""}]}, "id 1 stands twice"),
        ({"annotations": [{"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1]}]}, "image id 9 is not in the table of 2"),
        ({"annotations": [{"image_id": 2, "category_id": 9, "bbox": [0, 0, 1, 1]}]}, "category id 9 is not in the table of 9"),
        ({"annotations": [{"image_id": 2, "category_id": 1, "bbox": [0, 0, 1]}]}, "bbox has 3 numbers, not x, y, w, h"),
        ({"annotations": [{"image_id": 2, "bbox": [0, 0, 1, 1]}]}, "category_id"),
        ({"images": None}, "images"),
    ],
)
def test_a_broken_truth_is_named_with_its_place(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        counter(tmp_path, truth(**changed))
    assert message in str(raised.value) and "truth.json" in str(raised.value) and raised.value.remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "not a list of boxes"),
        ("", "not a list of boxes"),
        ('[{"image_id": 1', "the file ends before the list does"),
        ('[{"image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1], "score": NaN}]', "NaN, which is not JSON"),
        ('[{"image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1]}]', "score"),
        ('[{"image_id": 2, "category_id": 1, "bbox": [0, 0], "score": 1}]', "bbox has 2 numbers"),
        ('[{"image_id": [2], "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]', "image_id"),
    ],
)
def test_broken_results_are_named_with_their_place(tmp_path: Path, content: str, message: str) -> None:
    made = counter(tmp_path, truth())
    with pytest.raises(UserError) as raised:
        detected(tmp_path, made, content)
    assert message in str(raised.value) and "results.json" in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_detected(tmp_path / "results.json", counter(tmp_path, truth()), Tally())


def test_no_box_at_all_and_a_byte_order_mark(tmp_path: Path) -> None:
    made, tally = counter(tmp_path, truth()), Tally()
    boxes = detected(tmp_path, made, "\ufeff  []", tally)
    assert boxes.boxes.shape == (0, 4) and len(boxes.scores) == 0 and reasons(tally)[NO_BOX] == (2, ("a.jpg", "b.jpg"))


rows_of = st.lists(
    st.tuples(st.sampled_from(["i1", 2, "2", 2.0, "other"]), st.sampled_from([*IDS, "stranger"]), st.floats(0, 1, width=32)), max_size=30
)


@given(rows_of)
@settings(max_examples=25, deadline=None)
def test_boxes_are_read_in_their_order_whatever_they_are_of(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any, float]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    made = counter(folder, truth())
    content = [{"image_id": i, "category_id": c, "bbox": [n, 0, 1, 1], "score": s} for n, (i, c, s) in enumerate(rows)]
    boxes = detected(folder, made, content)
    kept = [(n, c, s) for n, (i, c, s) in enumerate(rows) if i != "other"]
    assert boxes.boxes[:, 0].tolist() == [n for n, _, _ in kept]
    np.testing.assert_allclose(boxes.scores, [s for _, _, s in kept])
    names = [*made.categories, "stranger"]
    assert [names[n] for n in boxes.product] == [str(c) for _, c, _ in kept]
