"""Stored images as a page shows them."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from PIL import Image

from repr.images.boxes import Box
from repr.images.reader import Unreadable, read_image
from repr.server.problems import Problem

if TYPE_CHECKING:
    from repr.lookup.index import Index
    from repr.lookup.store import StoredImage

SMALLEST, LARGEST = 16, 2048
QUALITY = 85


def rendition(index: Index, id_: int, size: int) -> bytes:
    """A stored image as JPEG: upright, cut to its product, no side over `size` pixels. Raises Problem where it cannot be had."""
    stored = _stored(index, id_)
    try:
        return small(read_image(index.file(stored.path), short_side=size, box=cast("Box | None", stored.box)), size)
    except Unreadable:
        remedy = "On the server, say with `repr index move` where the images are, or restore them"
        raise Problem(404, "lost-image", "the file of this image cannot be read", remedy) from None


def tag_of(index: Index, id_: int, size: int) -> str:
    """The ETag of a rendition: by the content and the box of the image, not by its id. Raises Problem where there is none."""
    stored = _stored(index, id_)
    return f'"{sha256(repr((stored.content, stored.box, size)).encode()).hexdigest()}"'


def _stored(index: Index, id_: int) -> StoredImage:
    stored = index.store.image(id_)
    if stored is None:
        raise Problem(404, "unknown-image", f"no image {id_}", "See the images of its product")
    return stored


def small(image: Image.Image, size: int) -> bytes:
    """An image as JPEG, no side over `size` pixels."""
    image.thumbnail((size, size))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
