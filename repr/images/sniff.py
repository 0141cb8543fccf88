"""Whether a file is an image that can be read, told by its content, whatever its name is."""

from __future__ import annotations

from pathlib import Path

from repr.images.reader import Unreadable, shorter_side

# Files called so are taken unopened, since there may be millions; whoever reads one says what is wrong with it.
USUAL = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

NOT_IMAGES = "not images"


def why_not(file: Path) -> str:
    """Why a file is no image that can be read, or "" when it is one."""
    if file.suffix.lower() in USUAL:
        return ""
    try:
        shorter_side(file)
    except Unreadable:
        return _foreign(file)
    return ""


def _foreign(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        return f"files that cannot be opened ({(error.strerror or 'an error').lower()})"
    if head[4:8] == b"ftyp":
        return f"{head[8:12].decode('latin-1').strip()} files that cannot be read here (convert them to JPEG)"
    return NOT_IMAGES if head else "empty files"
