"""Class words taken out of titles, so that a text model cannot read the label off.

On many shops' data the title names the class. Masked are the words of the class names of all levels, in the singular and
the plural, and for names without blanks between words (Chinese) the name's parts and their terms.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from repr.catalog.words import HAN, terms

SMALL_WORDS = frozenset({"and", "of", "the", "for", "with", "or", "in", "on", "to", "by", "a", "an"})
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


class Masker:
    """Takes the words of class names out of texts. names: of all levels. Words of one letter and small words stay."""

    def __init__(self, names: Iterable[str]) -> None:
        words: set[str] = set()
        parts: set[str] = set()
        for name in names:
            for part in re.split(r"[/／、,，;；()（）\s&]+", unicodedata.normalize("NFKC", name)):
                if HAN.search(part):
                    parts |= {term for term in (part, *terms(part)) if len(term) > 1}
            words |= {_stem(word) for word in _WORD.findall(unicodedata.normalize("NFKC", name)) if not HAN.search(word)}
        self.words = frozenset(word for word in words if len(word) > 1 and word not in SMALL_WORDS)
        longest_first = sorted(parts, key=lambda part: (-len(part), part))
        self._parts = re.compile("|".join(map(re.escape, longest_first))) if parts else None

    def __call__(self, text: str) -> str:
        """The text without class words, blanks squeezed; "" when nothing is left."""
        if self._parts is not None:
            text = self._parts.sub(" ", text)
        return " ".join(_WORD.sub(self._kept, text).split())

    def _kept(self, match: re.Match[str]) -> str:
        word = match[0]
        if _stem(word) in self.words:
            return " "
        if "-" in word:  # "Sling-Bag" holds the class word "bag"
            return " ".join(part for part in word.split("-") if _stem(part) not in self.words)
        return word


def _stem(word: str) -> str:
    """A word as it is compared: folded, without hyphens and apostrophes, in the singular as English forms it."""
    word = re.sub(r"[-'’]", "", word.casefold())
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("shes", "ches", "xes", "sses", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
