"""Class folders: a tree of folders whose names are the classes, one to three deep, as torchvision's ImageFolder has them one deep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
DEEPEST = 3


def read(path: Path) -> Catalog:
    """A tree of class folders as a catalog. `product` is the folder (with / when nested), the default level the deepest one.

    When the top folders are train and val or test, they are the splits. Raises UserError when there are no images in
    folders, or folders nest deeper than three.
    """
    found = sorted(_images(path), key=lambda parts: [_natural(part) for part in parts])
    tops = {parts[0] for parts in found}
    split_of = SPLIT_FOLDERS if "train" in tops and len(tops) > 1 and tops <= set(SPLIT_FOLDERS) else {}
    skip = 1 if split_of else 0
    found = [parts for parts in found if len(parts) > skip + 1]
    if not found:
        raise UserError(
            "no data that can be read",
            path,
            "Give a MEP-3M folder (annotation.json), an RPC folder (instances_train2019.json), class folders with images, "
            "a CSV (image, product) or a catalog",
        )
    depth = max(len(parts) for parts in found) - 1 - skip
    if depth > DEEPEST:
        deep = next(parts for parts in found if len(parts) - 1 - skip > DEEPEST)
        raise UserError(f"folders nest {depth} deep: {'/'.join(deep)}", path, f"Give class folders at most {DEEPEST} deep")

    levels: list[dict[str, int]] = [{}, {}, {}]
    entries: list[list[ClassName]] = [[], [], []]
    columns: dict[str, list[object]] = {name: [] for name in ("path", "product", "split", "class_1", "class_2", "class_3")}
    for parts in found:
        folders, parent = parts[skip:-1], -1
        for level in range(3):
            key = "/".join(folders[: level + 1])
            if level >= len(folders):
                columns[f"class_{level + 1}"].append(-1)
                continue
            if key not in levels[level]:
                levels[level][key] = len(entries[level])
                entries[level].append(ClassName(key, folders[level], parent))
            parent = levels[level][key]
            columns[f"class_{level + 1}"].append(parent)
        columns["path"].append("/".join(parts))
        columns["product"].append("/".join(folders))
        columns["split"].append(split_of.get(parts[0], ""))
    shallow = sum(len(parts) - 1 - skip < depth for parts in found)
    notes = (f"{shallow} images lie above the deepest folders and have no class on level {depth}",) if shallow else ()
    source = Source(path.resolve().name, "folders", path.resolve(), synthetic=(path / "synthetic.json").is_file())
    first, second, third = (tuple(level) for level in entries)
    return build(dict(columns), classes=(first, second, third), sources=(source,), default_level=depth, notes=notes)


def _images(root: Path) -> Iterator[tuple[str, ...]]:
    """The parts of each image's path below the root; hidden files and folders are skipped."""
    for folder, folders, files in os.walk(root, followlinks=True):
        parts = Path(folder).relative_to(root).parts
        deeper = len(parts) <= DEEPEST + 1  # a linked folder may contain itself
        folders[:] = [name for name in folders if deeper and not name.startswith(".")]
        for name in files:
            if parts and not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield (*parts, name)


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """A sorting key in which 2 comes before 10."""
    import re

    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text) if part)
