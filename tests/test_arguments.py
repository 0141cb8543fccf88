"""Errors name arguments; the command line turns each into an option. So each is the argument of a command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

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


ERRORS = [(file.relative_to(ROOT), call) for file in FILES for call in errors(file)]


def test_what_an_error_names_is_an_argument_of_a_command() -> None:
    wrong = {}
    for place, call in ERRORS:
        named = {str(k.value.value) for k in call.keywords if k.arg == "argument" and isinstance(k.value, ast.Constant)}
        strings = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        quoted = {word for text in strings for word in re.findall(r"`(\w+)`", text)}
        if unknown := (named | (quoted - VALUES)) - ARGUMENTS:
            wrong[f"{place}:{call.lineno}"] = unknown
    assert len(ERRORS) > 300 and wrong == {}


def test_no_error_of_the_library_names_an_option() -> None:
    wrong = {}
    for place, call in ERRORS:
        if "cli" in place.parts or place.name in ("console.py", "options.py", "index_options.py"):
            continue
        texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        if named := [text for text in texts if re.search(r"(?<![\w-])--[a-z]", text)]:
            wrong[f"{place}:{call.lineno}"] = named
    assert wrong == {}


def test_every_name_of_an_argument_is_spelled_as_its_option() -> None:
    command = next(command for command in EVERY if command.name == "command" and any("--hierarchy" in p.opts for p in command.params))
    assert spelled("`nets` and `hierarchy`, `adjust`, `batch_size`, `seeds`", command) == (
        "--hierarchy and --hierarchy, --logit-adjustment, --batch-size, --seeds"
    )
    assert spelled("`words` and `of others` and `nothing`", command) == "`words` and `of others` and `nothing`"
    assert spelled("`size`", None) == "`size`"
