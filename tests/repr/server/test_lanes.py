"""Threads for one kind of work."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from repr.server import lookups, maps
from repr.server.lanes import Lane
from repr.server.problems import Problem
from repr.server.settings import Limits
from tests.repr.server.shop import AS_WRITER, Open, files, fill, photograph


def test_work_that_is_given_up_keeps_its_thread_until_it_ends() -> None:
    lane, gate, done = Lane("changes", threads=1, room=1), threading.Event(), list[str]()

    async def _play() -> None:
        begun = asyncio.create_task(lane.run(lambda: (gate.wait(10), done.append("first"))))
        waits = asyncio.create_task(lane.run(lambda: done.append("never")))
        await asyncio.sleep(0.05)
        with pytest.raises(Problem) as full:
            await lane.run(lambda: None)
        assert full.value.status == 429 and full.value.headers["Retry-After"] and full.value.detail == "1 changes are waiting"
        begun.cancel()
        waits.cancel()
        await asyncio.sleep(0.05)
        later = asyncio.create_task(lane.run(lambda: done.append("second")))
        await asyncio.sleep(0.05)
        assert done == [], "the thread is taken"
        gate.set()
        await later

    asyncio.run(_play())
    assert done == ["first", "second"]


def test_a_change_that_is_late_is_still_made_and_the_answer_says_that_it_may_be(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = fill(tmp_path)
    client = opened(index, limits=Limits(timeout=0.5))
    remove = index.remove
    monkeypatch.setattr(index, "remove", lambda ids: (time.sleep(1.5), remove(ids))[1])
    late = client.delete("/v1/products/oil", headers=AS_WRITER)
    assert late.status_code == 504 and "may still be made" in late.json()["detail"]
    before = client.put("/v1/products/new", json={}, headers=AS_WRITER)
    assert before.status_code == 504, "one change after another"
    time.sleep(2)
    assert client.get("/v1/products/oil").status_code == 404 and client.get("/v1/products/new").status_code == 404


@pytest.mark.parametrize(("work", "path"), [("inspect", "/v1/check"), ("draw", "/v1/map")])
def test_what_takes_long_holds_up_no_other(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, path: str) -> None:
    client = opened(fill(tmp_path), limits=Limits(timeout=20, queue=8))
    module, gate = lookups if work == "inspect" else maps, threading.Event()
    real = getattr(module, work)
    monkeypatch.setattr(module, work, lambda *given: (gate.wait(15), real(*given))[1])
    statuses = list[int]()

    def _ask() -> None:
        answer = client.post(path, files=files(photograph(0))) if work == "inspect" else client.get(path)
        statuses.append(answer.status_code)

    callers = [threading.Thread(target=_ask) for _ in range(12)]
    for one in callers:
        one.start()
    while len(statuses) < 3:
        time.sleep(0.01)
    assert statuses == [429] * 3, "one is at work, eight wait"
    begun = time.monotonic()
    assert client.get("/readyz").status_code == 200 and client.get("/v1/products").status_code == 200
    assert time.monotonic() - begun < 10 and not gate.is_set()
    gate.set()
    for one in callers:
        one.join()
    assert sorted(statuses) == [200] * 9 + [429] * 3
