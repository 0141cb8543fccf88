"""What every request is held to, before it reaches anything that works: the length of its body, the bytes of all at once, and its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from repr.server.photographs import FORM, STREAM, kind_of
from repr.server.problems import Problem
from repr.server.settings import MB, Limits

TEXT_BYTES = 64 * 2**10  # of a body that holds no photographs
AT_ONCE = 512 * MB  # bytes of bodies in memory, of all requests together
DRAINED = 256 * MB  # of a body that is too long, read and forgotten, so that its sender hears the answer
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class Limited:
    """ASGI middleware: see the module."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.held = 0  # bytes of bodies, of all requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(self, scope, receive, send)
        try:
            async with asyncio.timeout(self.limits.timeout):
                await request.answer()
        except TimeoutError:
            await request.late()
        finally:
            self.held -= request.bytes


class _Request:
    """One request on its way."""

    def __init__(self, owner: Limited, scope: Scope, receive: Receive, send: Send) -> None:
        self.owner, self.scope, self.receive, self.send = owner, scope, receive, send
        self.bytes, self.complete, self.begun = 0, False, False
        kind = kind_of(_header(scope["headers"], b"content-type"))
        self.most = owner.limits.body_bytes if kind in (FORM, STREAM) else TEXT_BYTES

    async def answer(self) -> None:
        """Refuse it, or let the app answer."""
        declared = _header(self.scope["headers"], b"content-length")
        if declared.isdigit() and int(declared) > self.most:
            if not _header(self.scope["headers"], b"expect"):  # else its sender waits for a word before it sends
                await self._drain()
            await self._refuse(self._too_large())
            return
        await self.owner.app(self.scope, self._counted, self._marked)

    async def late(self) -> None:
        """Say that the time is up, where nothing was said yet."""
        if self.begun:
            return
        if self.complete or not _header(self.scope["headers"], b"content-length"):
            await self._refuse(self._too_slow())
        else:
            await self._refuse(Problem(408, "slow-body", "the body did not come within the time limit", "Send it again"))

    async def _counted(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self.bytes += size
            self.owner.held += size
            self.complete = not message.get("more_body", False)
            if self.bytes > self.most:
                await self._drain()
                raise self._too_large()
            if self.owner.held > AT_ONCE:
                raise Problem(429, "busy", "too much is being sent at once", "Come again in a moment", {"Retry-After": "1"})
        return message

    async def _marked(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            given = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((name, value) for name, value in HEADERS if name not in given)]
        await self.send(message)

    async def _drain(self) -> None:
        """Read the rest of the body and forget it."""
        read = 0
        while not self.complete and read < DRAINED:
            message = await self.receive()
            if message["type"] != "http.request":
                return
            read += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)

    def _too_slow(self) -> Problem:
        what, remedy = "it took longer than the time limit", "Send less at a time, or come again later"
        if self.scope["method"] != "GET" and self.scope.get("state", {}).get("changes"):
            what = f"{what}: the change may still be made"
            remedy = "Look in a moment whether it was, before you say the same again"
        return Problem(504, "too-slow", what, remedy, {"Retry-After": "5"})

    def _too_large(self) -> Problem:
        remedy = f"Send less; photographs as {FORM} or {STREAM}" if self.most == TEXT_BYTES else "Send fewer or smaller photographs"
        return Problem(413, "too-large", f"a body over {self.most:,} bytes", remedy)

    async def _refuse(self, problem: Problem) -> None:
        await problem.response()(self.scope, self.receive, self._marked)


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")
