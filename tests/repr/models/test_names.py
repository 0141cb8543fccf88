"""Short names of weights."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.models.names import weights_names


@pytest.mark.parametrize(
    ("specs", "names"),
    [
        (["runs/a.safetensors"], ["a"]),
        (["runs/a", "runs/b.safetensors", "imagenet"], ["a", "b", "imagenet"]),
        (["x/run/w.safetensors", "y/run/w.safetensors"], ["x/run/w", "y/run/w"]),
        (["C+C", "a → b", "A: dairy", "-1", "nan"], ["C+C", "a → b", "A: dairy", "-1", "nan"]),
        ([], []),
    ],
)
def test_as_far_up_as_is_needed(specs: list[str], names: list[str]) -> None:
    assert list(weights_names(specs).values()) == names


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), unique=True, max_size=8))
def test_different_paths_have_different_names_which_are_their_ends(specs: list[str]) -> None:
    names = weights_names(specs)
    assert list(names) == specs and len(set(names.values())) == len(specs)
    assert all(PurePosixPath(spec).parts[-len(PurePosixPath(name).parts) :] == PurePosixPath(name).parts for spec, name in names.items())
