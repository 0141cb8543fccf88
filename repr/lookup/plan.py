"""What has to be done so that an index holds some images: which are new, which took another's place, which only lie elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repr.catalog.names import as_text
from repr.images.boxes import Box
from repr.images.reader import ImageLike
from repr.lookup.own import MARK
from repr.lookup.schema import StoredImage


@dataclass(frozen=True)
class Incoming:
    """An image that an index is to hold.

    product: its product's id. path: as the index keeps it. content: SHA-256 of its file, None where it cannot be read. box: on the upright
    file. source: what is embedded, cut out by drawn. kept: where it is to be written, being bytes that lie nowhere.
    """

    product: str
    path: str
    content: bytes | None
    source: ImageLike
    box: tuple[float, ...] | None = None
    drawn: Box | None = None
    kept: Path | None = None


def relative_to_root(file: Path, root: Path) -> str:
    """The path of an image as the index keeps it: relative to the root, with /; `..` when it lies elsewhere."""
    return as_text(Path(os.path.relpath(file.absolute(), root)).as_posix())


@dataclass
class Plan:
    """What is to be done, by the positions of images that come in, and by the ids of those that are stored.

    new: to be embedded. replaces: the stored image whose place a new one takes. moved: stored images with their new paths. removed: stored
    images that are to go. unreadable: cannot be read at all. unchanged: how many are as they were. kept: how many lie in the index's own
    folder alone, and stay whatever comes in.
    """

    new: list[int] = field(default_factory=list)
    replaces: dict[int, int] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    unchanged: int = 0
    kept: int = 0


def plan(incoming: Sequence[Incoming], stored: Iterable[StoredImage], exists: Callable[[str], bool], *, whole: bool = False) -> Plan:
    """Compare images with those that are stored.

    An image is known by its product, content and box. One that is stored is moved when nothing, or another content, lies at its old path.
    One that is not takes the place of what its product had stored from the same path with the same box. exists: whether a file is at a
    stored path. whole: those that come in are all there shall be, so that what else is stored goes; but an image at a path that cannot
    be read now stays, and so does one that the index keeps itself, which no folder of data can have.
    """
    known = {(image.product, image.content, image.box): image for image in stored}
    here = {one.path: one.content for one in incoming}
    made, kept, taken = Plan(), set[int](), set[tuple[str, bytes, tuple[float, ...] | None]]()
    for position, one in enumerate(incoming):
        if one.content is None:
            made.unreadable.append(position)
            continue
        key = one.product, one.content, one.box
        image = known.get(key)
        if image is None:
            if key not in taken:
                made.new.append(position)
            taken.add(key)
            continue
        if image.id in kept:  # a second copy of it
            continue
        kept.add(image.id)
        gone = here[image.path] != image.content if image.path in here else not exists(image.path)
        if image.path != one.path and gone:
            made.moved[image.id] = one.path
        else:
            made.unchanged += 1
    unread = {incoming[position].path for position in made.unreadable}
    places = {(image.product, image.path, image.box): image.id for image in known.values() if image.id not in kept}
    for position in made.new:
        one = incoming[position]
        if (old := places.pop((one.product, one.path, one.box), None)) is not None:
            made.replaces[position] = old
    if whole:
        kept |= set(made.replaces.values())
        others = [image for image in known.values() if image.id not in kept and image.path not in unread]
        made.removed = [image.id for image in others if not image.path.startswith(MARK)]
        made.kept = len(others) - len(made.removed)
    return made
