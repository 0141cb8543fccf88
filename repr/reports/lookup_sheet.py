"""The contact sheet of a lookup: each photograph beside the stored images that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from repr.files import replacing
from repr.images.reader import Unreadable, read_image
from repr.lookup.index import Match
from repr.reports.sheet import SheetRow, contact_sheet

SIDE = 192  # pixels of a stored image as it is read; twice what is shown


def write(file: Path, answers: Mapping[Path, Sequence[Match]], root: Path, *, synthetic: bool) -> None:
    """Draw photographs and matches into an image file (JPEG by its ending, else PNG). root: where the stored images lie now."""
    label = " (synthetic)" if synthetic else ""
    rows = [SheetRow(photo, photo.name + label, [_cell(match, root) for match in matches]) for photo, matches in answers.items()]
    image = contact_sheet(rows)
    with replacing(file) as temporary, temporary.open("wb") as stream:
        image.save(stream, "JPEG" if file.suffix.lower() in (".jpg", ".jpeg") else "PNG")


def _cell(match: Match, root: Path) -> tuple[Image.Image | Path, str, None]:
    label = f"{match.score:.3f} {match.name or match.product}"
    try:
        return read_image(root / match.image, short_side=SIDE, box=match.box), label, None
    except Unreadable:
        return root / match.image, label, None  # drawn as an empty frame
