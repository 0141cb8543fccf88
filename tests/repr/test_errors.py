"""The one error: a sentence with place and remedy, an object for JSON, and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import LISTED, UserError, nearest


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UserError("is broken"), "is broken."),
        (UserError("is broken", "a.json"), "a.json: is broken."),
        (UserError("is broken", Path("a") / "b.json", "Mend it"), "a/b.json: is broken. Mend it."),
        (UserError("is broken", "", "Mend it."), "is broken. Mend it."),
        (UserError("is 3", argument="size"), "size: is 3."),
        (UserError("is 3", "a.json", argument="size"), "a.json: is 3."),
        (UserError("which one?", "a", "Name it"), "a: which one? Name it."),
        (UserError("two\n  lines", "a", "and   more"), "a: two lines. and more."),
    ],
)
def test_it_is_one_sentence_with_its_place_and_remedy(error: UserError, text: str) -> None:
    assert str(error) == text


def test_as_json_it_names_the_argument_where_there_is_no_place() -> None:
    assert UserError("is 3", "", "Give 4", argument="size").as_json() == {"message": "is 3", "where": "size", "remedy": "Give 4"}
    assert UserError("is 3", "a.json", argument="size").as_json()["where"] == "a.json"


@given(st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1, unique=True))
def test_a_name_that_is_there_is_the_nearest_to_itself(names: list[str]) -> None:
    assert nearest(names[0], names) == f"Did you mean {names[0]}?"


@given(st.integers(1, 60))
def test_names_far_off_are_listed_but_not_all_of_many(n: int) -> None:
    names = [f"{i:03}" for i in range(n)]
    text = nearest("xyz", iter(names))
    assert all(name in text for name in names[:LISTED]) and not any(f"{name}," in text for name in names[LISTED:])
    assert ("in all" in text) == (n > LISTED)
