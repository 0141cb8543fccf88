"""What a detector learns from: labelled scenes as squares in one memory-mapped file, and their boxes in the squares' pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from repr import progress
from repr.arrays import Floats, Ints, Pixels
from repr.catalog.passed import PassedOver, Tally
from repr.catalog.table import Catalog
from repr.checkout.squares import squared
from repr.errors import UserError
from repr.files import content_key
from repr.images.boxes import Box, DrawnBox
from repr.images.known import fingerprints
from repr.images.reader import Unreadable, read_image, upright_box
from repr.machine import cores
from repr.models.provenance import Learned, learned_from

UNREADABLE = "scenes that cannot be read"
NO_AREA = "boxes without an area, or outside their scene"
WHOLE = "images without a box, which show no counter"
THIN = 2.0  # pixels of the square; thinner boxes cannot be seen


@dataclass(frozen=True)
class Scenes:
    """n scenes. pixels: (n, side, side, 3) uint8; boxes: (m, 4) x0, y0, x1, y1 of each, in pixels of its square; labels: (m,) of classes,
    whose product ids `classes` holds; all 0 where it is empty. key: of files and labels."""

    files: tuple[Path, ...]
    pixels: Pixels
    boxes: tuple[Floats, ...]
    labels: tuple[Ints, ...]
    classes: tuple[str, ...]
    key: str
    name: str
    synthetic: bool
    learned: Learned
    passed_over: tuple[PassedOver, ...]

    def __len__(self) -> int:
        return len(self.files)


def read_scenes(catalog: Catalog, side: int, place: Path, *, classes: Sequence[str] | None = None, workers: int | None = None) -> Scenes:
    """Decode the scenes of a catalog, a row a box; squares lie in a file without a name in the folder `place`.

    classes: product ids that boxes are labelled by, None for one class of all. Raises UserError when not one scene can be used.
    """
    tally, of_file = Tally(), dict[Path, list[int]]()
    files, boxes, keys = catalog.files(), catalog.boxes(), catalog.product_keys().astype(str)
    for row, file in enumerate(files):
        if boxes[row] is None:
            tally.add(WHOLE, str(file))
        else:
            of_file.setdefault(file, []).append(row)
    names = list(of_file)
    with tempfile.TemporaryFile(dir=place) as stream:
        pixels = np.memmap(stream, np.uint8, "w+", shape=(max(1, len(names)), side, side, 3))
    numbers = {product: n for n, product in enumerate(classes or ())}
    kept, found, labels = list[int](), list[Floats](), list[Ints]()
    for name, answer in zip(names, _decoded([(file, [boxes[row] for row in of_file[file]]) for file in names], side, workers), strict=True):
        if isinstance(answer, str):
            tally.add(f"{UNREADABLE}: {answer}", str(name))
            continue
        square, corners = answer
        good = (corners[:, 2:] - corners[:, :2]).min(1) >= THIN
        tally.add(NO_AREA, str(name), int((~good).sum()))
        pixels[len(kept)] = square
        found.append(corners[good])
        labels.append(np.array([numbers.get(keys[row], 0) for row in np.array(of_file[name])[good]], np.int64))
        kept += of_file[name][:1]
    if not kept:
        lying = "; ".join(one.line() for one in tally.list())
        raise UserError(f"no scene with boxes{f' ({lying})' if lying else ''}", catalog.name, "Give scenes in RPC's layout with `data`")
    key = content_key(fingerprints(catalog, moved=True).tobytes(), list(classes or ()))
    learned = learned_from(catalog, np.arange(len(catalog)))
    used = tuple(files[row] for row in kept)
    told = (tuple(found), tuple(labels), tuple(classes or ()))
    return Scenes(used, pixels[: len(kept)], *told, key, catalog.name, catalog.synthetic, learned, tally.list())


def held_out(scenes: Scenes, share: float, rng: np.random.Generator) -> tuple[Scenes, Scenes]:
    """The scenes to learn from, and a share of them, two at least, to watch."""
    n = max(2, round(share * len(scenes)))
    if len(scenes) < n + 1:
        raise UserError(f"{len(scenes)} scenes are too few to hold some out", scenes.name, "Give more, or a val part")
    order = rng.permutation(len(scenes))
    return _some(scenes, np.sort(order[n:])), _some(scenes, np.sort(order[:n]))


def _some(scenes: Scenes, rows: Ints) -> Scenes:
    boxes, labels = tuple(scenes.boxes[row] for row in rows), tuple(scenes.labels[row] for row in rows)
    return replace(scenes, files=tuple(scenes.files[row] for row in rows), pixels=scenes.pixels[rows], boxes=boxes, labels=labels)


def _decoded(scenes: Sequence[tuple[Path, list[Box | None]]], side: int, workers: int | None) -> Iterator[tuple[Pixels, Floats] | str]:
    """Of each scene its square and (m, 4) corners, or why it cannot be read."""
    with ThreadPoolExecutor(workers or cores(), thread_name_prefix="decode") as pool:
        decoded = pool.map(lambda scene: _scene(scene[0], scene[1], side), scenes)
        yield from progress.counted(decoded, len(scenes), "Reading scenes", "scene")


def _scene(file: Path, boxes: list[Box | None], side: int) -> tuple[Pixels, Floats] | str:
    try:
        image = read_image(file)
        own = [_upright(file, box, image.size) for box in boxes if box is not None]
    except Unreadable as error:
        return error.reason
    square, scale = squared(image, side)
    x, y, w, h = np.array(own, np.float64).reshape(-1, 4).T * scale
    corners = np.clip(np.column_stack([x, y, x + w, y + h]), 0, side)
    return square, corners.astype(np.float32)


def _upright(file: Path, box: Box, size: tuple[int, int]) -> Box:
    """Drawn boxes are placed by the file's header alone where it was shrunk or turned since."""
    return upright_box(file, box) if isinstance(box, DrawnBox) and tuple(box.size) != size else box
