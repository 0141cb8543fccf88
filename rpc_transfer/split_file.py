"""The split as a JSON file that another tool can read, and that can be given back.

    {"format": "rpc_transfer split", "version": 1, "about": how to read it, "data": name of the set,
     "split_seed": 0, "shots": 10, "base_shots": null (as many), a number or "all", "shots_from": "train", "test_on": "test",
     "base": [product, …], "novel": [product, …], "unknown": [product, …], "increments": [[product, …], …],
     "products": {product: {"name": …, "supercategory": …}}, "notes": [text, …],
     "support": [{"seed": 0, "images": {product: [image, …]}}, …],
     "tests": [{"seeds": [0, 1], "images": {product: [image, …]}}, …],
     "validation": [{"seed": 0, "images": {product: [image, …]}}, …]}

A image is its path relative to the set's folder, with the source's name and a colon before it in a union of sets. Where a
image holds several products the box is added as a W3C media fragment: `path#xywh=x,y,w,h` in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from repr.arrays import Rows
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.files import read_json, write_json
from rpc_transfer.protocol import Images, Split

FORMAT = "rpc_transfer split"
VERSION = 1
ABOUT = (
    "base: products taught first; novel: products taken in later, in the steps of increments; unknown: never taught. "
    "support: the training images (shots) of each seed in the order drawn; tests: the test images of these seeds; "
    "validation: neither, they choose the rejection threshold. "
    "A image is a path relative to the set's folder; #xywh=x,y,w,h is a box in pixels."
)


def image_ids(catalog: Catalog) -> list[str]:
    """The name of every row in the split file (see the module's text)."""
    paths: list[str] = catalog.column("path").tolist()
    if len(catalog.sources) > 1:
        names = [source.name for source in catalog.sources]
        paths = [f"{names[s]}:{path}" for s, path in zip(catalog.column("source"), paths, strict=True)]
    seen: set[str] = set()
    double = {path for path in paths if path in seen or seen.add(path)}  # type: ignore[func-returns-value]
    if not double:
        return paths
    boxes = catalog.boxes()
    return [
        f"{path}#xywh={','.join(f'{v:g}' for v in box)}" if path in double and box is not None else path
        for path, box in zip(paths, boxes, strict=True)
    ]


def write_split(path: Path, split: Split, catalog: Catalog) -> None:
    """Write the split file, whole or not at all."""
    ids = image_ids(catalog)

    def images(of: Images) -> dict[str, list[str]]:
        return {product: [ids[row] for row in rows] for product, rows in of.items()}

    groups: list[tuple[list[int], Images]] = []
    for seed, of in split.tests.items():
        same = next((seeds for seeds, other in groups if other is of), None)
        if same is None:
            groups.append(([seed], of))
        else:
            same.append(seed)
    write_json(
        Path(path),
        {
            "format": FORMAT,
            "version": VERSION,
            "about": ABOUT,
            "data": split.data,
            "split_seed": split.split_seed,
            "shots": split.shots,
            "base_shots": split.base_shots,
            "shots_from": split.shots_from,
            "test_on": split.test_on,
            "base": split.base,
            "novel": split.novel,
            "unknown": split.unknown,
            "increments": split.increments,
            "products": {
                key: {"name": split.names[key], "supercategory": split.supercategories[key]} for key in (*split.products, *split.unknown)
            },
            "notes": split.notes,
            "support": [{"seed": seed, "images": images(of)} for seed, of in split.support.items()],
            "tests": [{"seeds": seeds, "images": images(of)} for seeds, of in groups],
            "validation": [{"seed": seed, "images": images(of)} for seed, of in split.validation.items()],
        },
    )


def read_split(path: Path, catalog: Catalog) -> Split:
    """Read a split file and find its images in the catalog.

    Raises UserError when it is not a split file or of a newer version, when its products or images are not in the
    catalog (a split of another set), when image files are gone, when a shot is also a test, or when there is nothing to
    teach or to test on.
    """
    content = read_json(Path(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError("not a split file", path, "Give the split.json of a run folder")
    try:
        if int(content.get("version", 0)) > VERSION:
            raise UserError(f"written by a newer version ({content['version']} > {VERSION})", path, "Update the package")
        return _build(content, Path(path), catalog)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"a split file with a missing or wrong field ({error!r})", path, "Write it as the module's text says") from None


def _build(content: dict[str, Any], path: Path, catalog: Catalog) -> Split:
    base, novel, unknown = (tuple(map(str, content[kind])) for kind in ("base", "novel", "unknown"))
    products = (*base, *novel, *unknown)
    if len(set(products)) != len(products):
        raise UserError("a product is named twice among base, novel and unknown", path, "Mend the file")
    increments = tuple(tuple(map(str, step)) for step in content["increments"])
    if not (base and novel and all(increments)):
        empty = "base" if not base else "novel" if not novel else "one of its increments"
        raise UserError(f"there is no product in {empty}", path, "Mend the file")
    keys = set(map(str, catalog.product_keys()))
    strange = [key for key in products if key not in keys]
    if strange:
        raise UserError(
            f"a split of another set ({content['data']}): {len(strange)} of its {len(products)} products are not in "
            f"{catalog.name}, the first is {strange[0]}",
            path,
            "Name the set it was made on with `root`, or draw a new split",
        )
    find = _Finder(catalog, path)
    support: dict[int, Images] = {int(e["seed"]): find.rows(e["images"], (*base, *novel)) for e in content["support"]}
    tests: dict[int, Images] = {}
    for entry in content["tests"]:
        of = find.rows(entry["images"], products)
        tests.update({int(seed): of for seed in entry["seeds"]})
    validation: dict[int, Images] = {int(e["seed"]): find.rows(e["images"], (*base, *novel)) for e in content.get("validation", ())}
    find.complain(str(content["data"]))
    if tuple(key for step in increments for key in step) != novel:
        raise UserError("increments are not the novel products in their order", path, "Mend the file")
    if set(tests) != set(support):
        raise UserError("support and tests are not of the same seeds", path, "Mend the file")
    split = Split(
        data=str(content["data"]),
        split_seed=int(content["split_seed"]),
        base=base,
        novel=novel,
        unknown=unknown,
        increments=increments,
        supercategories={key: str(content["products"][key]["supercategory"]) for key in products},
        names={key: str(content["products"][key]["name"]) for key in products},
        shots=int(content["shots"]),
        base_shots=content["base_shots"] if content["base_shots"] in ("all", None) else int(content["base_shots"]),
        shots_from=str(content["shots_from"]),
        test_on=str(content["test_on"]),
        support=support,
        tests={seed: tests[seed] for seed in support},
        validation=validation,
        notes=tuple(map(str, content["notes"])),
    )
    _check(split, path, catalog)
    return split


class _Finder:
    """Finds the rows of images by product and name, and collects what is not there."""

    def __init__(self, catalog: Catalog, path: Path) -> None:
        keys = catalog.product_keys()
        self.path = path
        self.where = {(str(key), name): row for row, (key, name) in enumerate(zip(keys, image_ids(catalog), strict=True))}
        self.missing: list[str] = []
        self.total = 0

    def rows(self, images: Mapping[str, list[str]], products: tuple[str, ...]) -> dict[str, Rows]:
        found: dict[str, Rows] = {}
        for product in products:
            names = images[product]
            rows = [self.where.get((product, name), -1) for name in names]
            self.missing += [name for name, row in zip(names, rows, strict=True) if row < 0]
            self.total += len(names)
            found[product] = np.array(rows, dtype=np.int64)
        return found

    def complain(self, data: str) -> None:
        if self.missing:
            raise UserError(
                f"{len(self.missing)} of its {self.total} images are not in the set, the first is {self.missing[0]} "
                f"(the split was made on {data})",
                self.path,
                "Name the set it was made on with `root`, bring the images back, or draw a new split",
            )


def _check(split: Split, path: Path, catalog: Catalog) -> None:
    photograph = catalog.photographs()
    for seed in split.seeds:
        shots = np.concatenate(list(split.support[seed].values()))
        tests = np.concatenate(list(split.tests[seed].values()))
        both = tests[np.isin(photograph[tests], photograph[shots])]
        if len(both):
            name = catalog.column("path")[both[0]]
            raise UserError(f"{len(both)} images of seed {seed} are shots and tests, the first is {name}", path, "Mend the file")
        validation = np.concatenate([np.empty(0, np.int64), *split.validation.get(seed, {}).values()])
        if np.isin(photograph[validation], photograph[np.concatenate([shots, tests])]).any():
            raise UserError(f"validation images of seed {seed} are of photographs of its shots or tests", path, "Mend the file")
        least = split.shots if split.base_shots is None else 1 if split.base_shots == "all" else split.base_shots
        wanted = {**dict.fromkeys(split.base, least), **dict.fromkeys(split.novel, split.shots)}
        short = [key for key, n in wanted.items() if len(split.support[seed][key]) < n]
        if short:
            raise UserError(f"seed {seed} has fewer shots than the file says for: {', '.join(short[:8])}", path, "Mend the file")
        for kind, members in (("base", split.base), ("novel", split.novel)):
            if not any(len(split.tests[seed][key]) for key in members):
                raise UserError(f"seed {seed} has no test images of {kind} products", path, "Mend the file")
    kept = [rows for of in split.validation.values() for rows in of.values()]
    files = catalog.select(np.unique(np.concatenate([split.used(), *kept]))).files()
    gone = [file for file in dict.fromkeys(files) if not file.is_file()]
    if gone:
        raise UserError(f"{len(gone)} of its images are gone from the disk, the first is {gone[0]}", path, "Bring them back")
