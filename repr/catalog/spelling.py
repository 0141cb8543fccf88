"""From a path as a record spells it to the file that it means, by the file's own name.

Records come with back slashes, absolute paths of the machine that wrote them, the name of their folder again in front, other
capitals, or decomposed letters. The file itself decides: what is on disk under exactly that name is taken, else the one that fits.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from pathlib import Path

from repr.catalog.names import as_name, as_text, loose
from repr.catalog.passed import CLOSED, Tally
from repr.catalog.table import CLIMBS, LEAVES
from repr.errors import UserError

ABSOLUTE = re.compile(r"^(?:[/\\]|[A-Za-z]:(?:[/\\]|$))")
ODD = re.compile(rf"{LEAVES.pattern}|\\|(?:^|/)\.(?:/|$)|//")  # what the path of a file as this system spells it cannot have


class Spelling:
    """The files below `root`, looked at folder by folder as they are asked for; `respelled` counts by (record, file) example."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = lru_cache(maxsize=64)(self._names)
        self.by_key = lru_cache(maxsize=64)(self._by_key)
        self.closed: dict[str, str] = {}  # folder that is there but cannot be listed → why
        self.respelled = 0
        self.example = ("", "")

    def _names(self, folder: str) -> frozenset[str] | None:
        try:
            return frozenset(as_text(entry.name) for entry in (self.root / as_name(folder)).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.closed[folder] = (error.strerror or "an error").lower()
            return None

    def _by_key(self, folder: str) -> dict[str, str]:
        """Loose form → name, where just one name of the folder has it."""
        names = self.names(folder) or frozenset()
        counts = Counter(map(loose, names))
        return {key: name for name in names if counts[key := loose(name)] == 1}

    def has(self, path: str) -> bool:
        """Whether exactly this path is there."""
        folder, _, name = path.rpartition("/")
        names = self.names(folder)
        return names is not None and name in names

    def find(self, recorded: str) -> str | None:
        """The path, relative to the root, of the file that a record means; None when there is none.

        recorded: free of `..` (see `checked`).
        """
        if not ODD.search(recorded) and self.has(recorded):
            return recorded
        parts = plain(recorded).split("/")
        starts = range(len(parts)) if ABSOLUTE.match(recorded) else [0, *self._repeated(parts)]
        fitting = next((path for start in starts if (path := self._fit(parts[start:]))), None)
        if fitting is not None:
            self.respelled += 1
            self.example = self.example if self.respelled > 1 else (recorded, fitting)
        return fitting

    def _repeated(self, parts: list[str]) -> list[int]:
        """Where the path begins after the folder's own name (and that of the folder above) has been said again."""
        own = [part for part in self.root.absolute().parts if part != self.root.anchor]
        return [n for n in (1, 2, 3) if n < len(parts) and n <= len(own) and list(map(loose, parts[:n])) == list(map(loose, own[-n:]))]

    def _fit(self, parts: list[str]) -> str | None:
        at = ""
        for part in parts:
            names = self.names(at)
            if names is None:
                return None
            own = part if part in names else self.by_key(at).get(loose(part))
            if own is None:
                return None
            at = f"{at}/{own}" if at else own
        return at

    def count_closed(self, passed: Tally, at: str = "") -> None:
        """Count the folders that could not be looked into; at: what stands before their names, with a slash at its end."""
        for folder, why in sorted(self.closed.items()):
            passed.add(f"{CLOSED} ({why})", f"{at}{folder}/" if folder else at or "./")

    def notes(self) -> tuple[str, ...]:
        """What a reader should know of it, if anything."""
        if not self.respelled:
            return ()
        recorded, own = self.example
        alike = unicodedata.normalize("NFC", recorded) == unicodedata.normalize("NFC", own)
        shown = f"{recorded!a} for {own!a}" if alike else f"{recorded} for {own}"
        return (f"{self.respelled:,} paths are spelled otherwise than their files, such as {shown}",)


def plain(path: str) -> str:
    """A record's path with / between its parts, and no empty ones or dots."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def checked(path: str, where: str) -> None:
    """Raise UserError when a record's path climbs out of its folder."""
    if CLIMBS.search(path):
        raise UserError(f"the image path {path!r} leaves the folder", where, "Mend the record; paths are relative to its folder")


def settled(files: Spelling, path: str, where: str) -> str:
    """The path of the file that a record means, or where none is there the record's own, for the reader of images to miss.

    Raises UserError for a path that climbs out, and for an absolute one of which no end is a file below the root.
    """
    checked(path, where)
    file = files.find(path)
    if file is None and LEAVES.search(path):
        raise UserError(
            f"the image path {path!r} is absolute, and neither it nor an end of it is a file in {files.root}",
            where,
            "Give paths relative to that folder, or put the images there",
        )
    return file or plain(path)
