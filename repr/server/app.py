"""The application: an index, its limits and keys, and everything that answers.

    app = create_app(Index.open("shop.index"), keys=Keys(write="…"))

A further group of requests is a module with a `router`, and a line in ROUTERS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from repr.checkout.classical import propose
from repr.checkout.proposal import Proposer
from repr.lookup.index import Index
from repr.server import checkouts, health, lookups, maps, problems, reviews, shelves
from repr.server.keys import Keys
from repr.server.limits import Limited
from repr.server.metrics import Measured
from repr.server.service import Counting, Service
from repr.server.settings import Limits

ROUTERS = (lookups.router, checkouts.router, shelves.router, reviews.router, maps.router, health.router)
PAGE = Path(__file__).parent / "page"
PAGE_HEADERS = {  # nothing from elsewhere, nothing inline
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-cache",
}
DESCRIPTION = "Which products of a shop a photograph shows."


def create_app(
    index: Index,
    *,
    limits: Limits | None = None,
    keys: Keys | None = None,
    proposer: Proposer = propose,
    threshold: float | None = None,
    on_ready: Callable[[], object] = lambda: None,
    on_failure: Callable[[], object] = lambda: None,
) -> FastAPI:
    """The application. proposer, threshold: who finds the products of a counter, and the confidence below which one is unknown, None for
    what the index says. on_ready: called when it is warm. on_failure: called when the index turns out to be unable to answer, with the
    reason in the log."""
    limits, keys = limits or Limits(), keys or Keys()
    service = Service(index, limits, keys, Counting(proposer, threshold))

    @asynccontextmanager
    async def _life(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.get_running_loop().create_task(service.warm(on_ready, on_failure))
        yield
        warming.cancel()
        await service.close()

    app = FastAPI(
        title="repr serve",
        description=DESCRIPTION,
        version=metadata.version("product-repr"),
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_life,
    )
    app.state.service, app.state.keys, app.state.drawn = service, keys, maps.Drawn()
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Limited, limits=limits)
    app.add_middleware(Measured, metrics=service.metrics)
    _add_page(app)
    return app


def _add_page(app: FastAPI) -> None:
    """The page at /, and its files under /page."""

    @app.get("/", include_in_schema=False)
    async def _page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=PAGE_HEADERS)

    app.mount("/page", StaticFiles(directory=PAGE), name="page")
