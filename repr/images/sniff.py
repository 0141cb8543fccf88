"""Whether a file is an image that can be read, told by its content, whatever its name is."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from repr.images.formats import FORMATS

# Files called so are taken unopened, since there may be millions; whoever reads one says what is wrong with it.
USUAL = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

NOT_IMAGES = "not images"


def why_not(file: Path) -> str:
    """Why a file is no image that can be read, or "" when it is one."""
    if file.suffix.lower() in USUAL:
        return ""
    try:
        with Image.open(file, formats=FORMATS):
            return ""
    except UnidentifiedImageError:
        return _foreign(file)
    except OSError as error:
        return (error.strerror or "broken").lower()
    except Exception:  # a damaged head can raise nearly anything
        return "damaged images"


def _foreign(file: Path) -> str:
    with file.open("rb") as stream:
        head = stream.read(12)
    if head[4:8] == b"ftyp":
        return f"{head[8:12].decode('latin-1').strip()} files that cannot be read here (convert them to JPEG)"
    return NOT_IMAGES if head else "empty files"
