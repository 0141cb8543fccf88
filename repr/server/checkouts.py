"""POST /v1/checkout: the shopping list of photographs of a counter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from PIL import Image

from repr.checkout.basket import Basket, baskets
from repr.checkout.proposal import Proposal, Proposer
from repr.images.boxes import Box
from repr.server import models
from repr.server.answers import documented, errors
from repr.server.keys import reader
from repr.server.photographs import Photograph, body, broken, photographs, refuse_all_bad
from repr.server.problems import Problem
from repr.server.service import Served, Service

MOST = 100  # products a box
BOXES = 200  # that a person draws on one photograph
FIELD = "boxes"
router = APIRouter(dependencies=[Depends(reader)])


@router.post(
    "/v1/checkout",
    response_model=models.Checkout,
    responses=errors(415),
    openapi_extra=body({FIELD: {"type": "string", "description": "A JSON list of [x, y, width, height] in pixels."}}),
    summary="What is on a counter, how many",
)
async def checkout(request: Request, service: Served, k: Annotated[int, Query(ge=1, le=MOST)] = 5) -> Response:
    """The list of each photograph of a counter, and its boxes with the k products most like each.

    Beside one photograph the field `boxes`, a JSON list of x, y, width, height in pixels, names what is in these instead.
    """
    given, texts = await photographs(request, service.limits, (FIELD,))
    refuse_all_bad([one.wrong for one in given])
    proposer = _drawn(given, texts) or service.counting.proposer
    lists = await service.count(lambda: [_basket(service, one, proposer, k) for one in given])
    refuse_all_bad([broken(one.error) if one.error else None for one in lists])
    return documented({"results": [one.as_json() for one in lists], "synthetic": service.synthetic})


def _basket(service: Service, photograph: Photograph, proposer: Proposer, k: int) -> Basket:
    if photograph.wrong is not None:
        return Basket(photograph.name, error=photograph.wrong.detail)
    (basket,) = baskets([photograph.data], service.index, proposer, k=k, threshold=service.counting.threshold)
    return replace(basket, query=photograph.name)


def _drawn(given: Sequence[Photograph], texts: Mapping[str, str]) -> Proposer | None:
    """Boxes that were sent with a photograph, in the place of those that are found; None where there are none."""
    if FIELD not in texts:
        return None
    if len(given) != 1:
        raise Problem(422, "invalid", f"{FIELD} with {len(given)} photographs", "Send one photograph with its boxes")
    try:
        content = json.loads(texts[FIELD])
        good = isinstance(content, list) and len(content) <= BOXES and all(map(_is_box, content))
    except (ValueError, OverflowError, RecursionError):  # the last two of numbers and nesting without measure
        good = False
    if not good:
        raise Problem(422, "invalid", f"{FIELD} is no list of boxes", f"Send up to {BOXES} of [x, y, width, height] in pixels, as JSON")
    made = [Proposal(cast(Box, tuple(map(float, box))), 1.0) for box in content]
    return lambda image: [one for one in made if _touches(one.box, image)]


def _touches(box: Box, image: Image.Image) -> bool:
    if box[0] < image.width and box[1] < image.height:
        return True
    raise Problem(422, "invalid", "a box beside the photograph", "Send boxes that lie on it, in its pixels when it is upright")


def _is_box(value: object) -> bool:
    numbers = value if isinstance(value, list) else []
    finite = [type(one) in (int, float) and math.isfinite(one) for one in numbers]
    return len(numbers) == 4 and all(finite) and min(numbers[2:]) > 0 and min(a + b for a, b in zip(numbers, numbers[2:], strict=False)) > 0
