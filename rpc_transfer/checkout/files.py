"""What checkout is measured on: the truth, in RPC's layout, and a detector's results, in COCO's, as arrays.

RPC's layout as in `repr.catalog.rpc`; results are COCO's list of {"image_id", "category_id", "bbox", "score"}.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from repr.arrays import Doubles, Ints, Texts
from repr.catalog.jsonfile import MEND, Id, id_text, read_object, stream_array
from repr.catalog.passed import Tally
from repr.catalog.rpc import Category, Image, ProductName
from repr.errors import UserError

LEVELS = ("easy", "medium", "hard")
CROWDS = "boxes of crowds (iscrowd) in the truth, which are not of one product"
NO_IMAGE = "boxes of the results whose image id is not in the truth"
NO_CATEGORY = "boxes of the results whose category id is not in the truth: they count as wrong"
NO_AREA = "boxes of the results without an area: they are counted, and fit nothing"
NO_BOX = "images without a box in the results"
NO_LEVEL = "images of the truth without a level of easy, medium or hard: they are in the average alone"


class Truth(msgspec.Struct):
    """One box of the truth."""

    image_id: Id
    category_id: Id
    bbox: list[float]
    iscrowd: int | bool | float | None = 0
    id: Id | None = None


class TruthFile(msgspec.Struct):
    """What is read of the file of the truth."""

    categories: list[Category]
    images: list[Image]
    annotations: list[Truth]
    products: list[ProductName] = msgspec.field(name="__raw_Chinese_name_df", default_factory=list)


class Result(msgspec.Struct, gc=False):
    """One box of a detector."""

    image_id: Id
    category_id: Id
    bbox: list[float]
    score: float


@dataclass(frozen=True)
class Counter:
    """The truth. names, levels: file name and level ("" for none) of each of n images; categories: their ids, in order of numbers.

    image, product: (m,) of each box, numbers of images and categories; boxes: (m, 4) x, y, w, h in pixels; zero: the box whose
    annotation id is 0, -1 where none is.
    """

    ids: dict[str, int]
    names: tuple[str, ...]
    levels: Texts
    categories: dict[str, int]
    image: Ints
    product: Ints
    boxes: Doubles
    zero: int = -1


@dataclass(frozen=True)
class Detected:
    """Results on a counter. image, product: (d,) numbers as `Counter` has them, product len(categories) where the truth has no such
    category; boxes: (d, 4) x, y, w, h in pixels; scores: (d,)."""

    image: Ints
    product: Ints
    boxes: Doubles
    scores: Doubles


def read_counter(path: Path, tally: Tally) -> Counter:
    """Read the truth. Raises UserError for a broken file, ids that stand twice, boxes of unknown images or categories."""
    content = read_object(path, TruthFile)
    ids = _numbered([id_text(image.id) for image in content.images], f"{path}, images")
    known = sorted((id_text(category.id) for category in content.categories), key=_numeric)
    categories = _numbered(known, f"{path}, categories")
    image, product, boxes, zero = [], [], [], -1
    for n, one in enumerate(content.annotations, 1):
        where = f"{path}, record {n} of annotations"
        if one.iscrowd:
            tally.add(CROWDS, f"annotation {n}")
            continue
        image.append(_number(ids, one.image_id, "image", where))
        product.append(_number(categories, one.category_id, "category", where))
        boxes.append(_box(one.bbox, where))
        zero = len(image) - 1 if one.id == 0 else zero
    levels = np.array([one.level if one.level in LEVELS else "" for one in content.images], np.str_)
    names = tuple(one.file_name for one in content.images)
    for name, level in zip(names, levels, strict=True):
        tally.add(NO_LEVEL, name, int(not level))
    arrays = np.array(image, np.int64), np.array(product, np.int64), np.array(boxes, np.float64).reshape(-1, 4)
    return Counter(ids, names, levels, categories, *arrays, zero=zero)


def read_detected(path: Path, counter: Counter, tally: Tally) -> Detected:
    """Read results. Boxes of images that the counter lacks are left out, and counted. Raises UserError for a broken file."""
    _check_list(path)
    image, product, boxes, scores = [], [], [], []
    other = len(counter.categories)
    for first, records in stream_array(path, Result):
        for n, one in enumerate(records, first):
            number = counter.ids.get(id_text(one.image_id), -1)
            if number < 0:
                tally.add(NO_IMAGE, f"image {id_text(one.image_id)}")
                continue
            category = counter.categories.get(id_text(one.category_id), other)
            if category == other:
                tally.add(NO_CATEGORY, f"category {id_text(one.category_id)}")
            box = _box(one.bbox, f"{path}, record {n}")
            if not (box[2] > 0 and box[3] > 0):
                tally.add(NO_AREA, f"record {n}")
            image.append(number)
            product.append(category)
            boxes.append(box)
            scores.append(one.score)
    for number in sorted(set(range(len(counter.names))) - set(image)):
        tally.add(NO_BOX, counter.names[number])
    numbers = np.array(image, np.int64), np.array(product, np.int64)
    return Detected(*numbers, np.array(boxes, np.float64).reshape(-1, 4), np.array(scores, np.float64))


def _check_list(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    if not start.startswith(b"["):
        raise UserError("not a list of boxes", path, "Give COCO's results, a list of image_id, category_id, bbox and score")


def _numbered(texts: list[str], where: str) -> dict[str, int]:
    numbers = {text: n for n, text in enumerate(texts)}
    if len(numbers) < len(texts):
        twice = next(text for n, text in enumerate(texts) if numbers[text] != n)
        raise UserError(f"id {twice} stands twice", where, MEND)
    return numbers


def _numeric(text: str) -> tuple[bool, int, str]:
    """Ids in the order of their numbers, those that are none behind them."""
    return (False, int(text), "") if text.removeprefix("-").isdecimal() else (True, 0, text)


def _number(known: dict[str, int], value: Id, what: str, where: str) -> int:
    try:
        return known[id_text(value)]
    except KeyError:
        raise UserError(f"{what} id {id_text(value)} is not in the table of {len(known)}", where, MEND) from None


def _box(numbers: list[float], where: str) -> list[float]:
    if len(numbers) != 4:
        raise UserError(f"bbox has {len(numbers)} numbers, not x, y, w, h", where, MEND)
    return numbers
