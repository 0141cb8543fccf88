"""The queue of photographs that a person should look at: those that may write, since they can act on it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from repr.images.reader import Unreadable, read_image
from repr.server import models
from repr.server.answers import documented, errors, told
from repr.server.keys import writer
from repr.server.problems import Problem
from repr.server.renditions import LARGEST, SMALLEST, small
from repr.server.service import Served, Service

router = APIRouter(dependencies=[Depends(writer)])
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/v1/reviews", response_model=models.Doubts, responses=errors(403), summary="Doubtful and unknown lookups")
async def list_doubts(
    service: Served, start: Annotated[int, Query(ge=0, le=2**31)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Response:
    """Photographs whose answer was unknown or doubtful, the newest first."""
    return documented(await service.read(lambda: _page(service, start, limit)))


def _page(service: Service, start: int, limit: int) -> dict[str, object]:
    kept, total = service.doubts.page(start=start, most=limit)
    store = service.index.store
    return {
        "reviews": [{"id": one.id, "at": one.at, "reason": one.reason, "result": told(one.answer, store, 200)} for one in kept],
        "total": total,
    }


@router.get(
    "/v1/reviews/{id}/photograph",
    response_class=Response,
    responses={
        200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "application/octet-stream")}},
        **errors(403, 404),
    },
    summary="Its photograph",
)
async def photograph(
    service: Served,
    id: Id,
    size: Annotated[int | None, Query(ge=SMALLEST, le=LARGEST, description="None for the file as it was sent.")] = None,
) -> Response:
    """The photograph as JPEG of `size` pixels, or the file as it was sent."""
    data = await service.read(lambda: service.doubts.photograph(id))
    if data is None:
        raise _unknown(id)
    if size is None:
        return Response(data, media_type="application/octet-stream", headers={"Content-Disposition": "attachment"})
    return Response(await service.read(lambda: _shown(data, size)), media_type="image/jpeg")


def _shown(data: bytes, size: int) -> bytes:
    try:
        return small(read_image(data, short_side=size), size)
    except Unreadable:
        raise Problem(404, "lost-image", "the photograph cannot be read", "Let go of it") from None


@router.delete("/v1/reviews/{id}", status_code=204, response_class=Response, responses=errors(403, 404), summary="Let go of it")
async def settle(service: Served, id: Id) -> Response:
    """Somebody has looked at it."""
    if not await service.write(lambda: service.doubts.settle(id)):
        raise _unknown(id)
    return Response(status_code=204)


def _unknown(id: int) -> Problem:
    return Problem(404, "unknown-review", f"no review {id}", "See GET /v1/reviews for those that there are")
