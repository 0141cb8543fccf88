"""What an experiment asks for: its TOML file, and the steps that it comes to."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from repr.errors import UserError
from repr.records import Scalar, from_json

Values = str | tuple[Scalar, ...]  # of an option; a text names an arm's list
NO_OPTIONS: Mapping[str, Values] = {}


class Failed(Exception):
    """A step that cannot be run, or found nothing: another that it needs has failed, or no row of it ran."""


@dataclass(frozen=True)
class Command:
    """A step. out: its name, which is that of its output too. run: the command, with `{data}`, `{out}` and others to be filled in.

    each: it stands for a step a combination of these options' values. grid: of one option, the values that it is tried with.
    """

    out: str
    run: str
    each: Mapping[str, Values] = field(default_factory=dict)
    grid: Mapping[str, Values] = field(default_factory=dict)

    def filled(self, values: Mapping[str, Scalar]) -> Command:
        """With `{option}` in its name and its command filled in."""
        out, run = self.out, self.run
        for option, value in values.items():
            out, run = (text.replace(f"{{{option}}}", str(value)) for text in (out, run))
        return replace(self, out=out, run=run)

    def needs(self) -> list[str]:
        """The names of the steps whose best or whose output it takes, of a grid those for all its values."""
        ((option, values),) = self.grid.items() or [("", ("",))]
        runs = {self.run.replace(f"{{{option}}}", str(value)) for value in values}
        named = [match for run in sorted(runs) for match in re.findall(r"\{best:([^{}]+)\}|\{out\}/(\S+)", run)]
        return [best or output for best, output in named]

    def template(self, values: Mapping[str, str]) -> str:
        """The command with all but the two places filled in: it says what was made, wherever that lies. Raises as `fill`."""
        return fill(self.run, {**values, "data": "{data}", "out": "{out}"})


@dataclass(frozen=True)
class Compare:
    """Every row of `steps` set against the row of the step `against`: the only one, or that of `learner`."""

    steps: tuple[str, ...]
    against: str
    learner: str = ""

    @property
    def named(self) -> str:
        """What the rows are set against, in words."""
        return ", ".join(filter(None, (self.against, self.learner)))


@dataclass(frozen=True)
class Plan:
    """An experiment. arms: what is filled in and what lists stand where `each` or `grid` name them, once through all steps for each."""

    title: str
    steps: tuple[Command, ...]
    arms: tuple[Mapping[str, Values], ...] = (NO_OPTIONS,)
    compare: tuple[Compare, ...] = ()

    def commands(self) -> list[Command]:
        """The steps, those of every arm, and those with `each` once for every combination of its values; what arms share once.

        Raises UserError for two steps of one name, and for one that takes what a later one finds.
        """
        steps = [one for arm in self.arms for step in self.steps for one in _each(_of_arm(step, arm))]
        once: dict[str, Command] = {}
        for one in steps:
            if once.setdefault(one.out, one) != one:
                raise UserError(f"two steps are called {one.out}", "", "Give each its own `out`")
            if later := [name for name in one.needs() if name not in once and name in {other.out for other in steps}]:
                raise UserError(f"{one.out} takes {', '.join(later)}, which comes after it", "", "Put what is needed first")
        return list(once.values())


def read(path: Path) -> Plan:
    """An experiment's file. Raises UserError for fields that are missing, unknown or of another type, and for a word with two meanings."""
    plan = from_json(Plan, tomllib.loads(path.read_text(encoding="utf-8")), path)
    words = {name for arm in plan.arms for name, value in arm.items() if isinstance(value, str)}
    for step in plan.steps:
        if twice := words & {*step.each, *step.grid}:
            what = f"{', '.join(sorted(twice))} of {step.out} is a word of the arms too, which would be filled in for it"
            raise UserError(what, path, "Call one of them otherwise")
    return plan


def fill(command: str, values: Mapping[str, str]) -> str:
    """The command with what stands in braces filled in. Raises Failed for what is not known."""
    missing = [name for name in re.findall(r"\{([^{}]+)\}", command) if name not in values]
    if missing:
        raise Failed(f"nothing is known of {', '.join(missing)}")
    return re.sub(r"\{([^{}]+)\}", lambda match: values[match[1]], command)


def _of_arm(step: Command, arm: Mapping[str, Values]) -> Command:
    words = {name: value for name, value in arm.items() if isinstance(value, str)}
    each, grid = ({option: arm[of] if isinstance(of, str) else of for option, of in options.items()} for options in (step.each, step.grid))
    return replace(step, each=each, grid=grid).filled(words)


def _each(step: Command) -> Iterator[Command]:
    lists: Iterable[Values] = step.each.values()
    for combination in itertools.product(*lists):
        yield step.filled(dict(zip(step.each, combination, strict=True)))
