"""Errors as problem documents: of a kind, with a remedy, and without a word on this machine's disk."""

from __future__ import annotations

import asyncio
import errno
import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("httpx", reason="the extra `dev` is not installed")
from fastapi import FastAPI, HTTPException
from starlette.testclient import TestClient

from repr.errors import UserError
from repr.lookup.refused import Refused
from repr.server.metrics import Measured, Metrics
from repr.server.problems import MEDIA, REFUSALS, WORDS, Problem, install, of_user_error, refused

SECRET = "/srv/secret/shop.index"
RAISED: dict[str, Exception] = {
    "problem": Problem(413, "too-large", "the photograph is too large", "Send a smaller one"),
    "user": UserError("there is no product 7", SECRET, "Give `product` the id of one"),
    "bare": UserError("it cannot be", SECRET),
    "busy": Refused("busy", f"{SECRET} is busy", SECRET, "Wait"),
    "full": OSError(errno.ENOSPC, "No space left on device", SECRET),
    "denied": PermissionError(errno.EACCES, "Permission denied", SECRET),
    "disk": OSError(errno.EIO, "Input/output error", SECRET),
    "http": HTTPException(404, "Not Found"),
    "bug": ZeroDivisionError(f"in {SECRET}"),
}


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    install(app)

    @app.get("/raise/{name}")
    async def _raise(name: str) -> None:
        raise RAISED[name]

    @app.get("/number/{n}")
    async def _number(n: int) -> int:
        return n

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("name", "status", "kind", "detail", "remedy"),
    [
        ("problem", 413, "too-large", "the photograph is too large", "Send a smaller one"),
        ("user", 422, "refused", "there is no product 7", "Give product the id of one"),
        ("bare", 422, "refused", "it cannot be", "Change the request"),
        ("busy", 503, "busy", *WORDS["busy"]),
        ("full", 507, "full", *WORDS["full"]),
        ("denied", 403, "read-only", *WORDS["read-only"]),
        ("disk", 500, "broken", *WORDS["broken"]),
        ("http", 404, "not-found", "Not Found", "See /openapi.json for what there is"),
        ("bug", 500, "internal", "the request failed", "See the server's log"),
    ],
)
def test_every_error_is_a_document_of_its_kind(client: TestClient, name: str, status: int, kind: str, detail: str, remedy: str) -> None:
    answer = client.get(f"/raise/{name}")
    assert answer.status_code == status and answer.headers["content-type"] == MEDIA
    document = answer.json()
    assert (document["type"], document["status"]) == (f"urn:product-repr:{kind}", status)
    assert (document["detail"], document["remedy"]) == (detail, remedy) and document["title"]
    assert "secret" not in answer.text, "no path of this machine leaves it"
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


def test_what_is_not_valid_is_named_and_an_unknown_address_has_a_remedy(client: TestClient) -> None:
    answer = client.get("/number/seven")
    assert answer.status_code == 422 and "path.n" in answer.json()["detail"] and answer.json()["type"].endswith(":invalid")
    assert client.get("/nowhere").json()["remedy"] == "See /openapi.json for what there is"
    assert client.post("/number/7").status_code == 405 and client.get("/number/7").json() == 7


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_of_the_index_has_words(kind: str) -> None:
    problem = refused(kind)
    assert problem.status == REFUSALS[kind] and problem.detail and problem.remedy
    assert of_user_error(Refused(kind, "m", "w", "r")).document() == problem.document()  # type: ignore[arg-type]


def test_requests_are_counted_by_route_never_by_what_callers_make_up() -> None:
    metrics = Metrics()

    async def app(scope: object, receive: object, send: object) -> None:
        assert isinstance(scope, dict)
        if scope["path"] == "/crash":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]

    async def ignored(*_: object) -> None:
        return None

    measured = Measured(app, metrics)  # type: ignore[arg-type]
    for method, path in (("GET", "/a"), ("GET", "/b"), ("BREW", "/made-up"), ("GET", "/crash")):
        scope = {"type": "http", "method": method, "path": path}
        try:
            asyncio.run(measured(scope, ignored, ignored))  # type: ignore[arg-type]
        except RuntimeError:
            assert path == "/crash"
    samples = {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "repr_requests_total"
    }
    assert samples == {("other", "GET", "204"): 2, ("other", "other", "204"): 1, ("other", "GET", "500"): 1}
    assert metrics.registry.get_sample_value("repr_requests_in_work") == 0, "what crashed is no longer in work"


def test_a_document_is_plain_json(tmp_path: Path) -> None:
    content = json.loads(bytes(Problem(400, "odd", "a → b", "C+C").response().body))
    assert content == {"type": "urn:product-repr:odd", "title": "Bad Request", "status": 400, "detail": "a → b", "remedy": "C+C"}
