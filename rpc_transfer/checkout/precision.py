"""mAP50 and mmAP: COCO's average precision of boxes with names, by pycocotools, over all scores (no threshold), at most 100 boxes an
image and product (Lin et al., Microsoft COCO, ECCV 2014)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from repr.arrays import Array, Bools
from rpc_transfer.checkout.files import Counter, Detected

MOST = 100  # boxes of a product in an image, as COCO has it
ALL = [0.0, 1e10]  # square pixels


@dataclass(frozen=True)
class Precision:
    """Means over the products that occur: at IoU 0.50, and over IoU 0.50, 0.55, … 0.95. None where no product occurs."""

    mAP50: float | None
    mmAP: float | None


def precisions(counter: Counter, detected: Detected, parts: Mapping[str, Bools]) -> tuple[dict[str, Precision], dict[str, Precision]]:
    """The precision on each of `parts`, (n,) images each, by their names; and as rpctool has it.

    The two differ where the truth has a box of id 0, which pycocotools takes for one that was never found: rpctool hands it the ids of
    the file.
    """
    with redirect_stdout(io.StringIO()):
        measured = COCOeval(_truth(counter), _found(counter, detected), "bbox")
        measured.params.imgIds = list(range(len(counter.names)))
        measured.params.catIds = list(range(len(counter.categories)))
        measured.ious = {}
        measured.params.areaRng, measured.params.areaRngLbl, measured.params.maxDets = [ALL], ["all"], [MOST]
        cells = _cells(measured)
        own = {name: _accumulated(measured, cells, images) for name, images in parts.items()}
        if counter.zero < 0:
            return own, own
        image, product = int(counter.image[counter.zero]), int(counter.product[counter.zero])
        for box in measured._gts[image, product]:
            box["id"] = 0 if box["id"] == counter.zero + 1 else box["id"]
        measured.ious[image, product] = measured.computeIoU(image, product)
        cells[product, image] = measured.evaluateImg(image, product, ALL, MOST)
        return own, {name: _accumulated(measured, cells, images) if images[image] else own[name] for name, images in parts.items()}


def _cells(measured: COCOeval) -> Array:
    """(products, images) what COCOeval.evaluate finds of each product in each image, None where neither truth nor results have a box:
    most pairs, which it asks about too, in Python."""
    measured._prepare()
    cells = np.full((len(measured.params.catIds), len(measured.params.imgIds)), None, object)
    for image, product in measured._gts.keys() | measured._dts.keys():
        pair = measured._gts.get((image, product), ()), measured._dts.get((image, product), ())
        if max(map(len, pair)) == 1:
            cells[product, image] = _of_one(measured, *pair)
        else:
            measured.ious[image, product] = measured.computeIoU(image, product)
            cells[product, image] = measured.evaluateImg(image, product, ALL, MOST)
    return cells


def _of_one(measured: COCOeval, true: Sequence[dict[str, Any]], detected: Sequence[dict[str, Any]]) -> dict[str, object]:
    """What evaluateImg finds where there is at most one true box and at most one found: the usual case, a tenth of the time."""
    matches = np.zeros((len(measured.params.iouThrs), len(detected)))
    if true and detected:
        iou = mask.iou([detected[0]["bbox"]], [true[0]["bbox"]], [0])[0, 0]
        matches[:, 0] = (iou >= np.minimum(measured.params.iouThrs, 1 - 1e-10)) * true[0]["id"]
    ignored = np.zeros(matches.shape, bool)
    return {"dtScores": [one["score"] for one in detected], "dtMatches": matches, "dtIgnore": ignored, "gtIgnore": np.zeros(len(true))}


def _accumulated(measured: COCOeval, cells: Array, images: Bools) -> Precision:
    measured.evalImgs = cells[:, images].ravel().tolist()
    measured.params.imgIds = np.flatnonzero(images).tolist()
    measured._paramsEval = measured.params
    measured.accumulate()
    values = measured.eval["precision"][..., 0, 0]  # (IoU thresholds, recalls, products); -1 where a product does not occur
    at_50 = values[0][values[0] > -1]
    over_all = values[values > -1]
    return Precision(*(float(np.mean(one)) if len(one) else None for one in (at_50, over_all)))


def _truth(counter: Counter) -> COCO:
    columns = (one.tolist() for one in (counter.image, counter.product, counter.boxes))
    annotations = [
        {"id": n, "image_id": image, "category_id": product, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for n, (image, product, box) in enumerate(zip(*columns, strict=True), 1)
    ]
    return _coco(counter, annotations)


def _found(counter: Counter, detected: Detected) -> COCO:
    columns = (one.tolist() for one in (detected.image, detected.product, detected.boxes, detected.scores))
    annotations = [
        {"id": n, "image_id": image, "category_id": product, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, "score": score}
        for n, (image, product, box, score) in enumerate(zip(*columns, strict=True), 1)
        if product < len(counter.categories)
    ]
    return _coco(counter, annotations)


def _coco(counter: Counter, annotations: list[dict[str, object]]) -> COCO:
    made = COCO()
    images = [{"id": number} for number in range(len(counter.names))]
    categories = [{"id": number} for number in range(len(counter.categories))]
    made.dataset = {"images": images, "categories": categories, "annotations": annotations}
    made.createIndex()
    return made
