"""What programs get from the service, as its contract has it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from repr.cli import group
from repr.lookup.index import Index
from repr.lookup.refused import Refused
from tests.repr.server.shop import AS_WRITER, READ, WRITE, Open, encoded, files, fill, photograph, pixels

STRANGE = ["a/b", "a/images", "two words", "-1", "x" * 1000, "红茶 500g", "../../etc/passwd", "a?b#c", "C:\\x"]


def path(id: str) -> str:
    return f"/v1/products/{quote(id, safe='')}"


def problem(response: object, status: int) -> dict[str, object]:
    assert response.status_code == status, response.text  # type: ignore[attr-defined]
    assert response.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    told: dict[str, object] = response.json()  # type: ignore[attr-defined]
    assert told["status"] == status and told["title"] and told["detail"] and told["remedy"] and str(told["type"]).startswith("urn:")
    return told


def test_it_answers_as_the_command_does(client: TestClient, index: Index, tmp_path: Path) -> None:
    names = [tmp_path / "x.png", tmp_path / "y.png"]
    for seed, name in zip((0, 4), names, strict=True):
        name.write_bytes(photograph(seed))
    done = CliRunner().invoke(group, ["lookup", str(index.folder), *map(str, names), "-k", "2", "--json"], catch_exceptions=False)
    asked = json.loads(done.stdout.splitlines()[-1])
    given = client.post("/v1/lookup?k=2", files=[("image", (name.name, name.read_bytes())) for name in names])
    told = given.json()
    assert given.status_code == 200 and set(told) == set(asked) and told["schema"] == asked["schema"]
    for one, other in zip(told["results"], asked["results"], strict=True):
        assert one.pop("status") == 200 and one["query"] == Path(other["query"]).name
        one["query"] = other["query"]
        for match in one["matches"]:
            assert index.store.image(match.pop("image_id")).path == match["image"]  # type: ignore[union-attr]
            match["score"] = round(match["score"], 4)
        for match in other["matches"]:
            match["score"] = round(match["score"], 4)
        assert one == other


def test_bytes_alone_are_a_photograph(client: TestClient) -> None:
    given = client.post("/v1/lookup", content=photograph(2), headers={"Content-Type": "application/octet-stream"})
    (result,) = given.json()["results"]
    assert (result["status"], result["matches"][0]["product"]) == (200, "jam") and "error" not in result
    assert [len(client.post(f"/v1/lookup?k={k}", files=files(photograph(2))).json()["results"][0]["matches"]) for k in (1, 100)] == [1, 3]


def test_a_bad_photograph_leaves_the_others(client: TestClient) -> None:
    whole = encoded(pixels(0, 200), "JPEG")
    told = client.post("/v1/lookup", files=files(photograph(0), b"text", whole[: len(whole) // 2], photograph(4))).json()["results"]
    assert [one["status"] for one in told] == [200, 415, 422, 200] and all(one.get("error") for one in told[1:3])
    assert [one["matches"][0]["product"] for one in told if one["matches"]] == ["tea", "oil"]


def test_products_come_and_go(opened: Open, tmp_path: Path) -> None:
    client = opened(fill(tmp_path))
    for id in STRANGE:
        where = path(id)
        told = client.put(where, json={"name": "Name", "barcode": "0042", "category": ["food", "tea"]}, headers=AS_WRITER)
        assert told.status_code == 201 and told.json()["id"] == id, id
        assert client.get(where).json()["category"] == ["food", "tea"]
        data = photograph(1000 + len(id))
        stored = client.post(f"{where}/images", files=files(data), headers=AS_WRITER)
        assert stored.status_code == 201 and stored.json()["results"][0]["status"] == 201
        match = client.post("/v1/lookup?k=1", files=files(data)).json()["results"][0]["matches"][0]
        assert (match["product"], match["barcode"], match["name"]) == (id, "0042", "Name")
        shown = client.get(f"/v1/images/{match['image_id']}?size=32")
        assert shown.headers["content-type"] == "image/jpeg" and shown.content[:2] == b"\xff\xd8"
        assert client.put(where, json={}, headers=AS_WRITER).json()["barcode"] is None, "what is left out is forgotten"
        again = client.post(f"{where}/images", files=files(data), headers=AS_WRITER)
        assert (again.status_code, again.json()["created"], again.json()["results"][0]["image_id"]) == (200, False, match["image_id"])
        assert client.delete(f"/v1/images/{match['image_id']}", headers=AS_WRITER).json()["removed"] == 1
        assert client.post("/v1/lookup?k=1", files=files(data)).json()["results"][0]["matches"][0]["product"] != id
        problem(client.get(f"/v1/images/{match['image_id']}"), 404)
        assert client.delete(where, headers=AS_WRITER).status_code == 200
        problem(client.get(where), 404)
        problem(client.delete(where, headers=AS_WRITER), 404)
    assert client.get("/v1/index").json()["images"] == 5
    for id in ("x" * 1001, "a\x01b", " ", "\x00", "a\nb", "a\r\nb"):
        assert str(problem(client.put(path(id), json={}, headers=AS_WRITER), 422)["type"]).endswith("bad-id")
        problem(client.post(f"{path(id)}/images", files=files(photograph(0)), headers=AS_WRITER), 422)
        assert str(problem(client.get(path(id)), 404)["type"]).endswith("unknown-product")


def test_photographs_of_a_product_that_is_not_there_yet(opened: Open, tmp_path: Path) -> None:
    client = opened(fill(tmp_path))
    given = [*files(photograph(70), b"text"), ("name", (None, "Rice")), ("barcode", (None, "7"))]
    told = client.post("/v1/products/rice/images", files=given, headers=AS_WRITER).json()
    assert told["created"] and [one["status"] for one in told["results"]] == [201, 415]
    assert client.get("/v1/products/rice").json()["name"] == "Rice"
    problem(client.post("/v1/products/new/images", files=files(b"text"), headers=AS_WRITER), 415)
    whole = encoded(pixels(0, 200), "JPEG")
    problem(client.post("/v1/products/new/images", files=files(whole[: len(whole) // 2]), headers=AS_WRITER), 422)
    problem(client.get("/v1/products/new"), 404)


def test_browsing(client: TestClient) -> None:
    def ids(query: str) -> list[str]:
        return [one["id"] for one in client.get(f"/v1/products?{query}").json()["products"]]

    assert ids("") == ["jam", "oil", "tea"] and ids("q=A") == ["jam", "tea"] and ids("q=%25") == ids("q=_") == []
    first = client.get("/v1/products?limit=2").json()
    assert (first["total"], first["next"], first["products"][0]["images"]) == (3, 2, 2)
    assert ids("limit=2&start=2") == ["tea"] and client.get("/v1/products?start=2").json()["next"] is None
    assert client.get(f"/v1/images/{first['products'][0]['cover']}").status_code == 200


def test_two_keys(index: Index, opened: Open) -> None:
    open_to_all, both, none = opened(index, write=WRITE), opened(index, read=READ, write=WRITE), opened(index, write=None)
    wrong, reading = {"Authorization": "Bearer nothing-of-the-kind"}, {"Authorization": f"Bearer {READ}"}
    reads = ["/v1/products", "/v1/products/tea", "/v1/images/1", "/v1/index", "/v1/map", "/metrics"]
    for where in reads:
        assert open_to_all.get(where).status_code == both.get(where, headers=reading).status_code == 200
        assert both.get(where, headers=AS_WRITER).status_code == 200
        for headers in ({}, wrong):
            problem(both.get(where, headers=headers), 401)
    problem(both.post("/v1/lookup", files=files(photograph(0))), 401)
    writes = [("PUT", "/v1/products/x"), ("DELETE", "/v1/products/tea"), ("POST", "/v1/products/x/images"), ("DELETE", "/v1/images/1")]
    for method, where in [*writes, ("GET", "/v1/reviews"), ("DELETE", "/v1/reviews/1")]:
        problem(open_to_all.request(method, where), 401)
        problem(both.request(method, where, headers=reading), 403)
        problem(both.request(method, where, headers=wrong), 401)
        for headers in ({}, AS_WRITER):
            problem(none.request(method, where, headers=headers), 403)
    assert index.store.counts() == (3, 5)
    assert {client.get("/healthz").status_code for client in (both, none)} == {200}


def test_what_others_change_is_seen_at_once(opened: Open, tmp_path: Path) -> None:
    first, other = fill(tmp_path), Index.open(tmp_path / "index", device="cpu")
    one, two = opened(first), opened(Index.open(tmp_path / "index", device="cpu"))
    data = photograph(80)
    assert one.post("/v1/products/egg/images", files=files(data), headers=AS_WRITER).status_code == 201
    assert [(row[2], row[3]) for row in other.store.history(1)] == [("service", "add")]
    for client in (one, two):
        assert client.post("/v1/lookup?k=1", files=files(data)).json()["results"][0]["matches"][0]["product"] == "egg"
    other.rename("egg", "eggs")
    other.remove(["oil"])
    for client in (one, two):
        assert client.post("/v1/lookup?k=1", files=files(data)).json()["results"][0]["matches"][0]["product"] == "eggs"
        assert client.get("/v1/index").json()["products"] == 3


def test_an_index_that_another_writes_to_or_that_cannot_be_written(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = fill(tmp_path)
    client = opened(Index.open(index.folder, device="cpu", wait=0.05))
    index.store.db.execute("BEGIN IMMEDIATE")
    busy = client.put("/v1/products/x", json={}, headers=AS_WRITER)
    problem(busy, 503)
    assert busy.headers["retry-after"] and client.post("/v1/lookup", files=files(photograph(0))).status_code == 200
    index.store.db.execute("ROLLBACK")

    def _full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/secret/place")

    monkeypatch.setattr("repr.lookup.own.os.fsync", _full)
    full = problem(client.post("/v1/products/x/images", files=files(photograph(5)), headers=AS_WRITER), 507)
    assert "secret" not in json.dumps(full) and index.store.counts() == (3, 5)


def test_a_store_of_vectors_that_does_not_answer(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = opened(index := fill(tmp_path))

    def _away(*_: object, **__: object) -> None:
        raise Refused("away", f"Milvus does not answer ({tmp_path} is locked)", f"milvus://{tmp_path}", "Start it")

    monkeypatch.setattr(index, "lookup", _away)
    told = client.post("/v1/lookup", files=files(photograph(0)))
    assert str(tmp_path) not in json.dumps(problem(told, 503)) and told.headers["retry-after"]


def test_an_index_whose_weights_were_changed(opened: Open, tmp_path: Path) -> None:
    index = fill(tmp_path)
    (index.folder / "weights.safetensors").write_bytes(b"nothing")
    stopped = list[bool]()
    client = opened(Index.open(index.folder), on_failure=lambda: stopped.append(True))
    for answer in (client.get("/readyz"), client.post("/v1/lookup", files=files(photograph(0)))):
        assert str(tmp_path) not in json.dumps(problem(answer, 503))
    assert stopped == [True] and client.get("/healthz").status_code == 200


def test_nothing_is_told_of_the_machine(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"boom in {tmp_path}")

    monkeypatch.setattr("repr.server.shelves.products.page", _broken)
    told = problem(client.get("/v1/products"), 500)
    assert "boom" not in json.dumps(told) and "Traceback" not in json.dumps(told)
    assert problem(client.get("/nothing"), 404)["remedy"]
    assert "allow" in client.patch("/v1/products").headers


def test_what_is_counted(client: TestClient) -> None:
    client.post("/v1/lookup", files=files(photograph(0), b"text"))
    client.get("/v1/products/a-made-up-name")
    told = client.get("/metrics").text
    assert 'repr_requests_total{method="POST",route="/v1/lookup",status="200"}' in told and "repr_batch_photographs_bucket" in told
    assert "repr_products 3.0" in told and "process_open_fds" in told and "made-up" not in told


def test_the_map(client: TestClient) -> None:
    told = client.get("/v1/map").json()
    assert sorted(point["product"] for point in told["points"]) == ["jam", "jam", "oil", "tea", "tea"] and told["images"] == 5
    assert all(abs(point["x"]) <= 1 and abs(point["y"]) <= 1 for point in told["points"])


def test_photographs_are_looked_at_before_they_are_stored(client: TestClient) -> None:
    flat = encoded(pixels(0) // 64 * 0 + 128)
    given = files(photograph(0), flat, photograph(90), photograph(90), b"text")
    told = client.post("/v1/check?product=jam", files=given).json()["results"]
    kinds = [[finding["kind"] for finding in one["findings"]] for one in told]
    assert kinds[0] == ["doubled"] and told[0]["findings"][0]["product"] == "tea" and told[0]["findings"][0]["image_id"] == 4
    assert kinds[1][0] == "empty" and "doubled" in kinds[3] and kinds[4] == ["unreadable"]


def test_schema_and_page(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1") and set(schema["paths"]) >= {
        *(
            "/v1/lookup",
            "/v1/products/{id}",
            "/v1/products",
            "/v1/products/{id}/images",
            "/v1/images/{id}",
            "/healthz",
            "/readyz",
            "/metrics",
        )
    }
    page = client.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"] and "http://" not in page.text and "https://" not in page.text
