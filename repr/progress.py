"""What the library tells while it works: messages to the log, counts to a bar. Both are silent until somebody attaches.

Messages go to the loggers "repr" and "rpc_transfer" (`logging.getLogger(__name__)` in each module). Counts go to what `attach` was
given, which the command line does (`repr.console`); without it they go nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

T = TypeVar("T")

logging.getLogger("repr").addHandler(logging.NullHandler())
logging.getLogger("rpc_transfer").addHandler(logging.NullHandler())


class Bar(Protocol):
    """A count that goes up; used with `with`, or closed by hand."""

    def update(self, n: int = 1, /) -> object:
        """Count `n` more."""

    def describe(self, text: str) -> object:
        """Say beside the count what is going on."""

    def close(self) -> object:
        """Take the bar away."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> object: ...


class Silent:
    """A bar that nobody sees."""

    def update(self, n: int = 1, /) -> None:
        """Nothing."""

    def describe(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""


class Make(Protocol):
    """Makes a bar: total count (None: unknown), what is done, the unit in the singular, how many count already, whether as k and M."""

    def __call__(self, total: int | None, what: str, unit: str = "it", *, done: int = 0, scale: bool = False) -> Bar: ...


def _silent(total: int | None, what: str, unit: str = "it", *, done: int = 0, scale: bool = False) -> Bar:
    return Silent()


_make: list[Make] = [_silent]


def attach(make: Make) -> Callable[[], None]:
    """Show counts by the bars that `make` makes, from now on. Returns what takes it back."""
    _make.append(make)
    return lambda: _make.remove(make)


def bar(total: int | None, what: str, unit: str = "it", *, done: int = 0, scale: bool = False) -> Bar:
    """A bar to `update(n)` and close, or to use with `with`; `done` of `total` count already. scale: counts as k and M."""
    return _make[-1](total, what, unit, done=done, scale=scale)


def counted(items: Iterable[T], total: int | None, what: str, unit: str = "it") -> Iterator[T]:
    """Go through `items`, counting them."""
    with bar(total, what, unit) as shown:
        for item in items:
            yield item
            shown.update()
