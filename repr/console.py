"""What all commands share: lazy loading, common options, results to stdout, words to stderr, errors in one place.

Imports nothing heavy, so that --help answers at once.
"""

from __future__ import annotations

import errno
import importlib
import io
import json
import logging
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from tqdm import tqdm

from repr import progress
from repr.crops import checked
from repr.errors import UserError, nearest
from repr.files import cache_dir

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")

SPACE, PLACE = "Free some space, or choose another folder with --out", "Check the path, or choose another with --out"
CACHE = "Set REPR_CACHE to a folder that can be written; it holds only what can be made again"
# What the system may refuse wherever a path is opened, and what helps.
REFUSALS = {
    errno.ENOSPC: ("the disk is full", SPACE),
    errno.EDQUOT: ("your share of the disk is full", SPACE),
    errno.EROFS: ("the disk is read-only", PLACE),
    errno.EACCES: ("no permission", PLACE),
    errno.EPERM: ("no permission", PLACE),
    errno.EISDIR: ("is a folder, where a file is wanted", PLACE),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", PLACE),
    errno.EEXIST: ("is there already, and is not a folder", PLACE),
    errno.ENAMETOOLONG: ("the name is too long", PLACE),
}


class LazyGroup(click.Group):
    """A group whose commands are named in a plain table, name → "module:attribute", and imported when they are asked for."""

    def __init__(self, *args: Any, table: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.table, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        module, attribute = self.table[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            raise UserError(f"no such command: {args[0]}", "", nearest(args[0], known))
        return super().resolve_command(ctx, args)


def run(group: click.Command, program: str) -> None:
    """Run a program's command group and turn every way it can end into an exit code.

    0 done, 1 failed (a fault of ours, with a traceback), 2 wrong usage or input (one line), 130 interrupted, by Ctrl-C or SIGTERM.
    With --json an error is one JSON object on stdout.
    Arguments that the library names (`UserError.argument`, words in backticks) are printed as the options of the command.
    """
    as_json = "--json" in sys.argv
    signal.signal(signal.SIGTERM, _as_interrupt(os.getpid()))
    _any_terminal()
    try:
        with told():
            code = group.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()  # a closed pipe is told here and not after the end
        sys.exit(code if isinstance(code, int) else 0)
    except UserError as error:
        _fail(_with_options(error, group, sys.argv[1:]), as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        hint = f"Try '{error.ctx.command_path} --help'" if error.ctx else ""
        where = error.param.opts[0] if isinstance(error, click.BadParameter) and error.param and error.message else ""
        _fail(UserError((error.message if where else error.format_message()).rstrip("."), where, hint), as_json)
    except click.ClickException as error:
        _fail(UserError(error.format_message()), as_json)
    except (KeyboardInterrupt, click.Abort):
        say("Interrupted. What a run folder already holds is kept.")
        sys.exit(130)
    except BrokenPipeError:
        _to_nowhere()
        sys.exit(0)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        message, remedy = REFUSALS[error.errno]
        place = os.fsdecode(error.filename2 or error.filename or "")
        _fail(UserError(message, place, CACHE if place and Path(place).is_relative_to(cache_dir()) else remedy), as_json)


def _any_terminal() -> None:
    """Whatever the terminal's encoding lacks is printed as an escape (LANG=C, latin-1), and so are names that are no text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _to_nowhere() -> None:
    """Nobody reads any more: what is still to be printed, at the end of Python too, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())


def _with_options(error: UserError, group: click.Command, typed: Sequence[str]) -> UserError:
    """The error in the words of the command line: options of the command that was typed in the place of arguments."""
    command = group
    for word in typed:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word) or command
    options: dict[str, str] = {}
    for param in command.params:
        names = (param.name, *(option.lstrip("-").replace("-", "_") for option in param.opts))
        options |= {name: param.opts[0] for name in names if name and param.opts[0].startswith("-")}

    def named(text: str) -> str:
        return re.sub(r"`(\w+)`", lambda match: options.get(match[1], match[0]), text)

    where = named(error.where) or options.get(error.argument, error.argument)
    return UserError(named(error.message), where, named(error.remedy))


def _as_interrupt(process: int) -> Callable[[int, FrameType | None], None]:
    """A handler that ends this process as Ctrl-C does, half-written files removed, and the workers it forked at once."""

    def handle(number: int, _: FrameType | None) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt
        os._exit(128 + number)

    return handle


def _fail(error: UserError, as_json: bool) -> None:
    try:
        if as_json:
            print(_json({"error": error.as_json()}), flush=True)
        click.secho(f"Error: {error}", fg=None if "NO_COLOR" in os.environ else "red", err=True)
    except BrokenPipeError:
        _to_nowhere()
    sys.exit(2)


def say(text: str) -> None:
    """A line for the person at the terminal: to stderr, so that results can be piped."""
    click.echo(text, err=True)


def emit(value: Any) -> None:
    """The command's one JSON object, on stdout, with `passed_over` of the data that were read. NaN is not JSON: pass None for it."""
    click.echo(_json({**value, "passed_over": value.get("passed_over", _passed_over)} if isinstance(value, dict) else value))


def _json(value: Any) -> str:
    """One line of JSON that any terminal can print: letters that it lacks are escaped, as JSON has it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False)
    return text


class _Bar(tqdm):  # type: ignore[misc]
    """tqdm's bar with the one more word that `repr.progress.Bar` has."""

    def describe(self, text: str) -> None:
        """Text before the count."""
        self.set_description_str(text, refresh=False)


def bar(total: int | None, what: str, unit: str = "it", *, done: int = 0, scale: bool = False) -> progress.Bar:
    """A bar on stderr, as `repr.progress.Make` says.

    Where stderr is not a terminal it keeps quiet for ten seconds, and then says something every ten seconds.
    """
    pause = 0.5 if sys.stderr.isatty() else 10
    delay = 0 if sys.stderr.isatty() else pause
    shown: progress.Bar = _Bar(
        total=total,
        initial=done,
        desc=what,
        unit=unit,
        unit_scale=scale,
        file=sys.stderr,
        dynamic_ncols=True,
        mininterval=pause,
        delay=delay,
        leave=False,
    )
    return shown


_passed_over: list[Any] = []  # of the sources read by this command, as they are told


class _Lines(logging.Handler):
    """Messages as plain lines on stderr, above a bar if one is shown. One that tells what was passed over is kept for the JSON too."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message."""
        if getattr(record, "passed_over", None) not in (None, *_passed_over):
            _passed_over.append(record.__dict__["passed_over"])
        words = "Warning: " if record.levelno >= logging.WARNING else ""
        tqdm.write(words + record.getMessage(), file=sys.stderr)


@contextmanager
def told() -> Iterator[None]:
    """Meanwhile what the library tells (`repr.progress`) goes to stderr: messages as lines, counts as bars."""
    handler, loggers = _Lines(), [logging.getLogger(name) for name in ("repr", "rpc_transfer")]
    levels = [logger.level for logger in loggers]
    detach = progress.attach(bar)
    _passed_over.clear()
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        detach()
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


def _config(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value:
        from repr.files import read_json

        content = read_json(Path(value))
        arguments = content.get("arguments") if isinstance(content, dict) else None
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
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.PROMPT)
    return {name for name in ctx.params if ctx.get_parameter_source(name) in given}


def refuse_typed(ctx: click.Context, names: Collection[str], why: str, remedy: str) -> None:
    """Raise UserError when one of the options was typed: here it would do nothing."""
    options = {param.name: param.opts[0] for param in ctx.command.params}
    if useless := sorted(options[name] for name in typed(ctx) & set(names)):
        raise UserError(f"{' and '.join(useless)} would do nothing: {why}", "", remedy)


def json_option(command: Command) -> Command:
    """--json: the result as exactly one JSON object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on standard output.")(command)


def config_option(command: Command) -> Command:
    """--config: the arguments of an earlier run as defaults; what is typed wins."""
    return click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_config,
        help="Take the options from a run's config.json; what is typed wins.",
    )(command)


def data_option(command: Command) -> Command:
    """--data (also --root), repeatable. Reaches the function as `data: tuple[str, ...]`; empty means the default."""
    return click.option(
        "--data",
        "--root",
        "data",
        multiple=True,
        metavar="PATH",
        help="MEP-3M or RPC, class folders, CSV or catalog. Repeat for a union. Default: $MEP3M_ROOT or $RPC_ROOT, else synthetic.",
    )(command)


def label_options(command: Command) -> Command:
    """--level and --subset: which labels, which part."""
    command = subset_option(command)
    return click.option("--level", type=click.IntRange(1, 3), help="Class level of the labels. Default: the source's usual one.")(command)


def subset_option(command: Command) -> Command:
    """--subset: which part."""
    return click.option("--subset", metavar="NAME", help="A named part, such as mep-for-rpc, or a CSV file of class ids.")(command)


def split_option(command: Command) -> Command:
    """--split random|grouped for sources that bring no split of their own."""
    return click.option(
        "--split",
        type=click.Choice(["random", "grouped"]),
        default="grouped",
        show_default=True,
        help="How to divide a source that has no split of its own.",
    )(command)


def machine_options(command: Command) -> Command:
    """--device and --workers."""
    command = click.option("--workers", type=click.IntRange(0), default=None, help="Images decoded at a time. Default: one a core.")(
        command
    )
    return click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")(command)


def out_option(what: str) -> Callable[[Command], Command]:
    """--out PATH for `what`."""

    def decorate(command: Command) -> Command:
        return click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help=f"Where to write {what}.")(command)

    return decorate


def seed_option(command: Command) -> Command:
    """--seed N, default 0; below 2^32, which every library takes."""
    seeds = click.IntRange(0, 2**32 - 1)
    return click.option("--seed", type=seeds, default=0, show_default=True, help="Seed of everything drawn by chance.")(command)


class Crops(click.ParamType[tuple[float, ...]]):
    """Shares of a image's side with commas, such as 1,0.5."""

    name = "crops"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The text typed, or the list of a config.json, as `crops.checked` numbers."""
        try:
            crops = tuple(map(float, value.split(",") if isinstance(value, str) else value))
        except (TypeError, ValueError):
            self.fail(f"{value!r} are not numbers with commas, such as 1,0.5", param, ctx)
        return checked(crops)


def crops_option(usual: str = "as the weights say, else 1") -> Callable[[Command], Command]:
    """--crops: the shares of a image that are embedded and averaged. usual: the default in words."""

    def decorate(command: Command) -> Command:
        told = "Embed each image's middle at these shares of its side and average; 1 is all of it, 1,0.5 takes twice the time."
        return click.option("--crops", type=Crops(), metavar="S[,S…]", help=f"{told} Default: {usual}.")(command)

    return decorate


class Between(click.FloatRange):
    """click's range of numbers, which lets "nan" through, without it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click's."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number
