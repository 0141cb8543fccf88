"""Class folders: a tree of folders whose names are the classes, one to three deep, as torchvision's ImageFolder has them one deep."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from repr.catalog.divided import Parts, parts_of, split_of
from repr.catalog.names import as_text, normal
from repr.catalog.passed import Tally
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.tree import images
from repr.errors import UserError

DEEPEST = 3
LOOSE = "images in no class folder"
NO_DATA = (
    "Give a MEP-3M folder (annotation.json), an RPC folder (instances_train2019.json), class folders with images, "
    "a CSV (image, product) or a catalog"
)

File = tuple[str, ...]  # the parts of a path below the root


def read(path: Path) -> Catalog:
    """A tree of class folders as a catalog. `product` is the folder (with / when nested), the default level the deepest
    on which at least half of the images have a class: a stray folder in one class does not leave all others without.

    Top folders called train, val, test (or a usual synonym of these, see divided.py) are the splits. Files that are no images, empty
    folders and whatever else is not read are counted in `passed_over`. Raises UserError when there are no images in folders, or
    folders nest deeper than three.
    """
    passed = Tally()
    files = sorted(images(path, passed), key=_order)
    parts, skip = _parts(files)
    placed = [one for file in files if (one := _place(file, parts, skip, passed))]
    if not placed:
        lying = "; ".join(one.line() for one in passed.list())
        raise UserError(f"no data that can be read{f' ({lying})' if lying else ''}", path, NO_DATA)
    depth = max(len(classes) for _, _, classes in placed)
    if depth > DEEPEST:
        deep = next(file for file, _, classes in placed if len(classes) > DEEPEST)
        raise UserError(f"folders nest {depth} deep: {as_text('/'.join(deep))}", path, f"Give class folders at most {DEEPEST} deep")
    level = max(n for n in range(1, depth + 1) if 2 * sum(len(classes) >= n for _, _, classes in placed) >= len(placed))
    return _catalog(path, placed, level, [parts.note] if parts.note else [], passed)


def _parts(files: list[File]) -> tuple[Parts, int]:
    """The splits among the top folders, and how many folders stand above these: one where a single folder holds them all."""
    for skip in (0, 1):
        tops: dict[str, set[str]] = {}
        for file in files:
            if len(file) > skip + 1:
                tops.setdefault(file[skip], set()).add(file[skip + 1] if len(file) > skip + 2 else "")
        parts = parts_of(tops)
        if skip == 0:
            first = parts
        if parts.splits and (skip == 0 or len(set(parts.splits.values())) > 1):
            return parts, skip
        if len(tops) != 1:
            break
    return first, 0


def _place(file: File, parts: Parts, skip: int, passed: Tally) -> tuple[File, str, File] | None:
    """A file with its split and the folders that are its classes; None, counted, where it has none."""
    top = file[skip] if len(file) > skip + 1 else ""
    if parts.splits and top and top not in parts.splits:
        passed.add(f"images in the folder {as_text(top)} beside {', '.join(map(as_text, parts.splits))}", as_text("/".join(file)))
        return None
    begin = skip + 1 if top in parts.splits and top not in parts.classes else 0 if not parts.splits else skip
    classes = file[begin:-1]
    if not classes or not top:
        passed.add(LOOSE, as_text("/".join(file)))
        return None
    return file, parts.splits.get(top, ""), classes


def _catalog(path: Path, placed: list[tuple[File, str, File]], level: int, notes: list[str], passed: Tally) -> Catalog:
    levels: list[dict[str, int]] = [{}, {}, {}]
    entries: list[list[ClassName]] = [[], [], []]
    columns: dict[str, list[object]] = {name: [] for name in ("path", "product", "split", "class_1", "class_2", "class_3")}
    for file, split, own in placed:
        folders, parent = [normal(as_text(name)) for name in own], -1
        for n in range(3):
            key = "/".join(folders[: n + 1])
            if n >= len(folders):
                columns[f"class_{n + 1}"].append(-1)
                continue
            if key not in levels[n]:
                levels[n][key] = len(entries[n])
                entries[n].append(ClassName(key, folders[n], parent))
            parent = levels[n][key]
            columns[f"class_{n + 1}"].append(parent)
        columns["path"].append(as_text("/".join(file)))
        columns["product"].append("/".join(folders))
        columns["split"].append(split)
    shallow = sum(len(own) < level for _, _, own in placed)
    notes += [f"{shallow} images lie above the deepest folders and have no class on level {level}"] if shallow else []
    deeper = [own for _, _, own in placed if len(own) > level]
    notes += (
        [f"{len(deeper)} images lie deeper, such as in {'/'.join(map(as_text, deeper[0]))}; classes are those of level {level}"]
        if deeper
        else []
    )
    inner = {split for _, _, own in placed if len(own) > 1 and (split := split_of(own[-1]))}
    notes += ["folders inside the classes are called train, test or the like and are taken for classes"] if len(inner) > 1 else []
    root = path.resolve()
    source = Source(as_text(root.name), "folders", root, synthetic=(path / "synthetic.json").is_file())
    first, second, third = (tuple(level) for level in entries)
    described = {"classes": (first, second, third), "sources": (source,), "default_level": level}
    return build(dict(columns), **described, notes=tuple(notes), passed_over=passed.list())


def _order(file: File) -> tuple[list[tuple[tuple[int, str], ...]], File, File]:
    """A sorting key in which 2 comes before 10; names that agree in it, such as 1 and 01, are told apart by their letters."""
    own = tuple(map(as_text, file))
    names = tuple(unicodedata.normalize("NFC", name) for name in own)
    return [_natural(name) for name in names], names, own


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text) if part)
