"""What is passed over, counted by reason."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from repr.catalog.passed import EXAMPLES, PassedOver, Tally, summed

THINGS = st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=3), st.integers(0, 3)), max_size=30)


@given(THINGS)
def test_every_thing_is_counted_once_and_the_first_are_named(things: list[tuple[str, str, int]]) -> None:
    tally, counts = Tally(), Counter[str]()
    for reason, name, count in things:
        tally.add(reason, name, count)
        counts[reason] += count
    assert {one.reason: one.count for one in tally.list()} == {reason: n for reason, n in counts.items() if n}
    for one in tally.list():
        names = [name for reason, name, count in things if reason == one.reason and count]
        assert list(one.examples) == names[:EXAMPLES]


@given(THINGS, THINGS)
def test_the_sum_of_two_is_the_count_of_both(first: list[tuple[str, str, int]], second: list[tuple[str, str, int]]) -> None:
    parts, whole = (Tally(), Tally()), Tally()
    for tally, things in zip(parts, (first, second), strict=True):
        for thing in things:
            tally.add(*thing)
            whole.add(*thing)
    assert summed([parts[0].list(), parts[1].list()]) == whole.list()


def test_in_words_and_as_json() -> None:
    few, many = PassedOver("not images", 2, ("a", "b")), PassedOver("empty files", 1200, ("x",))
    assert few.line() == "passed over 2, not images: a, b" and many.line() == "passed over 1,200, empty files: x, …"
    assert few.as_json() == {"reason": "not images", "count": 2, "examples": ["a", "b"]}
