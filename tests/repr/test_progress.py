"""Counts go to whoever is attached, and nowhere without one."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import pytest

from repr import progress


class Shown:
    """A bar that keeps what it was told."""

    made: list[Shown]

    def __init__(self, total: int | None, what: str, unit: str = "it", *, done: int = 0, scale: bool = False) -> None:
        self.total, self.what, self.unit, self.n, self.scale, self.closed = total, what, unit, done, scale, False
        self.words = ""
        Shown.made.append(self)

    def update(self, n: int = 1, /) -> None:
        self.n += n

    def describe(self, text: str) -> None:
        self.words = text

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Shown.made = []


def test_items_come_through_counted() -> None:
    detach = progress.attach(Shown)
    try:
        assert list(progress.counted("abc", 3, "Reading", "letter")) == ["a", "b", "c"]
    finally:
        detach()
    (bar,) = Shown.made
    assert (bar.total, bar.what, bar.unit, bar.n, bar.closed) == (3, "Reading", "letter", 3, True)


def test_a_fault_in_between_closes_the_bar() -> None:
    detach = progress.attach(Shown)
    try:
        with pytest.raises(RuntimeError):
            for item in progress.counted([1, 2], 2, "Reading"):
                if item == 2:
                    raise RuntimeError
        with pytest.raises(ValueError), progress.bar(2, "Reading"):
            raise ValueError
    finally:
        detach()
    assert Shown.made[0].n == 1 and Shown.made[1].closed


def test_the_last_attached_shows_and_detached_it_shows_no_more() -> None:
    outer = progress.attach(lambda total, what, unit="it", *, done=0, scale=False: Shown(total, f"outer {what}", unit, done=done))
    inner = progress.attach(Shown)
    progress.bar(5, "x", done=2, scale=True).close()
    inner()
    progress.bar(None, "y").close()
    outer()
    progress.bar(5, "z").close()
    assert [(bar.what, bar.n, bar.scale) for bar in Shown.made] == [("x", 2, True), ("outer y", 0, False)]


def test_without_anybody_nothing_is_shown_but_all_can_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    bar = progress.Silent()
    with bar as same:
        same.update()
        same.describe("words")
    bar.close()
    assert same is bar and capsys.readouterr() == ("", "")
