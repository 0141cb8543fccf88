"""POST /v1/checkout: the list of a counter, the same as the library's; boxes that a person has drawn; what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from starlette.testclient import TestClient

from repr.checkout.basket import baskets
from repr.checkout.classical import propose
from repr.checkout.proposal import Proposal
from repr.lookup.index import Index
from tests.repr.server.counter import PLACES, SIDE, counter
from tests.repr.server.shop import READ, Open, encoded, files, pixels


def test_the_list_is_that_of_the_library(client: TestClient, index: Index) -> None:
    data = counter("tea", "jam", "oil")
    answer = client.post("/v1/checkout?k=2", files=files(data))
    told = answer.json()
    assert answer.status_code == 200 and told["schema"] == 1 and told["synthetic"] is False
    (expected,) = baskets([data], index, propose, k=2)
    (result,) = told["results"]
    assert result == json.loads(json.dumps({**expected.as_json(), "query": "0.png"}))
    assert (result["width"], result["height"]) == (320, 320) and len(result["items"]) == 3
    for item in result["items"]:
        assert len(item["matches"]) == 2
        assert any(
            abs(item["box"][0] - x) < 8 and abs(item["box"][1] - y) < 8 and abs(item["box"][2] - SIDE) < 12 for x, y in PLACES.values()
        )
    assert sum(line["count"] for line in result["basket"]) + result["unknown"] == 3


def test_drawn_boxes_are_named_instead(client: TestClient, index: Index) -> None:
    box = [*PLACES["jam"], SIDE, SIDE]
    answer = client.post("/v1/checkout?k=2", files=files(counter("jam")), data={"boxes": json.dumps([box])})
    (expected,) = baskets([counter("jam")], index, lambda image: [Proposal((200.0, 60.0, 80.0, 80.0), 1.0)], k=2)
    (item,) = answer.json()["results"][0]["items"]
    assert item["box"] == box and item["score"] == 1 and item == expected.as_json()["items"][0]
    none = client.post("/v1/checkout", files=files(counter("jam")), data={"boxes": "[]"}).json()["results"][0]
    assert none["items"] == [] == none["basket"]


def test_an_empty_counter_is_an_empty_list(client: TestClient) -> None:
    (result,) = client.post("/v1/checkout", content=counter(), headers={"Content-Type": "application/octet-stream"}).json()["results"]
    assert result["basket"] == [] == result["items"] and result["unknown"] == 0


@pytest.mark.parametrize(
    "boxes",
    [
        "no",
        "{}",
        "[[1,2,3]]",
        "[[1,2,3,0]]",
        "[[0,0,NaN,4]]",
        '[["1",2,3,4]]',
        "[[400,0,5,5]]",
        "[[-9,0,5,5]]",
        json.dumps([[0, 0, 5, 5]] * 201),
        f"[[{10**400},0,5,5]]",
        "[" * 60_000,
    ],
)
def test_boxes_that_are_none_are_refused(client: TestClient, boxes: str) -> None:
    answer = client.post("/v1/checkout", files=files(counter("tea")), data={"boxes": boxes})
    assert answer.status_code == 422 and answer.json()["type"] == "urn:product-repr:invalid", answer.text


def test_a_bad_photograph_among_several_is_told(client: TestClient) -> None:
    good, bad, cut = counter("tea"), b"no image", encoded(pixels(1, 300), "JPEG")[:2000]
    results = client.post("/v1/checkout", files=files(good, bad, cut)).json()["results"]
    assert [bool(one.get("error")) for one in results] == [False, True, True] and set(results[1]) == {"query", "error"}
    assert client.post("/v1/checkout", files=files(bad)).status_code == 415
    assert client.post("/v1/checkout", files=files(cut)).status_code == 422
    assert client.post("/v1/checkout", files=files(good, good), data={"boxes": "[]"}).status_code == 422


def test_settings_of_the_service_hold(index: Index, opened: Open) -> None:
    def proposer(image: object) -> list[Proposal]:
        return [Proposal((*map(float, PLACES["oil"]), 80.0, 80.0), 0.5)]

    client = opened(index, read=READ, proposer=proposer, threshold=0.9)
    assert client.post("/v1/checkout", files=files(counter("oil"))).status_code == 401
    told = client.post("/v1/checkout", files=files(counter("oil")), headers={"Authorization": f"Bearer {READ}"}).json()["results"][0]
    assert told["unknown"] == 1 and told["items"][0]["score"] == 0.5, "0.5 × its probability is below 0.9"
    assert np.isclose(sum(one["probability"] for one in told["items"][0]["matches"]), 1, atol=1e-6)
