"""What waits for a person: unknown and doubtful lookups, the newest, until somebody has looked."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repr.lookup.matches import Answer, Match
from repr.server import doubts
from repr.server.doubts import Doubts, reason_of
from tests.repr.server.shop import AS_WRITER, Open, files, fill, photograph

SURE = Answer("a.png", (Match("tea", 0.9, "tea/a.png", probability=0.8),), unknown=False)
UNKNOWN = Answer("b.png", (Match("tea", 0.9, "tea/a.png", probability=0.8),), unknown=True)
DOUBTFUL = Answer("c.png", (Match("tea", 0.9, "tea/a.png", probability=0.4),), unknown=False)
UNTOLD = Answer("d.png", (Match("tea", 0.1, "tea/a.png"),))


def test_who_is_doubted() -> None:
    assert list(map(reason_of, (SURE, UNKNOWN, DOUBTFUL, UNTOLD, Answer("e", error="broken")))) == [None, "unknown", "doubtful", None, None]


def test_kept_until_somebody_has_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Doubts(tmp_path)
    assert kept.page() == ([], 0) and kept.photograph(1) is None and not kept.settle(1) and not kept.file.exists()
    assert kept.keep([b"1", b"2", b"3", b"4"], [SURE, UNKNOWN, DOUBTFUL, UNTOLD]) == 2
    kept.keep([b"2"], [UNKNOWN])
    found, total = kept.page()
    assert total == 2 and [(one.reason, one.answer["query"]) for one in found] == [("doubtful", "c.png"), ("unknown", "b.png")]
    assert kept.photograph(found[1].id) == b"2" and kept.settle(found[1].id) and not kept.settle(found[1].id)
    monkeypatch.setattr(doubts, "KEPT", 3)
    monkeypatch.setattr(doubts, "BYTES", 25)
    kept.keep([bytes([n] * 10) for n in range(5)], [UNKNOWN] * 5)
    assert kept.page()[1] == 2, "20 bytes of the newest fit, 30 do not"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("repr.server.doubts.sqlite3.connect", _refuse)
    assert Doubts(tmp_path).keep([b"1"], [UNKNOWN]) == 0


def test_a_damaged_queue_is_told_and_hinders_no_lookup(opened: Open, tmp_path: Path) -> None:
    index = fill(tmp_path)
    Doubts(index.folder).file.write_bytes(b"no database " * 400)
    assert Doubts(index.folder).keep([b"1"], [UNKNOWN]) == 0
    client = opened(index)
    assert client.post("/v1/lookup", files=files(photograph(0))).status_code == 200
    refused = client.get("/v1/reviews", headers=AS_WRITER)
    assert refused.status_code == 500 and refused.json()["type"].endswith(":broken") and str(tmp_path) not in refused.text


def test_over_http(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = fill(tmp_path)
    client, readonly = opened(index), opened(index, write=None)
    monkeypatch.setattr(index, "lookup", lambda images, k: [replace(UNKNOWN, query="image 1")] * len(images))
    for asking in (readonly, client):
        assert asking.post("/v1/lookup", files=files(photograph(0))).json()["results"][0]["unknown"] is True
    queue: dict[str, Any] = {"total": 0}
    while not queue["total"]:  # it is kept when the answer is on its way
        queue = client.get("/v1/reviews", headers=AS_WRITER).json()
    (one,) = queue["reviews"]
    assert one["reason"] == "unknown" and one["result"]["query"] == "0.png" and one["result"]["matches"][0]["image_id"] == 4
    where = f"/v1/reviews/{one['id']}"
    assert client.get(f"{where}/photograph", headers=AS_WRITER).content == photograph(0)
    assert client.get(f"{where}/photograph?size=32", headers=AS_WRITER).headers["content-type"] == "image/jpeg"
    assert client.delete(where, headers=AS_WRITER).status_code == 204
    for path in (where, f"{where}/photograph"):
        assert client.request("DELETE" if path == where else "GET", path, headers=AS_WRITER).status_code == 404
