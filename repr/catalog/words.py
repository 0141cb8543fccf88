"""Text into terms: cleaned by rule, Chinese cut by jieba, everything else at its blanks."""

from __future__ import annotations

import logging
import re
import unicodedata
from functools import cache, lru_cache
from types import ModuleType

from repr.errors import UserError

HAN = re.compile(r"[㐀-鿿豈-﫿\U00020000-\U0003ffff]")
_PLAIN = re.compile(r"[^\W_]+")
LONGEST = 1000  # characters of a text that are looked at; MEP-3M's titles have 76 at most


def clean(text: str, longest: int = LONGEST) -> str:
    """NFKC, folded, letters and digits of every script kept, all else (marks, emoji) a blank; at most `longest` characters are read."""
    return " ".join(_PLAIN.findall(unicodedata.normalize("NFKC", text[:longest]).casefold()))


def terms(text: str, longest: int = LONGEST) -> list[str]:
    """The terms of a text, cleaned: Chinese as jieba cuts it, other scripts by word. Raises UserError when jieba is needed and missing."""
    words: list[str] = []
    for chunk in clean(text, longest).split():
        words += _cut(chunk) if HAN.search(chunk) else [chunk]
    return words


@lru_cache(1 << 16)
def _cut(chunk: str) -> tuple[str, ...]:
    """A stretch of Chinese cut; kept, since in the titles of one class half of them come again."""
    return tuple(term for term in _jieba().cut(chunk) if term.strip())


@cache
def _jieba() -> ModuleType:
    try:
        import jieba
    except ModuleNotFoundError:
        raise UserError("Chinese text needs the package jieba", "", "Install it with `pip install 'product-repr[text]'`") from None
    jieba.setLogLevel(logging.WARNING)
    module: ModuleType = jieba
    return module
