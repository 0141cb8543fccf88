"""From a catalog to an index: embed its images piece by piece and store each piece as a segment."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from repr.catalog.once import once
from repr.catalog.table import Catalog
from repr.embedding.embeddings import NoneReadable
from repr.errors import UserError
from repr.files import held
from repr.images.boxes import Box, DrawnBox
from repr.images.contents import image_hashes
from repr.images.pack import Quarantined
from repr.images.reader import Unreadable, upright_box
from repr.lookup.index import Index, relative_to_root

log = logging.getLogger(__name__)

PIECE = 16_384  # images a segment: what an interruption can lose


@dataclass
class Added:
    """What an addition did: images stored, images that were there already, images that cannot be read."""

    stored: int = 0
    already: int = 0
    quarantine: list[Quarantined] = field(default_factory=list)


def common_root(catalog: Catalog) -> Path:
    """The folder that a new index's image paths start from: the source's root, or what several sources have in common."""
    return Path(os.path.commonpath([source.root.absolute() for source in catalog.sources]))


def stored_part(catalog: Catalog, parts: Sequence[str]) -> tuple[Catalog, str]:
    """The rows that an index takes, and a sentence about those left out ("" when none are).

    parts: "train", "val", "test"; without any, everything but the boxes of checkout scenes, which are queries, not stock.
    An image that several files hold is taken once for each of its products. Raises UserError when nothing is left.
    """
    if parts:
        chosen = catalog.in_split(*parts)
        if not len(chosen):
            present = sorted(set(catalog.column("split").astype(str)) - {""})
            remedy = f"Its parts are: {', '.join(present)}" if present else "It has no parts; leave `part` out"
            raise UserError(f"no images in part {', '.join(parts)}", catalog.name, remedy)
        return once(chosen), ""
    scenes = np.array([scene is not None for scene in catalog.column("scene")])
    if not len(catalog) or scenes.all():
        raise UserError("no product images, only checkout scenes" if len(catalog) else "no images", catalog.name, "Choose a `part`")
    left_out = f"{scenes.sum():,} boxes of checkout scenes are left out; take them in with `part`." if scenes.any() else ""
    return once(catalog.select(~scenes) if scenes.any() else catalog), left_out


def command_of(what: str, data: Sequence[str], parts: Sequence[str], subset: str | None) -> str:
    """The command that stores these images, without its index, wherever one stands: what an interruption leaves to be given again."""

    def fixed(path: str) -> str:
        """A path that holds from whatever folder the command is given again."""
        return str(Path(path).expanduser().absolute()) if Path(path).expanduser().exists() else path

    chosen = [("--data", fixed(path)) for path in data] + [("--part", part) for part in parts]
    chosen += [("--subset", fixed(subset))] if subset else []
    return " ".join([what, *(shlex.join(option) for option in chosen)])


def add_catalog(index: Index, catalog: Catalog, *, command: str = "") -> Added:
    """Embed and store the catalog's images that are not in the index yet (same product, content of the file, and box).

    A product is known by its own id, whatever else is added with it. A file that has changed is another image; what was stored of it
    before stays, and that is said.

    A segment is written after every PIECE images, so that an interrupted addition goes on where it was. `command` is noted as
    unfinished with the first; the caller ends it (`Index.end`). Raises UserError when not one of the catalog's images can be read,
    when two sources call different products by one id, or while another process adds to the index.
    """
    with held(index.folder, "Wait until it is done"):  # what is there must not change between looking and storing
        index.reload()
        return _add(index, catalog, command)


def _add(index: Index, catalog: Catalog, command: str) -> Added:
    there = index.images()
    root = Path(index.manifest.root)
    files = catalog.files()
    paths = [relative_to_root(file, root) for file in files]
    keys = own_ids(catalog)
    contents = [content or None for content in image_hashes(files).tolist()]  # None for those that cannot be read
    boxes = [_on_file(file, box) for file, box in zip(files, catalog.boxes(), strict=True)]
    entries = list(zip(keys, contents, boxes, strict=True))
    known, new = set(there), list[int]()
    for row, entry in enumerate(entries):
        if contents[row] is None or entry not in known:
            new.append(row)
            known.add(entry)
    added = Added(already=len(entries) - len(new))
    _say_changed({paths[row] for row in new} & set(there.values()))
    for start in range(0, len(new), PIECE):
        rows = new[start : start + PIECE]
        part = catalog.select(np.array(rows))
        if len(new) > PIECE:
            log.info(f"Images {start + 1:,} to {start + len(rows):,} of {len(new):,}")
        try:
            embeddings = index.embedder.catalog(part, keep=False)
        except NoneReadable as none:
            added.quarantine += none.quarantine
            continue
        kept = [rows[i] for i in embeddings.rows]
        index.add_vectors(
            embeddings.vectors,
            [keys[row] for row in kept],
            [paths[row] for row in kept],
            boxes=[entries[row][2] for row in kept],
            names=_texts(catalog, "name", kept),
            barcodes=_texts(catalog, "barcode", kept),
            contents=[contents[row] for row in kept],
            unfinished=command,
        )
        added.stored += len(kept)
        added.quarantine += embeddings.quarantine
    if not (added.stored or added.already):
        raise NoneReadable(added.quarantine, catalog.name)
    return added


def _on_file(file: Path, box: Box | None) -> Box | None:
    """The box on the upright image of the file, as the index keeps it; as it is where that cannot be told, which decoding then says."""
    if not isinstance(box, DrawnBox):
        return box
    try:
        upright = upright_box(file, box)
    except Unreadable:
        return box
    x, y, w, h = (float(np.float32(number)) for number in upright)
    return x, y, w, h


def _say_changed(paths: set[str]) -> None:
    if paths:
        log.info(
            f"{len(paths):,} files have changed since they were stored, such as {min(paths)}: they are stored as other images, and the "
            "earlier ones stay. Remove a product and add it again to have its present images alone."
        )


def own_ids(catalog: Catalog) -> list[str]:
    """The id of every row's product as its own source has it, so that an index knows it whatever else is given.

    Raises UserError when two sources have one id for what cannot be one product: of different names, or two sets in MEP-3M's form,
    where the ids are paths.
    """
    ids = [str(id_) for id_ in catalog.column("product")]
    if len(catalog.sources) == 1:
        return ids
    names: dict[str, tuple[int, str | None]] = {}
    for id_, source, name in zip(ids, catalog.column("source").tolist(), catalog.column("name").tolist(), strict=True):
        first, called = names.setdefault(id_, (source, name))
        if first == source:
            continue
        of_paths = any(catalog.sources[one].kind == "mep3m" for one in (first, source))
        if of_paths or (called and name and called != name):
            where = f"{catalog.sources[first].name} and {catalog.sources[source].name}"
            words = f" ({called} and {name})" if called and name else ""
            raise UserError(f"both have a product {id_}{words}", where, "Put them into an index each, or give the products other ids")
    return ids


def _texts(catalog: Catalog, column: str, rows: list[int]) -> list[str | None]:
    values = catalog.table.column(column)
    return [values[row].as_py() for row in rows]
