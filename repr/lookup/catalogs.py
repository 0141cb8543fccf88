"""From a catalog to an index: embed its images piece by piece and store each piece as a segment."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from repr.embedding.embed import NoneReadable, embed
from repr.errors import UserError
from repr.files import held
from repr.lookup.index import Index, relative_to_root

if TYPE_CHECKING:
    from repr.catalog.table import Catalog
    from repr.images.pack import Quarantined
    from repr.models.encoder import Encoder

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
    Raises UserError when nothing is left.
    """
    if parts:
        chosen = catalog.in_split(*parts)
        if not len(chosen):
            present = sorted(set(catalog.column("split").astype(str)) - {""})
            remedy = f"Its parts are: {', '.join(present)}" if present else "It has no parts; leave `part` out"
            raise UserError(f"no images in part {', '.join(parts)}", catalog.name, remedy)
        return chosen, ""
    scenes = np.array([scene is not None for scene in catalog.column("scene")])
    if not len(catalog) or scenes.all():
        raise UserError("no product images, only checkout scenes" if len(catalog) else "no images", catalog.name, "Choose a `part`")
    left_out = f"{scenes.sum():,} boxes of checkout scenes are left out; take them in with `part`." if scenes.any() else ""
    return catalog.select(~scenes), left_out


def command_of(what: str, data: Sequence[str], parts: Sequence[str], subset: str | None) -> str:
    """The command that stores these images, without its index, wherever one stands: what an interruption leaves to be given again."""

    def fixed(path: str) -> str:
        return str(Path(path).expanduser().absolute()) if Path(path).expanduser().exists() else path

    chosen = [("--data", fixed(path)) for path in data] + [("--part", part) for part in parts]
    chosen += [("--subset", fixed(subset))] if subset else []
    return " ".join([what, *(shlex.join(option) for option in chosen)])


def add_catalog(
    index: Index,
    catalog: Catalog,
    encoder: Encoder,
    *,
    command: str = "",
    device: str = "auto",
    workers: int | None = None,
) -> Added:
    """Embed and store the catalog's images that are not in the index yet (same product, path and box).

    A segment is written after every PIECE images, so that an interrupted addition goes on where it was. `command` is noted as
    unfinished with the first; the caller ends it (`Index.end`). Raises UserError when the encoder is not the index's own, when not
    one of the catalog's images can be read, or while another process adds to the index.
    """
    with held(index.folder, "Wait until it is done"):  # what is there must not change between looking and storing
        index.reload()
        return _add(index, catalog, encoder, command, device=device, workers=workers)


def _add(index: Index, catalog: Catalog, encoder: Encoder, command: str, *, device: str, workers: int | None) -> Added:
    index.check(encoder.identity, encoder.name)
    there = index.images()
    root = Path(index.manifest.root)
    paths = [relative_to_root(file, root) for file in catalog.files()]
    keys = [str(key) for key in catalog.product_keys()]
    entries = [(k, p, None if b is None else tuple(b)) for k, p, b in zip(keys, paths, catalog.boxes(), strict=True)]
    new = [row for row, entry in enumerate(entries) if entry not in there]
    added = Added(already=len(entries) - len(new))
    for start in range(0, len(new), PIECE):
        rows = new[start : start + PIECE]
        part = catalog.select(np.array(rows))
        if len(new) > PIECE:
            log.info(f"Images {start + 1:,} to {start + len(rows):,} of {len(new):,}")
        try:
            embeddings = embed(encoder, part, device=device, workers=workers, cache=False)
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
            unfinished=command,
        )
        added.stored += len(kept)
        added.quarantine += embeddings.quarantine
    if not (added.stored or added.already):
        raise NoneReadable(added.quarantine, catalog.name)
    return added


def _texts(catalog: Catalog, column: str, rows: list[int]) -> list[str | None]:
    values = catalog.table.column(column)
    return [values[row].as_py() for row in rows]
