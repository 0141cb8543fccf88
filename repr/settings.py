"""Settings of learners, methods, models and runs: each is declared once, as a field of a dataclass, and read from there.

    @dataclass(kw_only=True, eq=False)
    class LDA(Learner):
        shrinkage: float = setting(0.3, "0 to 1; 1 is the nearest class mean", low=0, high=1)
        root: bool = setting(False, "take the signed square root of every feature first")

The annotation is the type (`float | None` where the owner chooses by itself); default, limits and help stand in `setting`. The
constructor, `lda:shrinkage=0.5` (`parse`), config files (`from_mapping`), `--help` and the command line's options all read that.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from repr.errors import UserError, nearest
from repr.records import Json

T = TypeVar("T")
Plain = bool | int | float | str
Value = Plain | tuple[Plain, ...] | None  # of a setting
Keywords = dict[str, Any]  # checked values by name, for the constructor of the class that declares them
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Setting:
    """One declared setting.

    kind: bool, int, float or str. optional: whether None stands for what the owner chooses itself. low, high: limits, inclusive unless
    `above` (then low itself is out) or `below` (high is). choices: the only values, if not empty. words: texts that may stand where a
    number is wanted, such as "all". many: whether the value is a tuple of `kind`. usual: the default in words, where its value says
    nothing. metavar: what a value is called in help. group: the section of the help that it belongs to.
    """

    name: str
    kind: type
    default: Value
    help: str
    optional: bool = False
    many: bool = False
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    usual: str = ""
    metavar: str = ""
    group: str = ""

    @property
    def limits(self) -> str:
        """What it takes, in words; "" where anything of its kind will do."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.words:
            return ", ".join(filter(None, [replace(self, words=()).limits, f"or {' or '.join(self.words)}"]))
        low, high = (f"{limit:g}" if abs(limit) < 1e6 else f"{limit:.0f}" for limit in (self.low, self.high))
        least = f"{'above' if self.above else 'from'} {low}"
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{least} to {'below ' if self.below else ''}{high}"
        if math.isfinite(self.low):
            return least if self.above else f"{low} or more"
        return f"{'below' if self.below else 'at most'} {high}" if math.isfinite(self.high) else ""

    @property
    def usually(self) -> str:
        """The default in words; "" where there is nothing to say of it."""
        if self.usual or self.default is None:
            return self.usual
        if isinstance(self.default, tuple):
            return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in self.default)
        return str(self.default).lower() if self.kind is bool else f"{self.default}"

    def checked(self, value: object, where: str = "") -> Value:
        """The value, a whole number as a float where that is wanted. Raises UserError for one of another kind or beyond the limits."""
        if value is None and self.optional:
            return None
        if self.many:
            if not isinstance(value, tuple | list):
                raise UserError(f"{self.name} is {value!r}, not a list", where, "Give the values in a tuple", argument=self.name)
            single = replace(self, many=False)
            return tuple(single._checked_one(part, where) for part in value)
        return self._checked_one(value, where)

    def _checked_one(self, value: object, where: str) -> Plain:
        if isinstance(value, str) and value in self.words:
            return value
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        is_plain = isinstance(value, self.kind) and (self.kind is bool or not isinstance(value, bool))
        if not (is_plain and isinstance(value, bool | int | float | str)):
            raise UserError(f"{self.name} is {value!r}, not {WORDS[self.kind]}", where, self._remedy(), argument=self.name)
        if self.choices and value not in self.choices:
            raise UserError(f"{self.name} is {value!r}", where, nearest(str(value), self.choices), argument=self.name)
        if isinstance(value, int | float) and self.kind is not bool:
            inside = self.low <= value <= self.high and math.isfinite(value)
            inside = inside and not (self.above and value == self.low) and not (self.below and value == self.high)
            if not inside:
                raise UserError(f"{self.name} is {value:g}", where, self._remedy(), argument=self.name)
        return value

    def read(self, text: str, where: str = "") -> Plain:
        """The value that a text stands for: "0.5", "true". Raises UserError for text of another kind and values beyond the limits."""
        if text in self.words:
            return text
        try:
            value = TRUTHS[text.lower()] if self.kind is bool else self.kind(text)
        except (KeyError, ValueError):
            raise UserError(f"{self.name}={text} is not {WORDS[self.kind]}", where, self._remedy(), argument=self.name) from None
        return self._checked_one(value, where)

    def _remedy(self) -> str:
        return f"It takes {self.limits or WORDS[self.kind]}"


def setting(
    default: T,
    help: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
    choices: Sequence[str] = (),
    usual: str = "",
    metavar: str = "",
    group: str = "",
) -> T:
    """A dataclass field with its limits and its help, as `Setting` has them. Typed as its default, as `dataclasses.field` is."""
    metadata = {"help": help, "low": low, "high": high, "above": above, "below": below, "choices": tuple(choices)}
    metadata |= {"usual": usual, "metavar": metavar, "group": group}
    field: T = dataclasses.field(default=default, metadata=metadata)
    return field


def again(owner: type, name: str, *, usual: str) -> Any:
    """The field of another dataclass that declares this setting, where only the default in words is another."""
    (field,) = (field for field in dataclasses.fields(owner) if field.name == name)
    return dataclasses.field(default=field.default, metadata={**field.metadata, "usual": usual})


def declared(owner: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in the order in which they are declared; fields that are no settings are left out."""
    hints = get_type_hints(owner)
    settings = {}
    for field in dataclasses.fields(owner):
        if "help" in field.metadata:
            kind = _kind(hints[field.name])
            limits = {**field.metadata, "choices": field.metadata["choices"] or kind.choices}
            settings[field.name] = Setting(
                field.name, kind.plain, cast(Value, field.default), optional=kind.optional, many=kind.many, words=kind.words, **limits
            )
    return settings


def check(instance: object) -> None:
    """Check every setting of a dataclass instance against its declaration; numbers become floats where those are wanted."""
    for name, one in declared(type(instance)).items():
        object.__setattr__(instance, name, one.checked(getattr(instance, name)))


def values(instance: object) -> dict[str, Json]:
    """The settings of an instance as they stand, JSON-able."""
    standing: dict[str, Value] = {name: getattr(instance, name) for name in declared(type(instance))}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in standing.items()}


def from_mapping(owner: type, mapping: Mapping[str, object], where: str = "") -> Keywords:
    """Keywords for the constructor of `owner` from a config file's mapping, checked. Raises UserError for an unknown name."""
    known = declared(owner)
    for name in mapping:
        _require(name, known, where)
    return {name: known[name].checked(tuple(value) if isinstance(value, list) else value, where) for name, value in mapping.items()}


def parse(owner: type, text: str, where: str, *, without: Collection[str] = ()) -> Keywords:
    """Keywords for the constructor of `owner` from "shrinkage=0.5,root=true"; empty text gives none.

    where: what the text belongs to, for errors. without: settings that are not set here, as if there were none of these names.
    Raises UserError for an unknown name, with the nearest, one given twice, and bad values.
    """
    known, keywords = _declared(owner, without), Keywords()
    for part in text.split(",") if text else ():
        name, _, value = (word.strip() for word in part.partition("="))
        if not name:
            raise UserError("a setting without a name", where, "Write setting=value")
        _require(name, known, where)
        if name in keywords:
            raise UserError(f"{name} is set twice", where, "Give it once")
        keywords[name] = known[name].read(value, where)
    return keywords


def explained(owner: type, *, without: Collection[str] = ()) -> list[str]:
    """A line a setting, for --help: name, default, limits, help; none of those named in `without`."""
    lines = []
    for one in _declared(owner, without).values():
        usual = one.usually or ("its own choice" if one.default is None else "")
        facts = "; ".join(filter(None, (usual and f"default {usual}", one.limits)))
        lines.append(f"{one.name} ({facts}): {one.help}" if facts else f"{one.name}: {one.help}")
    return lines


def _declared(owner: type, without: Collection[str]) -> dict[str, Setting]:
    return {name: one for name, one in declared(owner).items() if name not in without}


def _require(name: str, known: Mapping[str, Setting], where: str) -> None:
    if name not in known:
        remedy = nearest(name, known) if known else "It has no settings of its own"
        raise UserError(f"there is no setting {name!r}", where, remedy)


class _Kind(NamedTuple):
    """What an annotation says of a setting."""

    plain: type
    optional: bool
    many: bool
    choices: tuple[str, ...]
    words: tuple[str, ...]


def _kind(hint: object) -> _Kind:
    """Of an annotation: the plain type, whether None is allowed, whether it is a tuple of it, the choices or words of a Literal."""
    parts = list(get_args(hint)) if get_origin(hint) in (types.UnionType, Union) else [hint]
    texts = tuple(text for part in parts if get_origin(part) is Literal for text in get_args(part))
    plain = [part for part in parts if part is not types.NoneType and get_origin(part) is not Literal]
    kind = plain[0] if plain else str
    many = get_origin(kind) is tuple
    kind = get_args(kind)[0] if many else kind
    if get_origin(kind) is Literal:
        texts, kind, plain = get_args(kind), str, []
    assert kind in WORDS and len(plain) <= 1, f"a setting of type {hint}"
    return _Kind(kind, types.NoneType in parts, many, () if plain else texts, texts if plain else ())
