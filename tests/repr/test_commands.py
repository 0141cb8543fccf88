"""Commands as text: what is split by a shell is what was meant."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.commands import command_line

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@given(TEXT, st.lists(TEXT, max_size=3))
def test_a_shell_reads_what_was_given(weights: str, data: list[str]) -> None:
    words = shlex.split(command_line("repr evaluate", weights=weights, data=data))
    expected = ["repr", "evaluate"]
    for name, value in [("--weights", weights), *(("--data", one) for one in data)]:
        expected += [f"{name}={value}"] if value.startswith("-") else [name, value]
    assert words == expected


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_words_that_begin_with_a_dash_are_no_options(words: list[str]) -> None:
    parts = shlex.split(command_line("repr lookup", *words))[2:]
    assert parts == (["--", *words] if any(word.startswith("-") for word in words) else words)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"batch_size": 8}, "repr x --batch-size 8"),
        ({"k": 5}, "repr x -k 5"),
        ({"json": True}, "repr x --json"),
        ({"json": False, "out": None, "subset": ""}, "repr x"),
        ({"seed": 0}, "repr x --seed 0"),
        ({"alpha": -0.5}, "repr x --alpha=-0.5"),
        ({"part": ("train", "val")}, "repr x --part train --part val"),
        ({"out": Path("two words")}, "repr x --out 'two words'"),
    ],
)
def test_how_options_are_spelled(options: dict[str, object], line: str) -> None:
    assert command_line("repr x", **options) == line  # type: ignore[arg-type]
