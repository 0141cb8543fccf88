"""The list of a counter: every box is named once, in one batch; counts are those of the boxes, and the threshold is what it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from repr.checkout.basket import Basket, Item, baskets, named
from repr.checkout.proposal import Proposal
from repr.errors import UserError
from repr.images.reader import ImageLike
from repr.lookup.matches import Answer, Match

HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan"]
items_of = st.lists(st.tuples(st.sampled_from(HOSTILE), st.booleans(), st.floats(0, 1, width=32), st.floats(0, 1, width=32)), max_size=12)


def item(product: str, unknown: bool = False, score: float = 0.8, probability: float | None = 0.5) -> Item:
    return Item((0.0, 0.0, 9.0, 9.0), score, unknown, (Match(product, 0.9, "a.jpg", f"name of {product}", None, (), probability),))


class Brightness:
    """An index that names every crop by its brightness, and remembers how it was asked."""

    def __init__(self, products: Sequence[str] = HOSTILE, *, unknown: bool = False) -> None:
        self.products, self.unknown, self.batches = products, unknown, list[int]()

    def lookup(self, images: Sequence[ImageLike], k: int = 10, *, per_image: bool = False) -> list[Answer]:
        self.batches.append(len(images))
        answers = []
        for n, image in enumerate(images):
            assert isinstance(image, Image.Image)
            first = int(np.asarray(image.convert("L")).mean()) * len(self.products) // 256 if self.products else 0
            ranked = [*self.products[first:], *self.products[:first]][:k]
            matches = tuple(
                Match(product, 1 - 0.1 * rank, "a.jpg", None, None, (), 0.6 - 0.1 * rank) for rank, product in enumerate(ranked)
            )
            answers.append(Answer(str(n), matches, self.unknown))
        return answers


def test_the_helper_is_an_answer_as_the_index_gives_it() -> None:
    (answer,) = Brightness().lookup([Image.new("L", (4, 4), 255)], 2)
    assert [match.product for match in answer.matches] == ["nan", "C+C"] and not answer.unknown and not answer.error


@given(items_of)
@settings(max_examples=60)
def test_every_known_item_is_counted_once(drawn: list[tuple[str, bool, float, float]]) -> None:
    basket = Basket("counter.jpg", (9, 9), tuple(item(product, unknown, score, chance) for product, unknown, score, chance in drawn))
    expected = Counter(product for product, unknown, _, _ in drawn if not unknown)
    assert {line.product: line.count for line in basket.lines} == expected
    assert [line.count for line in basket.lines] == sorted(expected.values(), reverse=True)
    assert basket.unknown == sum(unknown for _, unknown, _, _ in drawn) and sum(expected.values()) + basket.unknown == len(basket.items)
    document = json.loads(json.dumps(basket.as_json()))
    assert len(document["items"]) == len(drawn) and document["unknown"] == basket.unknown
    assert [line["name"] for line in document["basket"]] == [f"name of {line.product}" for line in basket.lines]


def test_confidence_is_of_box_and_name_together() -> None:
    assert item("a", score=0.5, probability=0.5).confidence == 0.25 and item("a", score=0.5, probability=None).confidence == 0.5


def test_all_boxes_of_an_image_are_asked_in_one_batch() -> None:
    shades = np.repeat(np.array([20, 130, 250], np.uint8), 60)
    image = Image.fromarray(np.repeat(shades[None], 60, axis=0)).convert("RGB")
    boxes = [Proposal((x, 20.0, 20.0, 20.0), 0.9) for x in (20.0, 80.0, 140.0)]
    index = Brightness()
    found = named(image, boxes, index, k=2)
    assert index.batches == [3] and [one.box for one in found] == [box.box for box in boxes]
    assert [one.matches[0].product for one in found] == ["C+C", "A: dairy", "nan"] and all(len(one.matches) == 2 for one in found)
    assert named(image, [], index) == [] and index.batches == [3], "an empty counter asks nothing"


@pytest.mark.parametrize("says", [True, False])
def test_a_threshold_takes_the_place_of_what_the_index_says(says: bool) -> None:
    image, boxes = Image.new("RGB", (40, 40)), [Proposal((0.0, 0.0, 20.0, 20.0), 0.5)]  # a confidence of 0.5 · 0.6
    index = Brightness(unknown=says)
    assert named(image, boxes, index)[0].unknown == says
    assert named(image, boxes, index, threshold=0.31)[0].unknown and not named(image, boxes, index, threshold=0.29)[0].unknown


def test_images_come_one_by_one_and_a_broken_one_stops_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "white").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    looked = []

    def propose(image: Image.Image) -> list[Proposal]:
        looked.append(image.size)
        return [Proposal((0.0, 0.0, 10.0, 10.0), 0.9)]

    found = baskets([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png", np.zeros((8, 9, 3), np.uint8)], Brightness(), propose)
    assert looked == [] and next(found).query == str(tmp_path / "a.png") and looked == [(30, 20)], "nothing is read before it is asked for"
    broken, missing, array = found
    assert broken.error and missing.error == "no such file" and broken.as_json().keys() == {"query", "error"}
    assert array.size == (9, 8) and array.query == "image 4" and not array.error


def test_a_detector_that_names_needs_no_index_and_one_that_does_not_says_so() -> None:
    image, box = np.zeros((20, 20, 3), np.uint8), (0.0, 0.0, 10.0, 10.0)
    (basket,) = baskets([image], None, lambda _: [Proposal(box, 0.9, "C+C"), Proposal(box, 0.2, "nan")], threshold=0.5)
    assert [(line.product, line.count) for line in basket.lines] == [("C+C", 1)] and basket.unknown == 1
    with pytest.raises(UserError, match="the detector has no names of its own"):
        list(baskets([image], None, lambda _: [Proposal(box, 0.9)]))


def test_an_index_without_images_is_an_error_and_not_an_empty_list() -> None:
    with pytest.raises(UserError, match="the index holds no image"):
        named(Image.new("RGB", (9, 9)), [Proposal((0.0, 0.0, 5.0, 5.0), 0.9)], Brightness(()))
