"""Records: what is written comes back as it was, and what does not fit is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import UserError
from repr.records import from_json, to_json


@dataclass(frozen=True)
class Inner:
    rate: float
    name: str | None = None


@dataclass(frozen=True)
class Outer:
    number: int
    inner: Inner
    kind: Literal["a", "b"] = "a"
    many: tuple[Inner, ...] = ()
    named: Mapping[str, str | int | float | bool | tuple[int, ...] | None] = field(default_factory=dict)
    maybe: Inner | None = None


values = st.one_of(
    st.text(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.tuples(st.integers())
)
inners = st.builds(Inner, st.floats(allow_nan=False, allow_infinity=False), st.none() | st.text())
outers = st.builds(
    Outer,
    st.integers(-(2**53), 2**53),
    inners,
    st.sampled_from(["a", "b"]),
    st.lists(inners, max_size=3).map(tuple),
    st.dictionaries(st.text(), values, max_size=4),
    st.none() | inners,
)


@given(outers)
def test_what_is_written_comes_back(outer: Outer) -> None:
    back = from_json(Outer, json.loads(json.dumps(to_json(outer), allow_nan=False)))
    assert back == outer
    for name, value in outer.named.items():
        assert type(back.named[name]) is type(value), "1 stays a whole number, True a truth, 1.0 a fraction"


def test_a_whole_number_will_do_for_a_fraction() -> None:
    rate = from_json(Inner, {"rate": 1}).rate
    assert rate == 1.0 and type(rate) is float


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"the content is \[\]"),
        ({"inner": {"rate": 1.0}}, "there is no number"),
        ({"number": 1, "inner": {}}, "there is no inner.rate"),
        ({"number": 1.5, "inner": {"rate": 1}}, "number is 1.5"),
        ({"number": True, "inner": {"rate": 1}}, "number is True"),
        ({"number": 1, "inner": {"rate": "1"}}, "inner.rate is '1'"),
        ({"number": 1, "inner": {"rate": 1}, "kind": "c"}, "kind is 'c'"),
        ({"number": 1, "inner": {"rate": 1}, "many": [{"rate": 1}, {"rate": None}]}, r"many\[1\].rate is None"),
        ({"number": 1, "inner": {"rate": 1}, "maybe": {"rate": "x"}}, "maybe.rate is 'x'"),
        ({"number": 1, "inner": {"rate": 1}, "named": {"x": {}}}, "named.x is {}"),
        ({"number": 1, "inner": {"rate": 1, "nmae": "x"}}, "inner.nmae is not known"),
    ],
)
def test_what_does_not_fit_is_named(content: object, message: str) -> None:
    with pytest.raises(UserError, match=f"field.json: a missing or wrong field \\({message}"):
        from_json(Outer, content, Path("field.json"))
