"""Images that come one by one: files stay where they are, what is given as bytes or pixels is to be kept in the index's own folder."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from repr.errors import UserError
from repr.images.contents import file_digests
from repr.images.reader import ImageLike, ending
from repr.lookup.own import MARK, place
from repr.lookup.plan import Incoming, relative_to_root


def incoming(product: str, image: ImageLike, folder: Path, root: Path) -> Incoming:
    """An image of a product as an index takes it in.

    Raises UserError for what is no image at all.
    """
    if isinstance(image, str | os.PathLike):
        file = Path(image).expanduser()
        return Incoming(product, relative_to_root(file, root), file_digests([file])[0], file)
    if not isinstance(image, bytes | Image.Image | np.ndarray):
        raise UserError(f"an image given as {type(image).__name__}", "", "Give a path, bytes, an image of Pillow's, or uint8 pixels")
    data = image if isinstance(image, bytes) else _png(image)
    content = sha256(data).digest()
    path = f"{MARK}{content.hex()}{ending(data)}"
    return Incoming(product, path, content, data, kept=place(folder, path))


def _png(image: Image.Image | np.ndarray) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, "PNG")
    return stream.getvalue()
