"""What a request is held to before anything works at it: its time, its length, and the bytes of all at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from repr.server import limits
from repr.server.limits import Limited
from repr.server.problems import Problem
from repr.server.settings import Limits

BODY = 3 * 2**20  # bytes that Limits(max_mb=0.5) takes
PHOTOGRAPHS = (b"content-type", b"application/octet-stream")
Headers = list[tuple[bytes, bytes]]


async def reads_all(_: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the body and says how long it was."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"private")]})
    await send({"type": "http.response.body", "body": str(length).encode()})


def ask(app: Limited, chunks: list[bytes], headers: Headers, wait: Callable[[], float] = lambda: 0.0) -> tuple[int, dict[str, object], int]:
    """The status, the JSON of the body, and how many chunks were read."""
    rest, sent = list(chunks), list[Message]()

    async def _receive() -> Message:
        await asyncio.sleep(wait())
        body = rest.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(rest)}

    async def _send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "headers": [*headers, PHOTOGRAPHS], "method": "POST"}, _receive, _send))
    assert (b"x-content-type-options", b"nosniff") in sent[0]["headers"]
    assert [name for name, _ in sent[0]["headers"]].count(b"cache-control") == 1
    return sent[0]["status"], json.loads(sent[1]["body"]), len(chunks) - len(rest)


def test_a_body_of_any_length_that_fits() -> None:
    app = Limited(reads_all, Limits(max_mb=0.5))
    assert ask(app, [b"x" * BODY], [])[:2] == (200, BODY) and app.held == 0


def test_a_body_that_is_too_long_by_its_own_words_is_read_and_forgotten() -> None:
    app = Limited(reads_all, Limits(max_mb=0.5))
    long = [(b"content-length", str(BODY + 1).encode())]
    status, problem, read = ask(app, [b"x"] * 9, long)
    assert (status, problem["status"], read) == (413, 413, 9)
    assert ask(app, [b"x"] * 9, [*long, (b"expect", b"100-continue")])[::2] == (413, 0), "its sender waits for a word first"


def test_a_body_that_does_not_end() -> None:
    async def _app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await reads_all(scope, receive, send)
        except Problem as problem:  # as the application's handlers do
            await problem.response()(scope, receive, send)

    app = Limited(_app, Limits(max_mb=0.5))
    assert ask(app, [b"x" * 2**20] * 5, [])[0] == 413 and app.held == 0


def test_too_much_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def _app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(Problem) as busy:
            await reads_all(scope, receive, send)
        await busy.value.response()(scope, receive, send)

    monkeypatch.setattr(limits, "AT_ONCE", 100)
    assert ask(Limited(_app, Limits()), [b"x" * 101], [])[0] == 429


def test_what_is_too_slow() -> None:
    async def _sleeps(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(10)

    quick = Limits(timeout=0.05)
    assert ask(Limited(_sleeps, quick), [b"all"], [(b"content-length", b"3")])[0] == 504
    assert ask(Limited(reads_all, quick), [b"a", b"b"], [(b"content-length", b"2")], wait=lambda: 10.0)[0] == 408
