"""The one error a user meets: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from os import PathLike, fspath

LISTED = 20  # names that fit a line or two


class UserError(Exception):
    """Something the user can mend. Raised where the fact is known, printed in one place (`repr.console.run`).

    message: what is wrong, one clause without a full stop.
    where: the file or record it is wrong in ("" when there is no such place).
    remedy: what to do next, one sentence.
    argument: the name of the argument that is wrong, if one is; the command line puts its option in the place.

    Arguments of the library stand in backticks in message and remedy, such as `size`; the command line writes --size for them.
    """

    def __init__(self, message: str, where: str | PathLike[str] = "", remedy: str = "", *, argument: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = fspath(where)
        self.remedy = remedy
        self.argument = argument

    def __str__(self) -> str:
        where = self.where or self.argument
        text = f"{where}: {self.message}" if where else self.message
        text = " ".join(f"{text}{'' if text.endswith('?') else '.'} {self.remedy}".split()) if self.remedy else " ".join(text.split())
        return text if text.endswith("?") else text.rstrip(".") + "."

    def as_json(self) -> dict[str, str]:
        """The object printed under "error" by every command called with --json."""
        return {"message": self.message, "where": self.where or self.argument, "remedy": self.remedy}


def nearest(name: str, known: Iterable[str]) -> str:
    """A remedy that offers the nearest known name, or all of them: the first LISTED when there are many."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, 1):
        return f"Did you mean {close[0]}?"
    more = f", … ({len(names):,} in all)" if len(names) > LISTED else ""
    return f"Choose from: {', '.join(names[:LISTED])}{more}"
