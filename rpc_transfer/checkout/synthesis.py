"""Scenes from exemplars, in RPC's format: shopping lists by RPC's levels, composed in parts by several processes, joined at the end.

out/cutouts/<n>/          the products of the source without their ground (`rpc_transfer.checkout.cutouts`)
out/parts/<first>.json    what is on the images of a part; a part that is there is not drawn again
out/<split>2019/*.jpg     the scenes
out/instances_<split>2019.json   written last, from the parts; then the two folders above go
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from repr import files, progress
from repr.arrays import Pixels
from repr.catalog.passed import PassedOver, Tally
from repr.catalog.pools import processes
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.images.known import fingerprints
from repr.images.reader import Unreadable, read_image
from repr.machine import cores
from repr.records import Json
from repr.settings import check, values
from repr.synthetic.scenes import shopping_lists
from rpc_transfer.checkout import cutouts
from rpc_transfer.checkout.compose import Look, Thing, compose
from rpc_transfer.checkout.exemplars import Categories, categories_of, exemplars_of, read_exemplars
from rpc_transfer.checkout.files import LEVELS
from rpc_transfer.checkout.settings import Scenes

log = logging.getLogger(__name__)

T = TypeVar("T")

VERSION = 2  # of the drawing
PART = 24  # scenes
PRODUCT = 0.17  # of the side: the median longer side of a product; RPC's real scenes have about that
QUALITY = 92  # of the JPEGs
MARK = "scenes.json"
UNUSABLE = "exemplars that cannot be cut out"


@dataclass(frozen=True)
class Synthesis:
    """What was written. counts: scenes by level; objects: boxes in all."""

    folder: Path
    annotations: Path
    counts: Mapping[str, int]
    objects: int
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True)
class Scene:
    """One scene to compose. basket: places in the list of products."""

    number: int
    level: str
    basket: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """What every process must know. ids: category ids of the products, whose cut-outs lie at the same places; None where there are none."""

    folder: Path
    settings: Scenes
    ids: tuple[int | str | None, ...]
    backgrounds: tuple[Path, ...]
    scale: float


def synthesize(
    out: Path, data: Sequence[str | Path], settings: Scenes, *, backgrounds: Sequence[Path] = (), workers: int | None = None
) -> Synthesis:
    """Write scenes from the exemplars of `data` into `out`; an interrupted run with the same arguments goes on.

    backgrounds: images of the empty counter, or folders of them; none for a plain one. The same seed gives the same bytes, however many
    processes work. Raises UserError for data without exemplars, a background that cannot be read, and an `out` that holds other things.
    """
    check(settings)
    out, workers = Path(out).absolute(), workers or cores()
    catalog = read_exemplars(data, settings.part)
    grounds = _backgrounds(backgrounds)
    table = categories_of(catalog)
    mark = _mark(catalog, settings, grounds)
    _begin(out, mark)
    with files.held(out):
        annotations = out / f"instances_{settings.split}2019.json"
        tally = Tally()
        if not annotations.is_file():
            (out / f"{settings.split}2019").mkdir(exist_ok=True)
            stage = _cut(out, catalog, table, settings, grounds, workers, tally)
            _draw(stage, workers)
            _join(stage, table, annotations, catalog)
        return _told(out, annotations, tally)


def _mark(catalog: Catalog, settings: Scenes, backgrounds: Sequence[Path]) -> dict[str, Json]:
    grounds = [files.content_key(path.read_bytes()) for path in backgrounds]
    source = files.content_key(fingerprints(catalog, moved=True).tobytes())
    return {"version": VERSION, "settings": values(settings), "source": source, "backgrounds": grounds}


def _begin(out: Path, mark: dict[str, Json]) -> None:
    if out.is_dir() and any(out.iterdir()) and not ((out / MARK).is_file() and files.read_json(out / MARK) == mark):
        what = "scenes of other settings or data are here" if (out / MARK).is_file() else "there is something else here"
        raise UserError(what, out, "Name a new or an empty folder with `out`")
    out.mkdir(parents=True, exist_ok=True)
    files.write_json(out / MARK, mark)


def _backgrounds(given: Sequence[Path]) -> tuple[Path, ...]:
    """The files, each of which can be read."""
    images = [file for path in given for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    for file in images:
        try:
            read_image(file)
        except Unreadable as error:
            raise UserError(error.reason, file, "Give images of the empty counter", argument="background") from None
    if given and not images:
        raise UserError("no images in it", given[0], "Give images of the empty counter", argument="background")
    return tuple(images)


def _cut(
    out: Path, catalog: Catalog, table: Categories, settings: Scenes, backgrounds: tuple[Path, ...], workers: int, tally: Tally
) -> Stage:
    """Cut out what is not cut out yet."""
    chosen = exemplars_of(catalog, settings.exemplars, np.random.default_rng([settings.seed, 1]))
    sides = [max(one.box[2:]) for exemplars in chosen.values() for one in exemplars if one.box is not None]
    shrink = min(1.0, 2 * PRODUCT * settings.side / float(np.median(sides))) if sides else 1.0
    places = {product: out / "cutouts" / str(n) for n, product in enumerate(chosen)}
    jobs = [
        partial(cutouts.write_product, places[product], tuple(exemplars), settings.masks, shrink)
        for product, exemplars in chosen.items()
        if not places[product].is_dir()
    ]
    for bad in _run(jobs, workers, "Cutting out", "product"):
        for name, reason in bad:
            tally.add(f"{UNUSABLE}: {reason}", name)
    usable = [product for product in chosen if len(cutouts.shapes_of(places[product]))]
    if not usable:
        raise UserError("not one exemplar can be cut out", catalog.name, "Check the images of `data`")
    if len(usable) < len(chosen):
        missing = [product for product in chosen if product not in usable]
        log.warning(f"{len(missing)} products have no exemplar that can be cut out, such as {missing[0]}: they are in no scene.")
    longest = np.concatenate([cutouts.shapes_of(places[product]).max(1) for product in usable])
    scale = PRODUCT * settings.side / float(np.median(longest))
    ids = tuple(table.ids[product] if product in usable else None for product in chosen)
    return Stage(out, settings, ids, backgrounds, scale)


def plan(settings: Scenes, products: Sequence[int]) -> list[Scene]:
    """The scenes: levels in turn, shopping lists of the products (their places) that use all about equally often."""
    levels = [LEVELS[n % 3] for n in range(settings.scenes)]
    baskets = shopping_lists(list(products), levels, np.random.default_rng([settings.seed, 2]))
    return [Scene(n, level, tuple(basket)) for n, (level, basket) in enumerate(zip(levels, baskets, strict=True))]


def _draw(stage: Stage, workers: int) -> None:
    scenes = plan(stage.settings, [place for place, id_ in enumerate(stage.ids) if id_ is not None])
    (stage.folder / "parts").mkdir(exist_ok=True)
    parts = [scenes[first : first + PART] for first in range(0, len(scenes), PART)]
    jobs = [partial(draw_part, stage, tuple(part)) for part in parts if not _part_file(stage, part).is_file()]
    _run(jobs, workers, "Composing scenes", "part")


def _part_file(stage: Stage, part: Sequence[Scene]) -> Path:
    return stage.folder / "parts" / f"{part[0].number:08d}.json"


def draw_part(stage: Stage, part: Sequence[Scene]) -> None:
    """Draw and write some scenes, and then what is on them."""
    _write(_part_file(stage, part), [draw_scene(stage, scene) for scene in part])


def draw_scene(stage: Stage, scene: Scene) -> Json:
    """Draw and write one scene; what is on it, as its part holds it."""
    settings = stage.settings
    rng = np.random.default_rng([settings.seed, 3, scene.number])
    things = []
    for place in rng.permutation(scene.basket).tolist():
        folder = stage.folder / "cutouts" / str(place)
        things.append((place, cutouts.read_cut_out(folder, int(rng.integers(len(cutouts.shapes_of(folder)))))))
    look = Look(settings.side, stage.scale, settings.occlusion)
    image, objects = compose(things, _ground(stage, rng), look, rng)
    name = f"scene-{scene.number:06d}.jpg"
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    with files.replacing(stage.folder / f"{settings.split}2019" / name) as temporary:
        temporary.write_bytes(data.tobytes())
    return {"file_name": name, "level": scene.level, "objects": [_object(thing, stage.ids[thing.category]) for thing in objects]}


def _write(file: Path, content: Json) -> None:
    """Write JSON without blanks: outlines are long, and a line a number would be ten times that."""
    with files.replacing(file) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def _object(thing: Thing, category: int | str | None) -> Json:
    return {
        "category_id": category,
        "bbox": list(thing.box),
        "area": float(thing.mask.sum()),
        "segmentation": thing.polygons(),
        "point_xy": list(thing.point()),
    }


def _ground(stage: Stage, rng: np.random.Generator) -> Pixels:
    """A background of the scene's size, mirrored and turned as it comes."""
    side = stage.settings.side
    if stage.backgrounds:
        image = _read_ground(stage.backgrounds[int(rng.integers(len(stage.backgrounds)))], side)
    else:
        patches = rng.normal(205 + rng.normal(0, 12), 5, (5, 5, 1)) * rng.uniform(0.98, 1.02, 3)
        image = np.clip(cv2.resize(patches, (side, side), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    turned = np.rot90(image, int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.random() < 0.5 else turned)


@cache
def _read_ground(file: Path, side: int) -> Pixels:
    image = read_image(file)
    square = min(image.size)
    left, top = (image.width - square) // 2, (image.height - square) // 2
    return np.asarray(image.crop((left, top, left + square, top + square)).resize((side, side)))


def _run(jobs: Sequence[partial[T]], workers: int, what: str, unit: str) -> list[T]:
    """Run jobs in processes; what they return, in order."""
    if workers < 2 or len(jobs) < 2:
        return [job() for job in progress.counted(jobs, len(jobs), what, unit)]
    with processes(min(workers, len(jobs)), cv2.setNumThreads, 1) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            return [future.result() for future in progress.counted(futures, len(jobs), what, unit)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _join(stage: Stage, table: Categories, annotations: Path, catalog: Catalog) -> None:
    images: list[Json] = []
    boxes: list[Json] = []
    side = stage.settings.side
    for part in sorted((stage.folder / "parts").glob("*.json")):
        for scene in files.read_json(part):
            number = len(images) + 1
            images.append({"file_name": scene["file_name"], "width": side, "height": side, "id": number, "level": scene["level"]})
            boxes += [{"id": len(boxes) + n, "image_id": number, "iscrowd": 0, **one} for n, one in enumerate(scene["objects"], 1)]
    about = {"description": f"Scenes composed of exemplars of {catalog.name}", "version": f"scenes-{VERSION}"}
    if catalog.synthetic:
        files.write_json(stage.folder / "synthetic.json", {"synthetic": True, "note": "Drawn images of products that do not exist."})
    _write(annotations, {"info": about, "licenses": [], **table.as_json(), "images": images, "annotations": boxes})
    for folder in ("parts", "cutouts"):
        shutil.rmtree(stage.folder / folder, ignore_errors=True)


def _told(out: Path, annotations: Path, tally: Tally) -> Synthesis:
    content = files.read_json(annotations)
    levels = [image["level"] for image in content["images"]]
    return Synthesis(out, annotations, {level: levels.count(level) for level in LEVELS}, len(content["annotations"]), tally.list())
