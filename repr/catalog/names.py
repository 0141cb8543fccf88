"""Names of files as text: one normal form to compare them in, and a form for those that are no text at all.

A file name is a row of bytes. Python reads those that are not UTF-8 with surrogates (PEP 383), which neither Arrow nor JSON takes.
Here such a name is written as `bytes:` and its bytes in per cent form (RFC 3986), and so is one that begins with `bytes:` itself:
nothing is lost, and any program can read it back.
"""

from __future__ import annotations

import os
import unicodedata
from urllib.parse import quote_from_bytes, unquote_to_bytes

MARK = "bytes:"


def as_text(name: str) -> str:
    """A name or path as the system gives it → text that every file format takes. Almost always the name itself.

    The same in every locale: its bytes are read as UTF-8, whatever the system's encoding is said to be.
    """
    if name.isascii() and not name.startswith(MARK):
        return name
    try:
        text = os.fsencode(name).decode()
    except UnicodeDecodeError:
        text = MARK
    return text if not text.startswith(MARK) else MARK + quote_from_bytes(os.fsencode(name), safe="/ ")


def as_name(text: str) -> str:
    """What `as_text` made text of: the name that the system knows the file by."""
    if text.isascii() and not text.startswith(MARK):
        return text
    return os.fsdecode(unquote_to_bytes(text[len(MARK) :]) if text.startswith(MARK) else text.encode())


def normal(name: str) -> str:
    """The name of a class or product, which is text, in one form: composed (NFC; macOS hands out NFD), without blanks at its ends."""
    return _composed(name).strip()


def loose(name: str) -> str:
    """A form in which spellings of one file name agree: composed, small letters, no blanks or dots at the ends (as Windows has it)."""
    return _composed(name).casefold().strip(" .")


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
