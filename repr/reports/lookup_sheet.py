"""The contact sheets of a lookup: each photograph beside the stored images that answer it, so many photographs a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image

from repr.errors import UserError
from repr.files import replacing
from repr.images.reader import Unreadable, read_image
from repr.lookup.matches import Answer, Match
from repr.reports.sheet import SheetRow, contact_sheet

SIDE = 192  # pixels of a stored image as it is read; twice what is shown
PAGE = 50  # photographs a page: 7,500 pixels high
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", "": "PNG"}


class Sheets:
    """Pages that are drawn as answers come, used with `with`: matches.png, matches-2.png, … (JPEG by the ending).

    place: where the file of a stored image is, by its path in the index. files: the pages written so far.
    """

    def __init__(self, file: Path, place: Callable[[str], Path], *, synthetic: bool) -> None:
        """Raises UserError for another ending."""
        if file.suffix.lower() not in FORMATS:
            raise UserError(f"no image format {file.suffix!r}", file, "End it with .png or .jpg", argument="sheet")
        self.file, self.place, self.synthetic = file, place, synthetic
        self.files: list[Path] = []
        self._rows: list[SheetRow] = []

    def add(self, answer: Answer) -> None:
        """A photograph and its matches; one that could not be read is left out."""
        if answer.error:
            return
        label = Path(answer.query).name + (" (synthetic)" if self.synthetic else "") + ("\nunknown" if answer.unknown else "")
        self._rows.append(SheetRow(Path(answer.query), label, [self._cell(match) for match in answer.matches]))
        if len(self._rows) == PAGE:
            self._draw()

    def _cell(self, match: Match) -> tuple[Image.Image | Path, str, None]:
        chance = "" if match.probability is None else f"{match.probability:.0%}  "
        label, file = f"{chance}{match.score:.3f}\n{match.name or match.product}", self.place(match.image)
        try:
            return read_image(file, short_side=SIDE, box=match.box), label, None
        except Unreadable:
            return file, label, None  # drawn as an empty frame

    def _draw(self) -> None:
        if not self._rows:
            return
        number = len(self.files) + 1
        file = self.file if number == 1 else self.file.with_name(f"{self.file.stem}-{number}{self.file.suffix}")
        image = contact_sheet(self._rows)
        with replacing(file) as temporary, temporary.open("wb") as stream:
            image.save(stream, FORMATS[file.suffix.lower()])
        self.files.append(file)
        self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Draw the last page, unless something went wrong."""
        if kind is None:
            self._draw()
