"""What a classification is asked for, and what a row of it is."""

from __future__ import annotations

from typing import Any

import pytest

from repr.classify.grid import Request
from repr.classify.settings import Settings, Shared
from repr.errors import UserError
from repr.settings import declared, from_mapping, values


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": ("ngramm",)}, "Did you mean ngram"),
        ({"nets": ("flatt",)}, "Did you mean flat"),
        ({"levels": (4,)}, "It takes from 1 to 3"),
        ({"shares": (0.0,)}, "It takes above 0 to 1"),
        ({"scale": 0}, "It takes above 0 to 1"),
        ({"lr": float("inf")}, "lr is inf"),
        ({"adjust": -1}, "It takes 0 or more"),
        ({"split": "own"}, "random, grouped"),
        ({"balanced": True, "adjust": 1.0}, "given with `balanced`"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        Request(**given)
    assert words in str(refused.value) and refused.value.argument == list(given)[-1]


def test_a_request_comes_back_from_its_config() -> None:
    request = Request(data=("a", "b"), models=("ngram", "gated"), levels=(1, 2), mask=True, shares=(0.5,), seeds=2)
    assert Request(**from_mapping(Request, values(request))) == request


@pytest.mark.parametrize(
    ("given", "words"),
    [({"model": "bertt"}, "Did you mean bert"), ({"hierarchy": "rn"}, "Did you mean rnn"), ({"fine_share": 0.5}, "for hierarchical nets")],
)
def test_a_row_is_checked(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Settings(**given)


def test_what_rows_share_is_declared_once() -> None:
    shared = declared(Shared)
    for owner in (Settings, Request):
        assert {name: one for name, one in declared(owner).items() if name in shared} == shared


def test_a_row_is_known_by_what_it_looks_at() -> None:
    text = Settings(model="ngram")
    assert text.relevant() == Settings(model="ngram", size=64, weak="residual", workers=2).relevant()
    assert Settings(model="encoder").relevant() != Settings(model="encoder", size=64).relevant()
    assert "device" in text.relevant() and text.relevant()["device"] == "auto"
