"""Text into terms: Chinese cut by jieba, the rest by words."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from repr.catalog import words
from repr.catalog.words import clean, terms
from repr.errors import UserError


def test_scripts() -> None:
    assert terms("Blue Cotton T-Shirt, 2-Pack") == ["blue", "cotton", "t", "shirt", "2", "pack"]
    assert terms("安佳成人奶粉 1KG") == ["安佳", "成人", "奶粉", "1kg"]
    assert terms("Футболка ÅSA ﬁt") == ["футболка", "åsa", "fit"]


@pytest.mark.parametrize("text", ["", "   ", "😀🎁", "!!! —", "_"])
def test_nothing_to_read(text: str) -> None:
    assert clean(text) == "" and terms(text) == []


def test_long_texts_are_cut() -> None:
    assert len(terms("a " * 10_000)) == 500 and len(terms("a " * 10_000, 20_000)) == 10_000


def test_without_jieba(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "jieba":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    words._jieba.cache_clear()
    words._cut.cache_clear()
    monkeypatch.setattr(builtins, "__import__", absent)
    assert terms("only words") == ["only", "words"]
    with pytest.raises(UserError, match="needs the package jieba"):
        terms("奶粉")
