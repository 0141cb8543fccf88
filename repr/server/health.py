"""Whether the service lives, whether it is warm, what it counts, and what it serves."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from repr.server import models
from repr.server.answers import documented, errors
from repr.server.keys import reader
from repr.server.problems import Problem
from repr.server.service import Served, Service

router = APIRouter()


@router.get("/healthz", response_model=models.Health, responses=errors(), summary="Whether it lives")
async def alive() -> dict[str, str]:
    """It does."""
    return {"status": "alive"}


@router.get("/readyz", response_model=models.Health, responses=errors(), summary="Whether it is warm")
async def ready(service: Served) -> dict[str, str]:
    """Weights and vectors are read, and the index can be."""
    if not service.ready.is_set():
        what = "the index cannot answer" if service.failed else "the weights are being read"
        raise Problem(503, "not-ready", what, "See the server's log" if service.failed else "Come again in a moment", {"Retry-After": "1"})
    await service.read(lambda: service.index.store.revision)
    return {"status": "ready"}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors()},
    dependencies=[Depends(reader)],
    summary="Counts and times for Prometheus",
)
async def metrics(service: Served) -> Response:
    """In Prometheus' text form."""
    products, images = await service.read(lambda: service.index.store.counts())
    service.metrics.products.set(products)
    service.metrics.images.set(images)
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/index", response_model=models.Shop, responses=errors(), dependencies=[Depends(reader)], summary="What is served")
async def shop(service: Served) -> Response:
    """How much the index holds, and whether it can be changed here."""
    return documented(await service.read(lambda: _shop(service)))


def _shop(service: Service) -> dict[str, object]:
    store = service.index.store
    products, images = store.counts()
    return {
        "products": products,
        "images": images,
        "weights": service.index.weights["name"],
        "synthetic": service.synthetic,
        "revision": store.revision,
        "writable": service.keys.write is not None,
    }
