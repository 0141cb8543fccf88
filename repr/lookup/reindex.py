"""Other weights for an index that goes on answering: features beside the old ones in index.db, switched in one transaction at the end.

What is embedded anew is committed a piece at a time, in `next_features`; the same command goes on where one was stopped. The weights lie
beside the old ones, by their identity, until the switch has been committed; who opens the index next gives them their name.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from repr import progress
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.images.boxes import Box
from repr.images.contents import file_digests
from repr.lookup.building import Look
from repr.lookup.filling import PIECE
from repr.lookup.info import MadeWith, recorded
from repr.lookup.store import Store, StoredImage
from repr.lookup.weights import beside, made_with, weights_file
from repr.models.weights import write_weights

log = logging.getLogger(__name__)

NEXT = "next"  # the setting that says which weights features are made of meanwhile
NAMED = 3  # images that are named one by one


def begin(store: Store, folder: Path, look: Look) -> MadeWith:
    """Note what is made of which weights; what was begun of others is dropped. Raises UserError where nothing would change."""
    made = made_with(weights := look.taken(cut_out=store.cut_out()))
    now = recorded(store)
    if now == made:
        raise UserError(f"the index is of the weights {made['name']} already, at {made['size']} px", folder, "Name others")
    if store.setting(NEXT) == made and (now["identity"] == made["identity"] or beside(folder, made["identity"]).is_file()):
        log.info(f"Going on: {store.next_count():,} images are embedded anew already.")
        return made
    if now["identity"] != made["identity"]:
        write_weights(beside(folder, made["identity"]), weights)
    before = cast("MadeWith | None", store.setting(NEXT))
    with store.change("reindex") as change:
        change.clear_next()
        change.settings({NEXT: made})
    if before and before["identity"] not in (made["identity"], now["identity"]):
        beside(folder, before["identity"]).unlink(missing_ok=True)
    return made


def run(store: Store, folder: Path, made: MadeWith, embedder: Embedder, file: Callable[[str], Path]) -> int:
    """Embed every stored image anew and switch; returns how many there are. file: where an image is by its path.

    Raises UserError, and goes on with the old weights, when an image cannot be read or is another now, and when another reindex has begun
    meanwhile, or has ended.
    """
    lost: dict[int, str] = {}
    with progress.bar(store.counts()[1] - store.next_count(), "Embedding anew", "image") as bar:
        while True:
            images = store.without_next(PIECE, besides=lost)
            if images:
                lost |= _embed(store, made, embedder, images, file)
                bar.update(len(images))
            elif lost := {id_: path for id_, path in lost.items() if store.image(id_) is not None}:
                break
            elif _switched(store, made):
                weights_file(folder, made["identity"])
                return store.counts()[1]
    named = ", ".join(list(lost.values())[:NAMED])
    raise UserError(
        f"{len(lost):,} images cannot be embedded anew, such as {named}",
        folder,
        "Put them back, say where they lie with `repr index move`, or take them out with `repr index sync`; then give the command again",
    )


def _embed(store: Store, made: MadeWith, embedder: Embedder, images: Sequence[StoredImage], file: Callable[[str], Path]) -> dict[int, str]:
    """Store the new features of images; those that cannot be read, or are others now, by id, with the path."""
    files = [file(image.path) for image in images]
    contents = file_digests(files)
    there = [place for place, image in enumerate(images) if contents[place] == image.content]
    embeddings = embedder.images([files[place] for place in there], [cast("Box | None", images[place].box) for place in there])
    read = [images[there[row]].id for row in embeddings.rows]
    with store.change("reindex") as change:
        _check_next(store, made)
        change.put_next(read, embeddings.features)
    return {image.id: image.path for image in images if image.id not in set(read)}


def _switched(store: Store, made: MadeWith) -> bool:
    """Put the new features in the place of the old, unless images have come that have none yet. The index's name changes with them."""
    with store.change("reindex") as change:
        _check_next(store, made)
        if store.without_next(1):
            return False
        change.switch_to_next()
        change.settings({"weights": made, "name": uuid.uuid4().hex, NEXT: None})
    return True


def _check_next(store: Store, made: MadeWith) -> None:
    """Raise UserError unless these are the weights that features are made of meanwhile: of two encoders they must not mix."""
    if store.setting(NEXT) != made:
        raise UserError(
            f"another reindex began meanwhile, or has ended; this one, to {made['name']} at {made['size']} px, is given up",
            store.file.parent,
            "See `repr index info`; give the command again if these weights are wanted",
        )
