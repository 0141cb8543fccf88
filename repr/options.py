"""Options of commands: declared settings (`repr.settings`) as click options, those that commands share, and help in sections.

Type, limits, default and help of a setting stand in its declaration alone; a command names the declarations that it takes.
Imports nothing heavy, so that --help answers at once.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypedDict, TypeVar, Unpack, cast

import click
from click.core import ParameterSource

from repr.crops import checked
from repr.errors import UserError, nearest
from repr.files import check_writable, read_json
from repr.machine import DOWNLOAD, use_threads
from repr.settings import Setting, Value, declared
from repr.shared import Cropped, Divided, Labelled, Machine, Part, Seeded, Source, Writing

Function = TypeVar("Function", bound=Callable[..., object])
Lists = Mapping[str, Sequence[tuple[str, str]]]  # heading -> names and what they mean

SECTIONS = ("what", "data", "model", "training", "output", "machine")
MANY = 10  # options; the help of a command with more is in sections
SHARED = {
    name: one for owner in (Source, Part, Labelled, Divided, Cropped, Seeded, Machine, Writing) for name, one in declared(owner).items()
}
ALIASES = {"data": ("--data", "--root")}  # spelled so wherever they stand


class Decorator(Protocol):
    """Adds something to a function or a command, and gives it back."""

    def __call__(self, function: Function, /) -> Function:
        """The function, with what was added."""


class Attributes(TypedDict, total=False):
    """What commands say of their own options, as click has it."""

    type: object
    required: bool
    default: object
    show_default: bool
    metavar: str
    help: str
    multiple: bool
    is_flag: bool
    flag_value: object
    is_eager: bool
    expose_value: bool
    callback: Callable[..., object]


class Command(click.Command):
    """A command whose options stand in SECTIONS when they are many. lists: what stands below them."""

    lists: Mapping[str, Sequence[tuple[str, str]]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, by section."""
        self._format_sections(ctx, formatter)
        for heading, rows in self.lists.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _format_sections(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        shown = [(getattr(option, "section", "output"), option.get_help_record(ctx)) for option in options]
        records = [(section, record) for section, record in shown if record is not None]
        if len(records) <= MANY:
            super().format_options(ctx, formatter)
            return
        for section in SECTIONS:
            if rows := [record for of, record in records if of == section]:
                with formatter.section(section.capitalize()):
                    formatter.write_dl(rows)


class Option(click.Option):
    """An option that belongs to a section of the help."""

    def __init__(self, names: Sequence[str] | None = None, section: str = "what", **attributes: Any) -> None:
        super().__init__(names, **attributes)
        assert section in SECTIONS, section
        self.section = section


def command(name: str | None = None, *, lists: Lists | None = None) -> Callable[[Callable[..., object]], Command]:
    """click's decorator, for a `Command`."""

    def _made(function: Callable[..., object]) -> Command:
        built = click.command(name, cls=Command)(function)
        built.lists = lists or {}
        return built

    return _made


def option(*names: str, section: str = "what", **attributes: Unpack[Attributes]) -> Decorator:
    """click's decorator, for an `Option`."""
    return click.option(*names, cls=Option, section=section, **attributes)


class Declared(click.ParamType[Value]):
    """The type of a setting's option: its own declaration reads and checks the value. Numbers may stand together, with commas."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.name = setting.kind.__name__

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        """What was typed, or what a config file holds; a tuple where several numbers are typed at once."""
        one = replace(self.setting, many=False)
        if not isinstance(value, str):
            return one.checked(value)
        if self.setting.many and one.kind is not str:
            return tuple(one.read(part.strip()) for part in value.split(","))
        return one.read(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What stands for the value in help."""
        setting = self.setting
        if setting.metavar or setting.choices:
            return setting.metavar or f"[{'|'.join(setting.choices)}]"
        word = {int: "N", float: "X", str: "TEXT"}[setting.kind]
        if setting.words:
            return "|".join([word, *setting.words])
        return f"{word}[,{word}…]" if setting.many and setting.kind is not str else word


def of(
    owner: type, *, spelled: Mapping[str, str] | None = None, bare: Mapping[str, Value] | None = None, without: Collection[str] = ()
) -> Decorator:
    """An option for every setting that a dataclass declares, in their order; the function gets them by the settings' names.

    spelled: options that are called otherwise than their setting ("--one/--other" for a switch). bare: the values that options have
    when they are typed without one. without: settings that are no options.
    """
    settings = [one for name, one in declared(owner).items() if name not in without]
    options = [_option(one, (spelled or {}).get(one.name, ""), (bare or {}).get(one.name)) for one in settings]
    return _in_order([*options, *([_threads_option] if any(one.name == "device" for one in settings) else [])])


def shared(*names: str, **usual: str) -> Decorator:
    """The options of SHARED by their settings' names, in order. usual: their default in words, where it is another here."""
    options = [_option(replace(SHARED[name], usual=usual.get(name, SHARED[name].usual))) for name in names]
    return _in_order([*options, *([_threads_option] if "device" in names else [])])


def _in_order(decorators: Sequence[Decorator]) -> Decorator:
    """All of them, the first on top."""

    def _decorated(function: Function, /) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return _decorated


def _threads_option(function: Function) -> Function:
    """--threads, of every command that has --device. It counts before the command itself, which loads PyTorch."""
    text = "Threads that compute; 1 beside much other work.  [default: one a core]"
    kind = click.IntRange(1)
    return option(
        "--threads", type=kind, metavar="N", section="machine", help=text, is_eager=True, expose_value=False, callback=_use_threads
    )(function)


def _use_threads(ctx: click.Context, _: click.Parameter, value: int | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        use_threads(value)


def listed(owners: Mapping[str, type]) -> list[tuple[str, str]]:
    """What can be set of each of `owners`, by name, for `command(lists=…)`: "simclr:temperature" and what it means."""
    return [(f"{owner}:{one.name}", _help(one)) for owner, kind in owners.items() for one in declared(kind).values()]


def _option(one: Setting, spelled: str = "", bare: Value = None) -> Decorator:
    name = spelled or f"--{one.name.replace('_', '-')}"
    if one.kind is bool:
        switch = name if "/" in name or one.default is False else f"{name}/--no-{name.removeprefix('--')}"
        return option(switch, one.name, default=one.default, is_flag=True, section=one.group or "what", help=_help(one))
    attributes = Attributes(type=Declared(one), help=_help(one, bare))
    if one.many:
        attributes |= {"multiple": True, "callback": _crops if one.name == "crops" else _together}
    else:
        attributes |= {"default": one.default}
    if bare is not None:
        attributes |= {"is_flag": False, "flag_value": bare}
    names = ALIASES.get(one.name, (name,))
    return option(*names, one.name, section=one.group or "what", **attributes)


def _help(one: Setting, bare: Value = None) -> str:
    """A declaration in a line: help, whether it can be repeated, default, limits. Settings stand there in backticks."""
    default = "" if one.kind is bool and one.default is False else one.usually
    facts = [
        "repeatable" if one.many and one.kind is str else "",
        default and f"default: {default}",
        "" if one.choices else one.limits,
        "" if bare is None else f"bare: {bare}",
    ]
    bounds = "; ".join(filter(None, facts))
    text = f"{one.help}  [{bounds}]" if bounds else one.help
    return re.sub(r"`(\w+)`", lambda name: f"--{name[1].replace('_', '-')}", text)


def _together(ctx: click.Context, param: click.Parameter, values: Sequence[Value]) -> tuple[Value, ...]:
    """The values of a repeated option as one tuple: "1,5" typed at once and 1 and 5 typed apart are the same."""
    return tuple(part for value in values for part in (value if isinstance(value, tuple) else (value,)))


def _crops(ctx: click.Context, param: click.Parameter, values: Sequence[Value]) -> tuple[float, ...]:
    """As `_together`, each crop once and in order; () where none are typed."""
    crops = cast(tuple[float, ...], _together(ctx, param, values))
    return checked(crops) if crops else ()


class Written(click.Path):
    """A path that a command writes to: that it can is made sure of before the command begins."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """As click's. Raises OSError where nothing can be written."""
        path = super().convert(cast("str | Path", value), param, ctx)
        assert isinstance(path, Path)
        check_writable(path)
        return path


WRITTEN = Written()


def out_option(what: str, default: Path | None = None) -> Decorator:
    """--out PATH for `what`."""
    text = f"Where to write {what}." + (f"  [default: {default}]" if default else "")
    return option("--out", type=WRITTEN, metavar="PATH", section="output", default=default, help=text)


def weights_option(*, more: str = "", default: str | None = "imagenet", **attributes: Any) -> Decorator:
    """--weights, as `repr.models.weights.read_weights` takes them. more: what else. default: in words; None: it is needed."""
    text = f"Run folder, weights file, folder of timm, open_clip or transformers, name of timm's, imagenet{more}."
    text += f"  [default: {default}]" if default else ""
    return option("--weights", metavar="W", section="model", required=default is None, help=text, **attributes)


def size_option(function: Function) -> Function:
    """--size: the side of images in pixels, where it is not that of the weights."""
    text = "Image side.  [default: that of the weights]"
    return option("--size", type=click.IntRange(16), metavar="PX", section="model", help=text)(function)


def json_option(function: Function) -> Function:
    """--json: the result as exactly one JSON object on stdout."""
    text = "Print the result as one JSON object on standard output."
    return option("--json", "as_json", is_flag=True, section="output", help=text)(function)


def download_option(function: Function) -> Function:
    """--download: published weights that are named and not here may be fetched, by this process and those that it starts."""
    text = "Fetch published weights that are named and not on this machine; else nothing is ever fetched."
    return option("--download", is_flag=True, section="model", help=text, is_eager=True, expose_value=False, callback=_download)(function)


def _download(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DOWNLOAD] = "1"


def config_option(function: Function) -> Function:
    """--config: the arguments of an earlier run as defaults; what is typed wins."""
    text = "Take the options from a run's config.json; what is typed wins."
    return option("--config", metavar="FILE", section="output", help=text, is_eager=True, expose_value=False, callback=_config)(function)


def _config(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value:
        content = read_json(Path(value))
        arguments = content.get("typed") if isinstance(content, dict) else None
        if not isinstance(arguments, dict):
            raise UserError("no arguments in it", value, "Give the config.json of a run folder")
        known = {p.name for p in ctx.command.params}
        for name in arguments:
            if name not in known:
                raise UserError(f"{ctx.command_path} has no option {name}", value, nearest(name, known))
        ctx.default_map = {**(ctx.default_map or {}), **arguments}
    return value


def typed(ctx: click.Context) -> set[str]:
    """Names of the parameters that were typed: neither defaults nor of --config."""
    sources = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.PROMPT)
    return {name for name in ctx.params if ctx.get_parameter_source(name) in sources}


def refuse_typed(ctx: click.Context, names: Collection[str], why: str, remedy: str) -> None:
    """Raise UserError when one of the options was typed: here it would do nothing."""
    options = {param.name: param.opts[0] for param in ctx.command.params}
    if useless := sorted(options[name] for name in typed(ctx) & set(names)):
        raise UserError(f"{' and '.join(useless)} would do nothing: {why}", "", remedy)


class Between(click.FloatRange):
    """click's range of numbers, which lets "nan" through, without it."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click's."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number
