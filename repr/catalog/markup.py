"""Texts as shops paste them, with HTML in them, as the plain words that a reader sees."""

from __future__ import annotations

import html
import re

TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)  # "3 < 5" is no tag
MISSING = frozenset({"", "nan", "none", "null"})  # what programs write where there is no text
TIMES = 2  # that a text may have been escaped: "&amp;#39;" is an apostrophe that two programs passed on


def cleaned(text: str) -> str | None:
    """The text without tags, its entities read, blanks squeezed; None where nothing is left, or a program wrote "nan"."""
    for _ in range(TIMES):
        text = html.unescape(text)
    words = " ".join(TAG.sub(" ", text).replace("\N{NO-BREAK SPACE}", " ").split())
    return None if words.casefold() in MISSING else words
