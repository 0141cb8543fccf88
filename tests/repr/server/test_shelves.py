"""What is sent about products and what is kept of their images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.repr.server.shop import AS_WRITER, READ, Open, files, fill, photograph

AS_READER = {"Authorization": f"Bearer {READ}"}
LONG = json.dumps({"name": "x" * 2**16}).encode()


@pytest.fixture(scope="module")
def shop(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return opened(fill(tmp_path_factory.mktemp("shelves")), read=READ)


def test_an_image_is_kept_by_its_content_and_not_by_its_id(opened: Open, tmp_path: Path) -> None:
    client, where = opened(fill(tmp_path)), "/v1/images/1?size=64"
    first = client.get(where)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(where, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/v1/images/1?size=32", headers={"If-None-Match": tag}).status_code == 200
    assert client.get("/v1/images/2?size=64", headers={"If-None-Match": tag}).status_code == 200
    assert client.get("/v1/images/99", headers={"If-None-Match": tag}).status_code == 404


def test_the_key_comes_before_the_body(shop: TestClient) -> None:
    broken = {"Content-Type": "application/json"}
    for headers, status in (({}, 401), (AS_READER, 403), (AS_WRITER, 422)):
        assert shop.put("/v1/products/x", content=b"{", headers={**broken, **headers}).status_code == status


def test_bodies_without_photographs_are_short(shop: TestClient) -> None:
    for headers in ({}, AS_WRITER):
        kind = {"Content-Type": "application/json", **headers}
        assert shop.put("/v1/products/x", content=LONG, headers=kind).json()["type"].endswith("too-large")

    chunked = shop.put(
        "/v1/products/x", content=iter([LONG[:1000], LONG[1000:]]), headers={"Content-Type": "application/json", **AS_WRITER}
    )
    assert chunked.status_code == 413, "also where nobody said how long it is"
    assert shop.put("/v1/products/x", content=b"name=x", headers=AS_WRITER).status_code == 415
    assert shop.get("/v1/products/x", headers=AS_READER).status_code == 404


@pytest.mark.parametrize(
    "texts", [{"name": "x" * 1001}, {"barcode": "4\x002"}, {"name": "a\nb"}, {"nmae": "x"}, {"category": "food"}, {"name": ["a", "b"]}]
)
def test_texts_beside_photographs_are_held_to_what_a_description_is(shop: TestClient, texts: dict[str, object]) -> None:
    given = shop.post("/v1/products/new/images", files=files(photograph(7)), data=texts, headers=AS_WRITER)
    assert given.status_code == 422 and given.headers["content-type"] == "application/problem+json"
    assert shop.get("/v1/products/new", headers=AS_READER).status_code == 404


def test_texts_that_nobody_reads_are_refused(shop: TestClient) -> None:
    for path in ("/v1/lookup", "/v1/check", "/v1/checkout"):
        assert shop.post(path, files=files(photograph(0)), data={"name": "tea"}, headers=AS_READER).status_code == 422


def test_the_schema_says_which_texts_are_taken(shop: TestClient) -> None:
    paths = shop.get("/openapi.json").json()["paths"]

    def _fields(path: str) -> set[str]:
        content = paths[path]["post"]["requestBody"]["content"]["multipart/form-data"]
        return set(content["schema"]["properties"])

    assert _fields("/v1/products/{id}/images") == {"image", "name", "barcode"}
    assert _fields("/v1/checkout") == {"image", "boxes"} and _fields("/v1/lookup") == {"image"}
    put = paths["/v1/products/{id}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(put["properties"]) == {"name", "barcode", "category"} and put["additionalProperties"] is False


def test_photographs_with_their_labels(shop: TestClient) -> None:
    where = "/v1/products/labelled"
    given = shop.post(f"{where}/images", files=files(photograph(8)), data={"name": "Oolong", "barcode": "0042"}, headers=AS_WRITER)
    assert (given.status_code, given.json()["created"]) == (201, True)
    again = shop.post(f"{where}/images", files=files(photograph(8), photograph(9)), data={"name": ""}, headers=AS_WRITER)
    assert (again.json()["created"], [one["status"] for one in again.json()["results"]]) == (False, [200, 201])
    known = shop.get(where, headers=AS_READER).json()
    assert (known["name"], known["barcode"], len(known["images"])) == ("Oolong", "0042", 2)
