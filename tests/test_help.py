"""Every command explains itself, with an example, and does so without loading anything heavy."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest

from repr import console, options
from repr.cli import group as repr_group
from rpc_transfer.cli import group as transfer_group

HEAVY = (
    "torch",
    "torchvision",
    "lightly",
    "pytorch_lightning",
    "faiss",
    "numpy",
    "pyarrow",
    "PIL",
    "sklearn",
    "scipy",
    "timm",
    "matplotlib",
)


MISSING: list[str] = []  # commands in the table whose module is not there


def walk(command: click.Command, ctx: click.Context, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    commands = [(path, command)]
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            try:
                child = command.get_command(ctx, name)
            except ModuleNotFoundError as error:
                MISSING.append(str(error))
                continue
            assert child is not None
            commands += walk(child, click.Context(child, parent=ctx, info_name=name), (*path, name))
    return commands


def commands() -> list[tuple[tuple[str, ...], click.Command]]:
    return [
        entry
        for program, group in (("repr", repr_group), ("rpc_transfer", transfer_group))
        for entry in walk(group, click.Context(group, info_name=program), (program,))
    ]


COMMANDS = commands()
LEAVES = [entry for entry in COMMANDS if not isinstance(entry[1], click.Group)]
MAKERS = {"synthetic", "pack", "pretrain", "run", "report", "classify", "evaluate", "compare"}


def test_every_command_of_the_tables_is_there() -> None:
    assert not MISSING


def named(entries: list[tuple[tuple[str, ...], click.Command]]) -> list[object]:
    return [pytest.param(path, command, id=" ".join(path)) for path, command in entries]


def examples(command: click.Command) -> list[str]:
    """The command lines in a command's help: those that begin with a program's name; what stands three blanks after is a remark."""
    lines = (command.help or "").replace("\\\n", " ").splitlines()
    words = [re.split(r" {3,}", line.strip().removeprefix("$ "))[0] for line in lines]
    return [line for line in words if line.split(" ")[0] in ("repr", "rpc_transfer") and line.count(" ") >= 1]


def parse(line: str) -> None:
    """Check a command line against the programs without running it: names, options, types and choices.

    Raises click.UsageError or repr.errors.UserError when the programs would refuse it.
    """
    program, *arguments = shlex.split(line, comments=True)
    command: click.Command = {"repr": repr_group, "rpc_transfer": transfer_group}[program]
    ctx = click.Context(command, info_name=program)
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, child, arguments = command.resolve_command(ctx, arguments)
        assert child is not None
        command, ctx = child, click.Context(child, parent=ctx, info_name=name)
    eager = [parameter for parameter in command.params if parameter.is_eager]
    for parameter in eager:  # --config would read its file, --help would end the program
        parameter.callback, kept = None, parameter.callback
        parameter.__dict__.setdefault("_kept", kept)
    paths = [p.type for p in command.params if isinstance(p.type, click.Path)]
    existed = [kind.exists for kind in paths]
    try:
        for kind in paths:
            kind.exists = False  # an example's files need not be on this machine
        command.parse_args(ctx, arguments)
    finally:
        for parameter in eager:
            parameter.callback = parameter.__dict__.pop("_kept")
        for kind, value in zip(paths, existed, strict=True):
            kind.exists = value


@pytest.mark.parametrize("path, command", named(COMMANDS))
def test_every_command_has_help(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help, "no help"
    text = command.get_help(click.Context(command, info_name=path[-1]))
    assert max(map(len, text.splitlines())) <= 160


@pytest.mark.parametrize("path, command", named(LEAVES))
def test_every_option_has_help(path: tuple[str, ...], command: click.Command) -> None:
    silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert not silent


@pytest.mark.parametrize("path, command", named(LEAVES))
def test_every_command_has_an_example_that_parses(path: tuple[str, ...], command: click.Command) -> None:
    lines = examples(command)
    assert lines, "no Example in the help"
    assert any(line.startswith(" ".join(path)) for line in lines)
    for line in lines:
        parse(line)


@pytest.mark.parametrize("path, command", named([entry for entry in LEAVES if entry[0][1] in MAKERS or entry[0][-1] == "build"]))
def test_what_makes_something_takes_out(path: tuple[str, ...], command: click.Command) -> None:
    assert "--out" in [name for option in command.params for name in option.opts]


@pytest.mark.parametrize("path, command", named(LEAVES))
def test_option_names_mean_the_same_everywhere(path: tuple[str, ...], command: click.Command) -> None:
    """The option names of the contract belong together wherever they stand."""
    names = {name: option for option in command.params for name in option.opts if isinstance(option, click.Option)}
    if "--data" in names:
        assert "--root" in names["--data"].opts
    for count in ("--epochs", "--batch-size", "--size", "--seed", "--workers"):
        if count in names:
            kind = names[count].type
            whole = isinstance(kind, click.types.IntParamType) or (isinstance(kind, options.Declared) and kind.setting.kind is int)
            assert whole, f"{count} takes a whole number"


@pytest.mark.parametrize(
    "line", ["repr --help", "rpc_transfer --help", *(" ".join(path) + " --help" for path, _ in COMMANDS if len(path) > 1)]
)
def test_help_is_light(line: str) -> None:
    """In a process of its own, since this one has loaded everything by now."""
    program, *arguments = line.split()
    code = (
        f"import sys; sys.argv = {[program, *arguments]!r}\n"
        f"from {program}.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('heavy:', heavy, file=sys.stderr)\nsys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    assert "Usage:" in done.stdout


def test_an_unknown_command_offers_the_nearest() -> None:
    with pytest.raises(console.UserError, match="Did you mean pretrain"):
        parse("repr pretrian --epochs 3")


def test_a_wrong_example_is_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse("repr compare --no-such-option a b")
