"""Records: dataclasses that are written as JSON and read back, checked against their own annotations.

    @dataclass(frozen=True)
    class Metric:
        mean: float
        ci95: float | None
        values: tuple[float | None, ...]

    to_json(Metric(0.5, None, (0.5,)))       {"mean": 0.5, "ci95": None, "values": [0.5]}
    from_json(Metric, {"mean": "much"}, path)     UserError: mean is 'much' …

A field's type may be bool, int, float, str, None, a `Literal`, another record, `tuple[X, ...]`, `Mapping[str, X]`, or a union of these.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from repr.errors import UserError

SCHEMA = 1  # of the objects that programs are given: that commands print with --json, and that the service answers
Scalar = str | int | float | bool | None
Json = Scalar | Sequence["Json"] | Mapping[str, "Json"]
T = TypeVar("T")


def to_json(value: object) -> Json:
    """A record, or tuples and mappings of records, as what `json` writes. Floats must be finite: NaN is not JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_json(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(part) for part in value]
    assert value is None or isinstance(value, str | int | float), f"a {type(value).__name__} is no JSON"
    return value


def from_json(kind: type[T], content: object, where: str | Path = "") -> T:
    """The record of a class from what `to_json` made of it.

    where: the file, for errors. Raises UserError that names the first field that is missing, unknown or of another type.
    """
    try:
        return cast(T, _read(kind, content, ""))
    except _Wrong as wrong:
        raise UserError(f"a missing or wrong field ({wrong})", where, "Write the file again") from None


class _Wrong(Exception):
    """What is wrong with a value, and at which place."""


def _read(hint: object, value: object, place: str) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _read_one_of(arguments, value, place)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _read_record(hint, value, place)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_read(arguments[0], part, f"{place}[{i}]") for i, part in enumerate(value))
    if isinstance(origin, type) and issubclass(Mapping, origin) and isinstance(value, Mapping):
        return {str(name): _read(arguments[1], part, _inside(place, name)) for name, part in value.items()}
    if origin is Literal and value in arguments:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise _Wrong(f"{place or 'the content'} is {value!r:.60}")


def _read_one_of(hints: tuple[object, ...], value: object, place: str) -> object:
    """A value of a union: as the member of its very type, else as the first that takes it (a float takes a whole number)."""
    if type(value) in hints:
        return value
    for hint in hints:
        try:
            return _read(hint, value, place)
        except _Wrong as wrong:
            if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
                raise wrong from None
    raise _Wrong(f"{place} is {value!r:.60}")


def _read_record(kind: type, value: object, place: str) -> object:
    if not isinstance(value, Mapping):
        raise _Wrong(f"{place or 'the content'} is {value!r:.60}")
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise _Wrong(f"{_inside(place, name)} is not known")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if name not in value and required:
            raise _Wrong(f"there is no {_inside(place, name)}")
    return kind(**{name: _read(hints[name], part, _inside(place, name)) for name, part in value.items()})


@cache
def _hints(kind: type) -> dict[str, object]:
    """A record's annotations, read once: that takes longer than a small record itself."""
    return get_type_hints(kind)


def _inside(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)
