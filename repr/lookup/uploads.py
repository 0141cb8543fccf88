"""Images that come one by one: files stay where they are, and what is given as bytes or pixels is kept in the index's own folder."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from repr.errors import UserError
from repr.files import replacing
from repr.images.contents import file_digests
from repr.images.reader import ImageLike, ending
from repr.lookup.plan import Incoming, relative_to_root

FOLDER = "images"
MARK = "index:"  # what the path of an image begins with that lies in the index's own folder


def incoming(product: str, image: ImageLike, folder: Path, root: Path) -> Incoming:
    """An image of a product as an index takes it in; bytes and pixels are written to the index's folder first.

    Raises UserError for what is no image at all.
    """
    if isinstance(image, str | os.PathLike):
        file = Path(image).expanduser()
        return Incoming(product, relative_to_root(file, root), file_digests([file])[0], file)
    if not isinstance(image, bytes | Image.Image | np.ndarray):
        raise UserError(f"an image given as {type(image).__name__}", "", "Give a path, bytes, an image of Pillow's, or uint8 pixels")
    data = image if isinstance(image, bytes) else _png(image)
    content = sha256(data).digest()
    name = f"{content.hex()}{ending(data)}"
    with replacing(folder / FOLDER / name) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return Incoming(product, f"{MARK}{name}", content, folder / FOLDER / name)


def place(folder: Path, path: str) -> Path | None:
    """Where an image that the index keeps itself lies; None for the path of another."""
    return folder / FOLDER / path.removeprefix(MARK) if path.startswith(MARK) else None


def _png(image: Image.Image | np.ndarray) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, "PNG")
    return stream.getvalue()
