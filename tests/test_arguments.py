"""Errors name arguments; the command line turns each into an option. So each is the argument of a command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from repr.cli import group as repr_group
from repr.console import spelled
from rpc_transfer.cli import group as transfer_group

ROOT = Path(__file__).resolve().parents[1]
FILES = [file for package in ("repr", "rpc_transfer") for file in sorted((ROOT / package).rglob("*.py"))]
VALUES = {"imagenet", "none", "train"}  # words that users type as values


def commands(command: click.Command, context: click.Context) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(child, click.Context(child, parent=context, info_name=name))


EVERY = [command for group in (repr_group, transfer_group) for command in commands(group, click.Context(group))]
ARGUMENTS = {
    name for command in EVERY for param in command.params for name in (param.name, *(o.strip("-").replace("-", "_") for o in param.opts))
}


def errors(file: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("UserError", "NoneReadable"):
            yield node


@pytest.mark.parametrize("file", [pytest.param(file, id=str(file.relative_to(ROOT))) for file in FILES])
def test_what_an_error_names_is_an_argument_of_a_command(file: Path) -> None:
    for call in errors(file):
        named = {str(k.value.value) for k in call.keywords if k.arg == "argument" and isinstance(k.value, ast.Constant)}
        strings = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        quoted = {word for text in strings for word in re.findall(r"`(\w+)`", text)}
        assert named | (quoted - VALUES) <= ARGUMENTS, f"line {call.lineno}: {(named | quoted) - ARGUMENTS - VALUES}"


@pytest.mark.parametrize(
    "file",
    [pytest.param(f, id=str(f.relative_to(ROOT))) for f in FILES if "cli" not in f.parts and f.name not in ("console.py", "options.py")],
)
def test_no_error_of_the_library_names_an_option(file: Path) -> None:
    for call in errors(file):
        for node in ast.walk(call):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"(?<![\w-])--[a-z]", node.value), f"line {node.lineno}: {node.value}"


def test_every_name_of_an_argument_is_spelled_as_its_option() -> None:
    command = next(command for command in EVERY if command.name == "command" and any("--hierarchy" in p.opts for p in command.params))
    assert spelled("`nets` and `hierarchy`, `adjust`, `batch_size`, `seeds`", command) == (
        "--hierarchy and --hierarchy, --logit-adjustment, --batch-size, --seeds"
    )
    assert spelled("`words` and `of others` and `nothing`", command) == "`words` and `of others` and `nothing`"
    assert spelled("`size`", None) == "`size`"
