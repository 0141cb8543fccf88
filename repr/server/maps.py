"""GET /v1/map: the stored images in the plane, like ones near."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from repr.lookup.atlas import Atlas, Point, draw
from repr.server import models
from repr.server.answers import documented, errors
from repr.server.keys import reader
from repr.server.service import Served, Service

router = APIRouter(dependencies=[Depends(reader)])


class Drawn:
    """The map of a service, drawn anew when its index has changed."""

    def __init__(self) -> None:
        self._atlas: Atlas | None = None

    def atlas(self, service: Service) -> Atlas:
        """The map as it is now, in the one thread for it: it takes seconds to draw."""
        store = service.index.store
        if self._atlas is None or self._atlas.revision != store.revision:
            self._atlas = draw(store, service.index.weights["dim"])
        return self._atlas


def drawn_of(request: Request) -> Drawn:
    """The map of the service that a request came to."""
    drawn: Drawn = request.app.state.drawn
    return drawn


@router.get("/v1/map", response_model=models.Map, responses=errors(), summary="The embedding in the plane")
async def embedding_map(service: Served, drawn: Annotated[Drawn, Depends(drawn_of)]) -> Response:
    """Up to 600 stored images, each with its place."""
    atlas = await service.paint(lambda: drawn.atlas(service))
    return documented({"made": atlas.made, "points": [_told(point) for point in atlas.points], "images": atlas.images})


def _told(point: Point) -> dict[str, object]:
    product = point.product
    group = product.category[0] if product.category else ""
    return {"x": point.x, "y": point.y, "product": product.id, "name": product.name, "group": group, "image_id": point.image}
