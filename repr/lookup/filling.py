"""Bringing images into a store: what is new is embedded and stored a piece at a time: an interruption loses no more than that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from repr import progress
from repr.arrays import Floats
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.images.decoded import Quarantined
from repr.images.reader import name_of
from repr.lookup import own
from repr.lookup.plan import Incoming, Plan, plan
from repr.lookup.store import NewImage, Product, Store, StoredImage

log = logging.getLogger(__name__)

PIECE = 256  # images a transaction: what an interruption can lose


@dataclass
class Changes:
    """What was done to an index, in images: stored, put in the place of others, given a new path, taken out, left as they were.

    kept: those among what the data lack that stay, since they lie in the index's own folder alone. quarantine: those that cannot be read,
    with the reason.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    kept: int = 0
    quarantine: list[Quarantined] = field(default_factory=list)

    @property
    def usable(self) -> int:
        """How many images that came in are stored now."""
        return self.added + self.updated + self.moved + self.unchanged

    def as_json(self) -> dict[str, int]:
        """The counts that a command's JSON has."""
        counts = {name: getattr(self, name) for name in ("added", "updated", "moved", "removed", "unchanged", "kept")}
        return {**counts, "quarantined": len(self.quarantine)}

    def words(self) -> str:
        """The same in words."""
        words = [f"{self.added} images added", *(f"{n} {what}" for what in ("updated", "moved", "removed") if (n := getattr(self, what)))]
        kept = f", {self.kept} that were given one by one stay" if self.kept else ""
        return f"{', '.join(words)} ({self.unchanged} were there, {len(self.quarantine)} left out as unreadable{kept})."


def fill(
    store: Store,
    embedder: Callable[[], Embedder],
    incoming: Sequence[Incoming],
    products: Mapping[str, Product],
    stored: Sequence[StoredImage],
    exists: Callable[[str], bool],
    *,
    what: str,
    whole: bool = False,
    dry_run: bool = False,
    index: str = "",
) -> Changes:
    """Store images and what is known of their products; returns what was done.

    embedder: makes the encoder ready, which is not needed where nothing is new. stored: what the store has of these products (all of
    it with `whole`). exists, whole: as for `plan`. what: the command, for the store's log. dry_run: only say what would be done. index: its
    name, which changes with its weights. Nothing is taken out where no image can be read. Raises UserError when the name changes meanwhile.
    """
    todo = plan(incoming, stored, exists, whole=whole)
    changes = Changes(moved=len(todo.moved), removed=len(todo.removed), unchanged=todo.unchanged, kept=todo.kept)
    _say(todo, incoming)
    if dry_run:
        changes.quarantine = [Quarantined(name_of(incoming[row].source, row), "cannot be read") for row in todo.unreadable]
        changes.added, changes.updated = len(todo.new) - len(todo.replaces), len(todo.replaces)
        return changes
    there = {*todo.moved.values(), *(image.path for image in stored)}
    lost = [one for one in incoming if one.kept and one.path in there and not one.kept.is_file()]
    if todo.moved or lost:
        with store.change(what) as change:
            _keep(lost)
            change.move(todo.moved)
    _embed(store, embedder, incoming, products, todo, changes, what, index)
    if not changes.usable:  # such as broken files alone: the caller tells it, and nothing goes for them
        changes.removed = 0
    elif todo.removed:  # last, so that what only changes its product keeps its features
        with store.change(what) as change:
            change.remove_images(todo.removed)
            change.remove_empty_products({image.product for image in stored})  # not those that never had an image
    _describe(store, products, what)
    return changes


def _embed(
    store: Store,
    embedder: Callable[[], Embedder],
    incoming: Sequence[Incoming],
    products: Mapping[str, Product],
    todo: Plan,
    changes: Changes,
    what: str,
    index: str,
) -> None:
    """Embed and store the new images, and find out why others cannot be read."""
    positions = sorted([*todo.new, *todo.unreadable])
    with progress.bar(len(positions), "Embedding", "image") as bar:
        for start in range(0, len(positions), PIECE):
            rows = positions[start : start + PIECE]
            images = [incoming[row] for row in rows]
            read = {row: known for row, image in zip(rows, images, strict=True) if (known := _known(store, image)) is not None}
            fresh = [row for row in rows if row not in read]
            if fresh:
                made = embedder().images([incoming[row].source for row in fresh], [incoming[row].drawn for row in fresh])
                changes.quarantine += made.quarantine
                read |= {fresh[place]: features for place, features in zip(made.rows, made.features, strict=True)}
            new = {row: _stored(incoming[row], features) for row, features in read.items() if incoming[row].content is not None}
            old = [todo.replaces[row] for row in new if row in todo.replaces]
            with store.change(what) as change:
                if store.setting("name") != index:
                    raise UserError("the index was made anew with other weights meanwhile", store.file.parent, "Give the command again")
                _keep([incoming[row] for row in new])
                change.put_products({image.product: products[image.product] for image in new.values()}.values())
                change.add(list(new.values()))
                change.remove_images(old)
            changes.updated += len(old)
            changes.added += len(new) - len(old)
            bar.update(len(rows))


def _keep(images: Sequence[Incoming]) -> None:
    """Write those that lie nowhere else into the index's folder; within a change of it, see `repr.lookup.own`."""
    for one in images:
        if one.kept is not None:
            assert isinstance(one.source, bytes)
            own.keep(one.kept, one.source)


def _known(store: Store, one: Incoming) -> Floats | None:
    """The features of an image that the index has of another product already, such as a file that was moved to another folder."""
    return None if one.content is None else store.features_of_same(one.content, one.box)


def _stored(one: Incoming, features: Floats) -> NewImage:
    assert one.content is not None
    return NewImage(one.product, one.path, one.content, features, one.box)


def _describe(store: Store, products: Mapping[str, Product], what: str) -> None:
    """Bring names, barcodes and categories of stored products to what is known of them now."""
    there = {product.id: product for product in store.products().values()}
    changed = [product for id_, product in products.items() if id_ in there and _after(there[id_], product) != there[id_]]
    with store.change(what) as change:
        change.put_products(changed)


def _after(before: Product, given: Product) -> Product:
    """What a product is when it is stored again: what is not given stays."""
    return Product(before.id, given.name or before.name, given.barcode or before.barcode, given.category or before.category)


def _say(todo: Plan, incoming: Sequence[Incoming]) -> None:
    if todo.replaces:
        paths = sorted(incoming[position].path for position in todo.replaces)
        log.info(f"{len(paths):,} files have changed since they were stored, such as {paths[0]}: their images are replaced.")
    if todo.moved:
        log.info(f"{len(todo.moved):,} images lie elsewhere now, such as {min(todo.moved.values())}: they get their new paths.")
