"""Who may read, and who may change: two keys, sent as `Authorization: Bearer KEY`."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from repr.errors import UserError
from repr.server.problems import Problem

SHORTEST = 16  # characters: 96 bits in Base64
ENVIRONMENT = "env:"
ASK = {"WWW-Authenticate": "Bearer"}


def read_key(source: str | None, argument: str) -> str | None:
    """A key from a file, or with "env:NAME" from the environment; None where none is named.

    Raises UserError that names the `argument` for a source that is not there, and for a key that can be guessed.
    """
    if source is None:
        return None
    if source.startswith(ENVIRONMENT):
        name = source.removeprefix(ENVIRONMENT)
        key = os.environ.get(name, "")
        if not key:
            raise UserError(f"the environment has no {name}", "", f"Set {name} to the key", argument=argument)
    else:
        try:
            key = Path(source).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError("the key cannot be read", source, f"Name a text file, or {ENVIRONMENT}NAME", argument=argument) from None
    key = key.strip()
    if len(key) < SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
        what = f"a key of {len(key)} characters" if len(key) < SHORTEST else "a key that no header can carry"
        raise UserError(
            what, source, f"Give {SHORTEST} letters and digits or more, such as of `openssl rand -base64 24`", argument=argument
        )
    return key


@dataclass(frozen=True)
class Keys:
    """read: needed to ask, unless None; write: needed to change, which nobody can where it is None. Who may write may read."""

    read: str | None = None
    write: str | None = None

    def may_read(self, given: str | None) -> bool:
        """Whether a key that was sent opens reading."""
        return self.read is None or _same(given, self.read) or self.may_write(given)

    def may_write(self, given: str | None) -> bool:
        """Whether a key that was sent opens writing."""
        return _same(given, self.write)


def _same(given: str | None, key: str | None) -> bool:
    """In a time that does not tell how much of it is right."""
    return given is not None and key is not None and hmac.compare_digest(given.encode(), key.encode())


bearer = HTTPBearer(auto_error=False, description="The read or the write key of the service.")
Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def reader(request: Request, sent: Sent) -> None:
    """Let a request through that may read."""
    keys: Keys = request.app.state.keys
    if not keys.may_read(sent.credentials if sent else None):
        raise Problem(401, "no-key", "a key is needed to read", "Send it as Authorization: Bearer KEY", ASK)


def writer(request: Request, sent: Sent) -> None:
    """Let a request through that may change the index, marked so: an answer that it is late says what may have happened."""
    keys: Keys = request.app.state.keys
    given = sent.credentials if sent else None
    if keys.may_write(given):
        request.state.changes = True
        return
    if keys.write is None:
        raise Problem(403, "read-only", "this service changes nothing", "Start it with a write key, which then is to be sent")
    if given is not None and keys.may_read(given) and keys.read is not None:
        raise Problem(403, "wrong-key", "this key is for reading", "Send the write key as Authorization: Bearer KEY")
    raise Problem(401, "no-key", "the write key is needed", "Send it as Authorization: Bearer KEY", ASK)
