"""A learner with the names of its classes: what an index asks, and what a file holds.

    taught = Taught(make("lda"), weights=encoder.identity)
    taught.learn(vectors, products)                      # (n, d), and n names of any kind
    taught.remove(["C+C"], vectors, products)            # vectors where `taught.learner.removal_needs` says so
    taught.save(path)
    taught = load(path, weights=encoder.identity)
    best = np.array(taught.names)[taught.scores(queries).argmax(axis=1)]

The file is a .safetensors: the learner's arrays, and under "learner" in its metadata one JSON object

    {"schema": 1, "method": "lda", "version": 2, "settings": {"shrinkage": 0.3, …}, "weights": "…", "classes": ["C+C", …], "about": {…}}

version: the method's own (`Learner.version`). weights: what the vectors were made with, as the caller calls it. classes: names of the
class numbers, ascending. about: what a learner that trains needs to make its encoder again. An array whose name ends in .T is held
transposed: products of matrices round by how these lie in memory, and a learner that was read answers to the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from repr import settings
from repr.arrays import Array, Floats
from repr.errors import UserError, nearest
from repr.files import replacing
from repr.learners import LEARNERS, learner_class, method_of
from repr.learners.learner import About, Learner
from repr.learners.stored import Arrays, Stored, Value

SCHEMA = 1  # of the file; raise it when older files are no longer read rightly
UNTAUGHT = -1  # in the place of the number of a class that the learner does not have
AGAIN = "Teach the learner again"


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """What a file says of the learner; see above."""

    schema: int
    method: str
    version: int
    settings: dict[str, Value]
    weights: str
    classes: list[str]
    about: About


@dataclass(kw_only=True, eq=False)
class Taught:
    """A learner, and the names that its classes have elsewhere: ids of products, any text.

    weights: what the vectors are made with, such as `Weights.identity`; "" where nothing was said. numbers: class number of each name, in
    the order in which they came, which is ascending; the number of a class that was removed may go to a later one.
    """

    learner: Learner = field(kw_only=False)
    weights: str = ""
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Classes that the learner was taught without names are called by their numbers."""
        classes = self.learner.classes_.tolist()
        numbers = self.numbers or {str(number): number for number in classes}
        self.numbers = dict(sorted(numbers.items(), key=lambda pair: pair[1]))
        assert list(self.numbers.values()) == classes, "names of other classes than those that were taught"

    @property
    def names(self) -> tuple[str, ...]:
        """(C,) the name of each column of `scores`."""
        return tuple(self.numbers)

    def learn(self, x: Array, names: Sequence[str]) -> None:
        """Teach a step: x as `Learner.learn` takes it, and the name of each row's class. Raises UserError as it does."""
        new = dict(self.numbers)
        last = next(reversed(new.values()), -1)
        for name in names:
            if name not in new:
                last = new[name] = last + 1
        self.learner.learn(x, np.array([new[name] for name in names], dtype=np.int64))
        self.numbers = new

    def remove(self, names: Iterable[str], x: Array | None = None, names_of_x: Sequence[str] | None = None) -> None:
        """Forget classes by their names. x, names_of_x: what was taught, where `Learner.removal_needs` says that it is needed.

        Raises UserError as `Learner.remove` does, and for a name that was never taught, with the nearest.
        """
        distinct = dict.fromkeys(names)
        for name in distinct:
            if name not in self.numbers:
                raise UserError(f"{name!r} was never taught", "", nearest(name, self.numbers) if self.numbers else "Teach it first")
        y = None if names_of_x is None else np.array([self.numbers.get(name, UNTAUGHT) for name in names_of_x], dtype=np.int64)
        self.learner.remove([self.numbers[name] for name in distinct], x, y)
        self.numbers = {name: number for name, number in self.numbers.items() if name not in distinct}

    def scores(self, x: Array) -> Floats:
        """(n, C) float32, columns as `names`; a softmax over a row gives probabilities."""
        return self.learner.scores(x)

    def known(self, x: Array) -> Floats:
        """(n,) float32, higher for what is more surely one of the classes taught."""
        return self.learner.known(x)

    def predict(self, x: Array) -> list[str]:
        """The name of the class with the highest score, for each row."""
        names = self.names
        return [names[column] for column in self.learner.scores(x).argmax(axis=1)]

    def save(self, path: Path) -> None:
        """Write learner and names, whole or not at all."""
        assert list(self.numbers.values()) == self.learner.classes_.tolist(), "the learner was taught past its names"
        values = cast(dict[str, Value], settings.values(self.learner))
        values.pop("device", None)  # of the machine
        learner = self.learner
        header = Header(SCHEMA, method_of(learner), learner.version, values, self.weights, list(self.numbers), learner.about())
        metadata = {"learner": json.dumps(msgspec.to_builtins(header))}  # ASCII: names may be no valid Unicode
        with replacing(Path(path)) as temporary:
            save_file(dict(_laid_out(name, array) for name, array in learner.arrays().items()), temporary, metadata)


def load(path: Path, *, weights: str | None = None, device: str = "auto") -> Taught:
    """The learner of a file that `Taught.save` has written, with its names.

    weights: what vectors are made with now; None for no check. device: of a learner that trains. Raises UserError for a file that is
    cut short or another, one of a newer or an older version or of other weights, and what in it does not fit.
    """
    path = Path(path)
    header, arrays = _read(path)
    if header.method not in LEARNERS:
        raise UserError(f"there is no learner {header.method!r}", path, nearest(header.method, LEARNERS))
    cls = learner_class(header.method)
    if header.version != cls.version:
        what = f"version {header.version} of {header.method}, not {cls.version}"
        raise _other_version(path, what, newer=header.version > cls.version)
    if weights not in (None, header.weights):
        what = f"it was taught with the weights {header.weights or 'of no name'}, not {weights}"
        raise UserError(what, path, "Give those weights, or teach it again with these")
    values = settings.from_mapping(cls, header.settings, str(path))
    if "device" in cls.takes:
        values["device"] = device
    stored = Stored(arrays, str(path))
    learner = cls.blank(values, header.about, stored)
    learner.restore(stored)
    stored.finish()
    numbers = dict(zip(header.classes, learner.classes_.tolist(), strict=False))
    if not len(numbers) == len(header.classes) == len(learner.classes_):
        raise stored.misfit(f"{len(header.classes)} names, {len(numbers)} of them different, for {len(learner.classes_)} classes")
    return Taught(learner, weights=header.weights, numbers=numbers)


def _read(path: Path) -> tuple[Header, Arrays]:
    """Header and arrays of a file. Raises UserError when there is none, when it is cut short or something else, and for another schema."""
    if not path.is_file():
        raise UserError("there is no such file", path, "Check the path")
    try:
        with safe_open(path, framework="numpy") as stream:
            text = (stream.metadata() or {}).get("learner")
            if text is None:
                raise UserError("not a saved learner", path, "Give a file that a learner was saved to")
            header = _header(path, json.loads(text))
            arrays = dict(_as_it_lay(name, stream.get_tensor(name)) for name in stream.keys())  # noqa: SIM118  # it is no dictionary
    except (SafetensorError, OSError, TypeError) as error:  # a TypeError for kinds that NumPy has not
        raise UserError(f"cut short, or not a saved learner ({error})", path, "Fetch the file again, or teach the learner again") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise UserError(f"what it says of itself is broken ({error})", path, AGAIN) from None
    return header, arrays


def _header(path: Path, content: object) -> Header:
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema != SCHEMA:  # its other fields may be others
        raise _other_version(path, f"version {schema} of the file, not {SCHEMA}", newer=schema > SCHEMA)
    return msgspec.convert(content, Header)


def _other_version(path: Path, what: str, *, newer: bool) -> UserError:
    age = "a newer" if newer else "an older"
    return UserError(f"{what}: written by {age} version of this program", path, "Update it" if newer else AGAIN)


def _laid_out(name: str, array: Array) -> tuple[str, Array]:
    """An array with its rows one after the other, as the file holds it; one with its columns so transposed, which its name says."""
    if array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous:
        return f"{name}.T", array.T
    return name, np.ascontiguousarray(array).reshape(array.shape)  # NumPy makes of no dimension one


def _as_it_lay(name: str, array: Array) -> tuple[str, Array]:
    return (name[:-2], array.T) if name.endswith(".T") else (name, array)
