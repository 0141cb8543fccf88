"""What the models are given: one catalog with its texts, images and frozen features, and who is trained and tested on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repr.arrays import Bools, Floats, Ints, Pixels
from repr.catalog.splits import title_ids
from repr.catalog.table import Catalog
from repr.classify.texts import Texts
from repr.errors import UserError
from repr.files import content_key
from repr.images.known import fingerprints
from repr.images.pack import make_pack

VALIDATION = 0.1  # of the training rows: for the temperature, and for nothing else
IDENTITY = ("path", "class_1", "class_2", "class_3", "split", "box", "title", "description", "ocr")


@dataclass(frozen=True)
class Problem:
    """One level's task. labels: (n,) of every catalog row, -1 for none; train, validation, test: catalog rows, all labelled.

    held_out: whether the validation rows were taken from the training part, and are not a part of the split's own.
    """

    level: int
    labels: Ints
    names: tuple[str, ...]
    train: Ints
    validation: Ints
    test: Ints
    held_out: bool = True

    @property
    def training_part(self) -> Ints:
        """The rows of the split's training part, those held out included."""
        return np.concatenate([self.train, self.validation]) if self.held_out else self.train

    @property
    def counts(self) -> Ints:
        """(c,) training rows of each class, those held out included."""
        return np.bincount(self.labels[self.training_part], minlength=len(self.names)).astype(np.int64)


@dataclass(frozen=True)
class Features:
    """Frozen features of every catalog row. vectors: (n, d), of no meaning where there is nothing; present: (n,); name: of what made them.

    unknown: (n,) the rows with a text of which the encoder knows no term; None for encoders that know every text.
    """

    vectors: Floats
    present: Bools
    name: str
    unknown: Bools | None = None

    def known(self, rows: Ints) -> Ints:
        """Those of the training rows that are there. Raises UserError when none is."""
        present = rows[self.present[rows]]
        if not len(present):
            raise UserError(
                "no training row has anything for it to see", self.name, "Check the images and titles, or choose another `model`"
            )
        return present


class Data:
    """A catalog and its modalities, made when they are first asked for."""

    def __init__(self, catalog: Catalog, *, ocr: bool = False, mask: bool = False, hidden: frozenset[str] = frozenset()) -> None:
        self.catalog, self.ocr, self.mask, self.hidden = catalog, ocr, mask, hidden
        self.texts = Texts(catalog, ocr=ocr, mask=mask, hidden=hidden)
        self.readable: Bools | None = None  # (n,) which images could be read; None before they were
        self.memory: dict[str, object] = {}  # what rows of one kind share, such as a net that answers on all levels
        self._packs: dict[int, tuple[Pixels, Ints]] = {}

    def without(self, modality: str) -> Data:
        """The same rows with "image", "text" or, of the text, "title" or "ocr" missing from all of them."""
        return Data(self.catalog, ocr=self.ocr, mask=self.mask, hidden=self.hidden | {modality})

    def pixels(self, size: int, workers: int | None = None) -> tuple[Pixels, Ints]:
        """The images decoded to squares of `size`, (m, size, size, 3) on disk, and each catalog row's place there, -1 for unreadable."""
        if size not in self._packs:
            pack = make_pack(self.catalog, size, workers=workers)
            place = np.full(len(self.catalog), -1, np.int64)
            place[pack.rows] = np.arange(len(pack.rows))
            self._packs[size], self.readable = (pack.pixels, place), place >= 0
        return self._packs[size]

    def blind(self, modality: str) -> Bools:
        """(n,) which rows show nothing to a model of "image", "text" or "image+text" that has looked at them."""
        blind = np.ones(len(self.catalog), bool)
        if "text" in modality:
            blind &= ~self.texts.present(np.arange(len(blind)))
        if "image" in modality and "image" not in self.hidden and self.readable is not None:
            blind &= ~self.readable
        return blind

    @cached_property
    def titles(self) -> Ints:
        """(n,) equal numbers for equal titles, -1 for none."""
        return title_ids(self.catalog)

    @cached_property
    def images(self) -> str:
        """20 hex digits that change when an image's file, its size in bytes, its time or its box changes."""
        return content_key(fingerprints(self.catalog).tobytes())

    @cached_property
    def identity(self) -> str:
        """20 hex digits over what the rows hold: labels, splits, texts, paths."""
        sink = _Digest()
        table = self.catalog.table.select(list(IDENTITY))
        with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema) as writer:
            writer.write_table(table)
        for level in self.catalog.classes:
            sink.write(repr(level).encode())
        return sink.digest.hexdigest()[:20]

    def problem(self, level: int, *, seed: int = 0, finest: Ints | None = None) -> Problem:
        """Train, validation and test rows with a label on the level.

        Validation: the split's own part "val", else VALIDATION of the training rows by whole groups of one title; a class's
        last group stays in training.
        finest: (n,) the classes of which none may lose all its training rows, where they are finer than the level's.
        Raises UserError when the level has no labels, or there is nothing to train or test on.
        """
        labels, names = self.catalog.labels(level)
        if level == 3 and not pc.any(pc.greater_equal(self.catalog.table.column("class_3"), 0)).as_py():
            raise UserError("no labels on level 3", self.catalog.name, "Choose another `level`")  # the joint level would be level 2 again
        split = self.catalog.table.column("split").combine_chunks()
        of_split = {name: np.asarray(pc.equal(split, name).to_numpy(zero_copy_only=False)) for name in ("train", "val", "test")}
        train, validation, test = (np.flatnonzero(chosen & (labels >= 0)) for chosen in of_split.values())
        if not len(test) and len(validation):
            test, validation = validation, test
        for part, rows in (("training", train), ("test", test)):
            if not len(rows):
                remedy = "Choose another `level`, `split` random, or data that bring their own split"
                raise UserError(f"no {part} row has a label on level {level}", self.catalog.name, remedy)
        rng = np.random.default_rng([seed, level])
        held_out = not len(validation)
        if held_out:
            train, validation = hold_out(train, labels if finest is None else finest, self.titles, rng)
        if len(np.unique(labels[train])) < 2:
            remedy = "Choose another `level`, or give more rows (with `limit`: a higher one)"
            raise UserError(f"all training rows are of one class on level {level}", self.catalog.name, remedy)
        return Problem(level, labels, names, train, validation, test, held_out)


def each_its_own(groups: Ints) -> Ints:
    """(n,) group numbers, with one of its own for every row of none (-1)."""
    own = groups.copy()
    own[own < 0] = own.max(initial=0) + 1 + np.arange((own < 0).sum())
    return own


def hold_out(train: Ints, labels: Ints, groups: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Training rows parted in two, VALIDATION of them held out, whole groups (rows of one title); labels, groups: (catalog rows,).

    A class that would be left with nothing to train on keeps its rows.
    """
    _, own = np.unique(each_its_own(groups[train]), return_inverse=True)
    sizes = np.bincount(own)
    order = rng.permutation(len(sizes))
    chosen = np.zeros(len(sizes), bool)
    chosen[order[np.cumsum(sizes[order]) <= VALIDATION * len(train)]] = True
    held = chosen[own]
    remaining = np.bincount(labels[train[~held]], minlength=int(labels.max()) + 1)
    held &= remaining[labels[train]] > 0
    return train[~held], train[held]


class _Digest:
    """A file to write to that only keeps a digest."""

    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, block: bytes) -> int:
        """Take the block in, and return its length."""
        self.digest.update(block)
        return len(block)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
