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
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from repr.errors import UserError, nearest

T = TypeVar("T")
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Setting:
    """One declared setting.

    kind: bool, int, float or str. optional: whether None stands for what the owner chooses itself. low, high: limits, inclusive unless
    `above` (then low itself is out). choices: the only values, if not empty. many: whether the value is a tuple of `kind`.
    """

    name: str
    kind: type
    default: Any
    help: str
    optional: bool = False
    many: bool = False
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()

    @property
    def limits(self) -> str:
        """What it takes, in words; "" where anything of its kind will do."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        low = f"{'above' if self.above else 'from'} {self.low:g}"
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{low} to {self.high:g}"
        if math.isfinite(self.low):
            return low if self.above else f"{self.low:g} or more"
        return f"at most {self.high:g}" if math.isfinite(self.high) else ""

    def checked(self, value: Any, where: str = "") -> Any:
        """The value, a whole number as a float where that is wanted. Raises UserError for one of another kind or beyond the limits."""
        if value is None and self.optional:
            return None
        if self.many:
            single = dataclasses.replace(self, many=False)
            return tuple(single.checked(part, where) for part in value)
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind) or (self.kind is not bool and isinstance(value, bool)):
            raise UserError(f"{self.name} is {value!r}, not {WORDS[self.kind]}", where, self._remedy(), argument=self.name)
        if self.choices and value not in self.choices:
            raise UserError(f"{self.name} is {value!r}", where, nearest(str(value), self.choices), argument=self.name)
        if isinstance(value, int | float) and self.kind is not bool:
            inside = self.low <= value <= self.high and math.isfinite(value) and not (self.above and value == self.low)
            if not inside:
                raise UserError(f"{self.name} is {value:g}", where, self._remedy(), argument=self.name)
        return value

    def read(self, text: str, where: str = "") -> Any:
        """The value that a text stands for: "0.5", "true". Raises UserError for text of another kind and values beyond the limits."""
        try:
            value = TRUTHS[text.lower()] if self.kind is bool else self.kind(text)
        except (KeyError, ValueError):
            raise UserError(f"{self.name}={text} is not {WORDS[self.kind]}", where, self._remedy(), argument=self.name) from None
        return self.checked(value, where)

    def _remedy(self) -> str:
        return f"It takes {self.limits or WORDS[self.kind]}"


def setting(
    default: T,
    help: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    choices: Sequence[str] = (),
) -> T:
    """A dataclass field with its limits and its help. Typed as its default, as `dataclasses.field` is."""
    metadata = {"help": help, "low": low, "high": high, "above": above, "choices": tuple(choices)}
    field: T = dataclasses.field(default=default, metadata=metadata)
    return field


def declared(owner: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in the order in which they are declared; fields that are no settings are left out."""
    hints = get_type_hints(owner)
    found = {}
    for field in dataclasses.fields(owner):
        if "help" in field.metadata:
            kind, optional, many, choices = _kind(hints[field.name])
            limits = dict(field.metadata)
            limits["choices"] = limits["choices"] or choices
            found[field.name] = Setting(field.name, kind, field.default, optional=optional, many=many, **limits)
    return found


def check(instance: Any) -> None:
    """Check every setting of a dataclass instance against its declaration; numbers become floats where those are wanted."""
    for name, one in declared(type(instance)).items():
        object.__setattr__(instance, name, one.checked(getattr(instance, name)))


def values(instance: Any) -> dict[str, Any]:
    """The settings of an instance as they stand, JSON-able."""
    read = {name: getattr(instance, name) for name in declared(type(instance))}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in read.items()}


def from_mapping(owner: type, given: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Keywords for the constructor of `owner` from a config file's values, checked. Raises UserError for an unknown name."""
    known = declared(owner)
    for name in given:
        _require(name, known, where)
    return {name: known[name].checked(tuple(value) if isinstance(value, list) else value, where) for name, value in given.items()}


def parse(owner: type, text: str, where: str, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Keywords for the constructor of `owner` from "shrinkage=0.5,root=true"; empty text gives none.

    where: what the text belongs to, for errors. without: settings that are not set here, as if there were none of these names.
    Raises UserError for an unknown name, with the nearest, one given twice, and bad values.
    """
    known, found = _declared(owner, without), dict[str, Any]()
    for part in text.split(",") if text else ():
        name, _, value = (word.strip() for word in part.partition("="))
        if not name:
            raise UserError("a setting without a name", where, "Write setting=value")
        _require(name, known, where)
        if name in found:
            raise UserError(f"{name} is set twice", where, "Give it once")
        found[name] = known[name].read(value, where)
    return found


def explained(owner: type, *, without: Collection[str] = ()) -> list[str]:
    """A line a setting, for --help: name, default, limits, help; none of those named in `without`."""
    lines = []
    for one in _declared(owner, without).values():
        usual = "its own choice" if one.default is None else str(one.default).lower() if one.kind is bool else f"{one.default}"
        told = "; ".join(filter(None, (f"default {usual}", one.limits)))
        lines.append(f"{one.name} ({told}): {one.help}")
    return lines


def _declared(owner: type, without: Collection[str]) -> dict[str, Setting]:
    return {name: one for name, one in declared(owner).items() if name not in without}


def _require(name: str, known: Mapping[str, Setting], where: str) -> None:
    if name not in known:
        remedy = nearest(name, known) if known else "It has no settings of its own"
        raise UserError(f"there is no setting {name!r}", where, remedy)


def _kind(hint: Any) -> tuple[type, bool, bool, tuple[str, ...]]:
    """The plain type of an annotation, whether None is allowed, whether it is a tuple of it, and the choices of a Literal."""
    parts = [part for part in get_args(hint) if part is not types.NoneType] if get_origin(hint) is types.UnionType else [hint]
    optional, hint = len(parts) < len(get_args(hint)), parts[0]
    many = get_origin(hint) is tuple
    hint = get_args(hint)[0] if many else hint
    if get_origin(hint) is Literal:
        return str, optional, many, tuple(get_args(hint))
    assert hint in WORDS and len(parts) == 1, f"a setting of type {hint}"
    return hint, optional, many, ()
