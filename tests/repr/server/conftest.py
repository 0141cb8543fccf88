"""A small shop behind the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("httpx", reason="the extra `dev` is not installed")
from starlette.testclient import TestClient

from repr.lookup.index import Index
from repr.server.app import create_app
from repr.server.keys import Keys
from tests.repr.server.shop import WRITE, Open, fill


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return fill(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def opened() -> Iterator[Open]:
    """Opens a service of an index, warm; it is closed at the end."""
    with ExitStack() as stack:

        def _open(index: Index, *, read: str | None = None, write: str | None = WRITE, **options: Any) -> TestClient:
            app = create_app(index, keys=Keys(read, write), **options)
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            while client.get("/readyz").status_code == 503 and app.state.service.failed is None:
                pass
            return client

        yield _open


@pytest.fixture(scope="module")
def client(index: Index, opened: Open) -> TestClient:
    return opened(index)
