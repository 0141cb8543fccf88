"""How many of the flagged rows are dropped, and what else is asked of noise pruning and of a grid."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.classify import grid
from repr.classify.pruning import Request, to_drop
from repr.errors import UserError


@given(st.integers(0, 10_000_000), st.integers(0, 1000))
def test_per_cent_are_rounded_up_exactly(flagged: int, tenths: int) -> None:
    assert to_drop(f"{tenths / 10}%", flagged) == math.ceil(Fraction(tenths, 1000) * flagged)


@pytest.mark.parametrize(
    ("drop", "flagged", "count"),
    [("flagged", 7, 7), ("tenth", 21_200, 2120), ("tenth", 1, 1), ("tenth", 0, 0), ("0%", 9, 0), ("100%", 9, 9), ("12.5 %", 8, 1)],
)
def test_words_and_numbers(drop: str, flagged: int, count: int) -> None:
    assert to_drop(drop, flagged) == count


@pytest.mark.parametrize("drop", ["", "all", "101%", "-1%", "0.5", "nan%", "1e1%", "%", "10%%", "tenths"])
def test_what_is_no_share_is_refused_before_anything_is_read(drop: str) -> None:
    with pytest.raises(UserError) as raised:
        Request(drop=drop)
    assert str(raised.value) == f"drop: {drop!r} is no share of the flagged rows. Give flagged, tenth, or per cent such as 25%."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": 1}, "folds is 1"),
        ({"model": "ngrams"}, "Did you mean ngram?"),
        ({"preset": "papers"}, "Did you mean paper?"),
        ({"level": 4}, "level is 4. It takes from 1 to 3"),
        ({"test_share": 1.0}, "test_share is 1. It takes above 0 to below 1"),
        ({"text_encoder": "brt"}, "Did you mean bert?"),
    ],
)
def test_settings_of_pruning(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as raised:
        Request(**given)  # type: ignore[arg-type]
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"models": ("ngram", "concatt")}, "models is 'concatt'. Did you mean concat?"),
        ({"nets": ("flatt",)}, "Did you mean flat?"),
        ({"levels": (1, 4)}, "levels is 4"),
        ({"shares": (0.0,)}, "shares is 0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"balanced": True, "adjust": 1.0}, "given with `balanced`: each makes up for the classes' sizes. Give one of them"),
    ],
)
def test_settings_of_a_grid(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as raised:
        grid.Request(**given)  # type: ignore[arg-type]
    assert message in str(raised.value)


def test_a_grid_of_one_is_the_usual_one() -> None:
    assert grid.Request() == grid.Request(models=(), seeds=1, mask=None, split=None)
