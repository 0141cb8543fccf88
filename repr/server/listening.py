"""What a service needs before it begins: an address that is free, and a folder that can be written to if it shall be."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.index import Index

WAITING = 1024  # connections that the system holds until they are taken


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. port: 0 for a free one. Raises UserError when it is taken, or when there is no such address."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError):
        raise UserError("no such address", host, "Name one of this machine, such as 127.0.0.1", argument="host") from None
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        reason = (error.strerror or "it cannot be had").lower()
        raise UserError(f"cannot listen there ({reason})", f"{host}:{port}", "Choose another `port`, or 0 for a free one") from None
    made.listen(WAITING)
    return made


def check_writable(index: Index) -> None:
    """Raise UserError where the index's folder or file cannot be written to by this user."""
    if not (os.access(index.folder, os.W_OK) and os.access(index.store.file, os.W_OK)):
        raise UserError("the index cannot be written to", index.folder, "Check its permissions, or leave `write_key` out")
