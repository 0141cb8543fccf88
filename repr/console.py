"""What all programs share: lazy loading, results to stdout, words to stderr, errors in one place. Options: `repr.options`.

Imports nothing heavy, so that --help answers at once.
"""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from tqdm import tqdm

from repr import progress
from repr.errors import UserError, nearest

SCHEMA = 1  # of the objects that --json prints

SPACE, PLACE = "Free some space, or choose another folder with --out", "Check the path, or choose another with --out"
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
    try:
        with told():
            code = group.main(prog_name=program, standalone_mode=False)
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        _fail(UserError(REFUSALS[error.errno][0], error.filename or "", REFUSALS[error.errno][1]), as_json)


def _with_options(error: UserError, group: click.Command, typed: Sequence[str]) -> UserError:
    """The error in the words of the command line: options of the command that was typed in the place of arguments."""
    command = group
    for word in typed:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word) or command
    where = spelled(error.where, command) or _options(command).get(error.argument, error.argument)
    return UserError(spelled(error.message, command), where, spelled(error.remedy, command))


def spelled(text: str, command: click.Command | None) -> str:
    """A text of the library, in which arguments stand in backticks, with the options of a command in their place."""
    options = _options(command) if command else {}
    return re.sub(r"`(\w+)`", lambda match: options.get(match[1], match[0]), text)


def _options(command: click.Command) -> dict[str, str]:
    """How the arguments of a command are typed: by their own names, and by those of their options."""
    options: dict[str, str] = {}
    for param in command.params:
        names = (param.name, *(option.lstrip("-").replace("-", "_") for option in param.opts))
        options |= {name: param.opts[0] for name in names if name and param.opts[0].startswith("-")}
    return options


def _as_interrupt(process: int) -> Callable[[int, FrameType | None], None]:
    """A handler that ends this process as Ctrl-C does, half-written files removed, and the workers it forked at once."""

    def handle(number: int, _: FrameType | None) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt
        os._exit(128 + number)

    return handle


def _fail(error: UserError, as_json: bool) -> None:
    if as_json:
        emit({"error": error.as_json()})
    click.secho(f"Error: {error}", fg="red", err=True)
    sys.exit(2)


def say(text: str) -> None:
    """A line for the person at the terminal: to stderr, so that results can be piped."""
    click.echo(text, err=True)


def emit(value: Mapping[str, Any]) -> None:
    """The command's one JSON object, on stdout, with the version of its form. NaN is not JSON: pass None for what does not apply."""
    click.echo(json.dumps({"schema": SCHEMA, **value}, ensure_ascii=False, allow_nan=False))


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


class _Lines(logging.Handler):
    """Messages as plain lines on stderr, above a bar if one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message, with the options of the command at work in the place of arguments."""
        words = "Warning: " if record.levelno >= logging.WARNING else ""
        context = click.get_current_context(silent=True)
        tqdm.write(words + spelled(record.getMessage(), context.command if context else None), file=sys.stderr)


@contextmanager
def told() -> Iterator[None]:
    """Meanwhile what the library tells (`repr.progress`) goes to stderr: messages as lines, counts as bars."""
    handler, loggers = _Lines(), [logging.getLogger(name) for name in ("repr", "rpc_transfer")]
    levels = [logger.level for logger in loggers]
    detach = progress.attach(bar)
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
