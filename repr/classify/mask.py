"""Class words taken out of titles, so that a text model cannot read the label off.

On many shops' data the title names the class. Masked are the words of the class names of all levels, in the singular and
the plural, whatever their case and width, and for names without blanks between words (Chinese) the name's parts and their terms.
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
            for word in _WORD.findall(unicodedata.normalize("NFKC", name)):
                words |= set() if HAN.search(word) else _forms(word)
        self.words = frozenset(word for word in words if len(word) > 1 and word not in SMALL_WORDS)
        self.parts = frozenset(part.casefold() for part in parts)
        cased = any(part.upper() != part for part in self.parts)  # T恤 may be written t恤
        self._parts = re.compile(prefix_tree(self.parts), re.IGNORECASE if cased else 0) if parts else None

    def __call__(self, text: str) -> str:
        """The text without class words, letters of full width made narrow, blanks squeezed; "" when nothing is left."""
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        if self._parts is not None:
            text = self._parts.sub(" ", text)
        return " ".join(_WORD.sub(self._kept, text).split())

    def _kept(self, match: re.Match[str]) -> str:
        word = match[0]
        if not self.words.isdisjoint(_forms(word)):
            return " "
        if "-" in word:  # "Sling-Bag" holds the class word "bag"
            return " ".join(part for part in word.split("-") if self.words.isdisjoint(_forms(part)))
        return word


def prefix_tree(parts: Iterable[str]) -> str:
    """A pattern that matches what the alternation of all parts, longest first, would: at each character only its own branch is tried.

    With MEP-3M's 1,037 parts 9 µs a real title, where one alternation of them took 25.
    """
    tails: dict[str, list[str]] = {}
    parts = sorted(parts)
    for part in filter(None, parts):
        tails.setdefault(part[0], []).append(part[1:])
    if not tails:
        return ""
    tree = "|".join(re.escape(head) + prefix_tree(rest) for head, rest in tails.items())
    return f"(?:{tree})" + ("" if all(parts) else "?")


def _forms(word: str) -> set[str]:
    """A word folded, without hyphens and apostrophes, and all that its singular may be. Two words are alike when they share a form:

    "scarf" and "scarves", "kurti" and "kurtis", "glass" and "glasses". Some forms are no words; hardly any is another word's.
    """
    word = re.sub(r"[-'’]", "", word.casefold())
    forms = {word}
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        forms.add(word[:-1])
        if word.endswith("es") and len(word) > 4:
            forms.add(word[:-2])
        if word.endswith("ies") and len(word) > 4:
            forms.add(word[:-3] + "y")
        if word.endswith("ves") and len(word) > 4:
            forms |= {word[:-3] + "f", word[:-3] + "fe"}
    return forms
