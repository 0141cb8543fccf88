"""Photographs of concurrent requests share a pass; a queue that is full says so; what was given up is left out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
from starlette.testclient import TestClient

from repr.lookup.index import Index
from repr.lookup.matches import Answer, Match
from repr.server.batching import Batcher, Full
from repr.server.settings import Limits
from tests.repr.server.shop import Open, files, photograph


class Slow:
    """Answers with what it is asked, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.go = threading.Event()

    def __call__(self, photographs: Sequence[bytes], k: int) -> list[Answer]:
        self.batches.append(list(photographs))
        assert self.go.wait(10)
        if b"bad" in photographs:
            raise RuntimeError("broken")
        return [Answer(data.decode(), tuple(Match(str(i), 1.0, "") for i in range(k))) for data in photographs]


def run(test: Callable[[Slow, Batcher], object]) -> Slow:
    slow = Slow()

    async def _run() -> None:
        batcher = Batcher(slow, most=4, room=6)
        await test(slow, batcher)  # type: ignore[misc]
        await batcher.close()

    asyncio.run(asyncio.wait_for(_run(), 10))
    return slow


async def begun(slow: Slow, batches: int) -> None:
    while len(slow.batches) < batches:
        await asyncio.sleep(0.001)


def test_those_that_come_meanwhile_go_together() -> None:
    async def _test(slow: Slow, batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.answers([b"a"], 1))
        await begun(slow, 1)
        others = [asyncio.create_task(batcher.answers([name, name + b"2"], k)) for name, k in ((b"b", 2), (b"c", 5))]
        await asyncio.sleep(0)
        slow.go.set()
        assert [answer.query for answer in await first] == ["a"]
        told = [await one for one in others]
        assert [[answer.query for answer in answers] for answers in told] == [["b", "b2"], ["c", "c2"]]
        assert [[len(answer.matches) for answer in answers] for answers in told] == [[2, 2], [5, 5]]

    assert run(_test).batches == [[b"a"], [b"b", b"b2", b"c", b"c2"]]


def test_a_full_queue_says_when_to_come_again() -> None:
    async def _test(slow: Slow, batcher: Batcher) -> None:
        tasks = [asyncio.create_task(batcher.answers([b"a"], 1))]
        await begun(slow, 1)
        tasks += [asyncio.create_task(batcher.answers([b"b"] * 6, 1))]
        await asyncio.sleep(0)
        with pytest.raises(Full) as full:
            await batcher.answers([b"c"], 1)
        assert full.value.after >= 1
        slow.go.set()
        await asyncio.gather(*tasks)
        assert len(await batcher.answers([b"d"] * 20, 1)) == 20, "more than there is room for is taken where nobody else waits"

    assert max(map(len, run(_test).batches)) == 4


def test_what_is_given_up_is_left_out_and_errors_reach_their_own() -> None:
    async def _test(slow: Slow, batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.answers([b"a"], 1))
        await begun(slow, 1)
        gone = asyncio.create_task(batcher.answers([b"gone"], 1))
        stays = asyncio.create_task(batcher.answers([b"bad"], 1))
        await asyncio.sleep(0)
        gone.cancel()
        slow.go.set()
        await first
        with pytest.raises(RuntimeError, match="broken"):
            await stays
        assert [answer.query for answer in await batcher.answers([b"after"], 1)] == ["after"]

    assert run(_test).batches == [[b"a"], [b"bad"], [b"after"]]


def test_closing_answers_those_who_wait() -> None:
    async def _test(slow: Slow, batcher: Batcher) -> None:
        waiting = asyncio.create_task(batcher.answers([b"a"] * 6, 1))
        await begun(slow, 1)
        slow.go.set()
        await batcher.close()
        assert len(await waiting) == 6

    run(_test)


def test_requests_at_once_are_answered_as_alone(index: Index, opened: Open) -> None:
    client = opened(index, limits=Limits(queue=64))
    alone = [client.post("/v1/lookup", files=files(photograph(seed))).json() for seed in range(5)]
    found: dict[int, object] = {}

    def _ask(number: int) -> None:
        found[number] = client.post("/v1/lookup", files=files(photograph(number % 5))).json()

    threads = [threading.Thread(target=_ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def products(told: object) -> list[str]:
        return [match["product"] for match in told["results"][0]["matches"]]  # type: ignore[index]

    assert [products(found[number]) for number in range(20)] == [products(alone[number % 5]) for number in range(20)]


def test_too_many_and_too_slow(index: Index, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    client: TestClient = opened(index, limits=Limits(queue=1, timeout=0.3))
    go = threading.Event()

    def _wait(*_: object, **__: object) -> list[Answer]:
        go.wait(10)
        return [Answer("x")]

    monkeypatch.setattr(index, "lookup", _wait)
    told = list[int]()

    def _ask() -> None:
        told.append(client.post("/v1/lookup", files=files(photograph(0))).status_code)

    threads = [threading.Thread(target=_ask) for _ in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    go.set()
    assert sorted(set(told)) == [429, 504] and told.count(504) == 2
