"""What all programs share: lazy loading, results to stdout, words to stderr, errors in one place. Options: `repr.options`.

Imports nothing heavy, so that --help answers at once.
"""

from __future__ import annotations

import errno
import importlib
import io
import json
import logging
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click
from tqdm import tqdm

from repr import progress, worker
from repr.errors import UserError, nearest
from repr.files import cache_dir
from repr.machine import wait_briefly
from repr.records import SCHEMA

SPACE, PLACE = "Free some space, or choose another folder", "Check the path, or choose another"
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

    def __init__(self, name: str | None = None, *, table: Mapping[str, str] | None = None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.table = table or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return [*self.table, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, whose module is imported now; None where there is none."""
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        module, attribute = self.table[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's. Raises UserError, with the nearest name, for a command that is not there."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            raise UserError(f"no such command: {args[0]}", "", nearest(args[0], known))
        return super().resolve_command(ctx, args)


def run(group: click.Command, program: str) -> None:
    """Run a program's command group and turn every way it can end into an exit code.

    0 done, 1 failed (a fault of ours, with a traceback), 2 wrong usage or input (one line), 130 interrupted, by Ctrl-C or SIGTERM.
    With --json an error is one JSON object on stdout.
    Arguments that the library names (`UserError.argument`, words in backticks) are printed as the options of the command.
    One of several processes leaves word for their launcher (`repr.worker`), and its work done it is gone: libraries whose threads
    outlive the interpreter have been seen to abort it, which would look like a failure.
    """
    wait_briefly()
    try:
        _run(group, program)
    except SystemExit as end:
        if not worker.launched():
            raise
        code = end.code if isinstance(end.code, int) else 0
    except Exception:
        if not worker.launched():
            raise
        worker.record(traceback.format_exc())
        code = 1
        if worker.speaks():
            traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(group: click.Command, program: str) -> None:
    """As `run`, by sys.exit or an exception."""
    as_json = "--json" in sys.argv
    signal.signal(signal.SIGTERM, _as_interrupt(os.getpid()))
    _any_terminal()
    stdout, stderr = sys.stdout, sys.stderr
    try:
        with listening():
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
    except SystemExit:
        if sys.stdout is stdout:
            raise
        sys.stdout, sys.stderr = stdout, stderr  # click has wrapped them, to end with 1, because nobody reads on
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
    where = spelled(error.where, command) or _options(command).get(error.argument, "")
    return UserError(spelled(error.message, command), where, spelled(error.remedy, command), argument=error.argument)


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

    def _handle(number: int, _: FrameType | None) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt if worker.speaks() else SystemExit(130)  # click writes an empty line for the first
        os._exit(128 + number)

    return _handle


def _fail(error: UserError, as_json: bool) -> None:
    worker.record(str(error), error)
    try:
        if as_json and worker.speaks():
            print(_json({"schema": SCHEMA, "error": error.as_json()}), flush=True)
        if worker.speaks():
            click.secho(f"Error: {error}", fg=None if "NO_COLOR" in os.environ else "red", err=True)
    except BrokenPipeError:
        _to_nowhere()
    sys.exit(2)


def say(text: str) -> None:
    """A line for the person at the terminal: to stderr, so that results can be piped. Of several processes one speaks."""
    if worker.speaks():
        click.echo(text, err=True)


def emit(value: Mapping[str, object]) -> None:
    """The command's one JSON object, on stdout, with the version of its form and with `passed_over` of the data that were read.

    NaN is not JSON: pass None for what does not apply.
    """
    click.echo(_json({"schema": SCHEMA, **value, "passed_over": value.get("passed_over", _passed_over)}))


def _json(value: Mapping[str, object]) -> str:
    """One line of JSON that any terminal can print: letters that it lacks are escaped, as JSON has it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False)
    return text


# A lock of this process's threads alone. tqdm's own is one of all processes that were forked, too: a child that ended while it held it, as
# one whose bar was watched by a thread just then, left the next bar waiting for ever.
tqdm.set_lock(threading.RLock())


class _Bar(tqdm):  # type: ignore[misc]
    """tqdm's bar with the one more word that `repr.progress.Bar` has."""

    monitor_interval = 0  # no thread that watches for slow bars: it could hold the lock while the process forks

    def describe(self, text: str) -> None:
        """Text before the count."""
        self.set_description_str(text, refresh=False)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Not before its delay is over: tqdm would draw it anew below every message."""
        waits = self.delay and self._time() < self.start_t + self.delay
        return not waits and bool(super().display(msg, pos))


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


_passed_over: list[object] = []  # of the sources read by this command, as they are told


class _Lines(logging.Handler):
    """Messages as plain lines on stderr, above a bar if one is shown. One that tells what was passed over is kept for the JSON too."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message, with the options of the command at work in the place of arguments."""
        if getattr(record, "passed_over", None) not in (None, *_passed_over):
            _passed_over.append(record.__dict__["passed_over"])
        words = "Warning: " if record.levelno >= logging.WARNING else ""
        context = click.get_current_context(silent=True)
        tqdm.write(words + spelled(record.getMessage(), context.command if context else None), file=sys.stderr)


@contextmanager
def listening() -> Iterator[None]:
    """Meanwhile what the library tells (`repr.progress`) goes to stderr: messages as lines, counts as bars. Of several processes,
    what the first one tells."""
    if worker.here().rank > 0:
        yield
        return
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
