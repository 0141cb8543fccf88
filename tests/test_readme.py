"""The README's commands: each parses, the cheap ones run, and what is named is there."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from repr.cli import COMMANDS
from repr.cli import group as repr_group
from repr.console import LazyGroup
from rpc_transfer.cli import COMMANDS as TRANSFER
from rpc_transfer.cli import group as transfer_group

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GROUPS: dict[str, click.Command] = {"repr": repr_group, "rpc_transfer": transfer_group}
LINES = [line for line in re.findall(r"`((?:repr|rpc_transfer) [^`]+)`", README) if " " in line.strip()]
CHEAP = ("repr --help", "rpc_transfer --help", "repr synthetic --help", "rpc_transfer run --help")


def parse(line: str) -> None:
    """Walk the programs' commands and check names, options and values as click does, without running anything."""
    program, *arguments = shlex.split(line)
    command = GROUPS[program]
    ctx = click.Context(command, info_name=program)
    while isinstance(command, click.Group):
        name, child, arguments = command.resolve_command(ctx, arguments)
        assert child is not None and name is not None
        command, ctx = child, click.Context(child, parent=ctx, info_name=name)
        if not arguments and isinstance(command, click.Group):
            return  # a group named as such, with nothing to check below it
    command.parse_args(ctx, arguments)


@pytest.mark.parametrize("line", LINES)
def test_every_command_parses(line: str) -> None:
    if line.split()[-1] == "--help":
        return
    parse(line)


def test_every_command_of_the_programs_is_shown() -> None:
    shown = {tuple(line.split()[:2]) for line in LINES}
    for program, table in (("repr", COMMANDS), ("rpc_transfer", TRANSFER)):
        for name, place in table.items():
            assert (program, name) in shown or find_spec(place.split(":")[0]) is None, f"{program} {name} is not in the README"


@pytest.mark.parametrize("line", CHEAP)
def test_the_cheap_ones_run(line: str) -> None:
    program, *arguments = line.split()
    done = subprocess.run(
        [Path(sys.executable).parent / program, *arguments], capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_the_python_is_python_of_ours() -> None:
    import repr as package

    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom) and node.module == "repr"]
        used = [alias.name for node in imports for alias in node.names]
        assert used and all(hasattr(package, name) for name in used)


def test_the_tools_it_names_are_there() -> None:
    for name in re.findall(r"\./(tools/\w+)", README):
        assert os.access(ROOT / name, os.X_OK), name


def test_it_names_no_machine() -> None:
    files = [
        *ROOT.glob("*.md"),
        ROOT / "pyproject.toml",
        ROOT / "requirements.lock",
        *(ROOT / "tools").glob("*"),
        *(ROOT / "tools").rglob("*.md"),
        *ROOT.glob("repr/**/*.py"),
    ]
    for file in files:
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"(?<!\w)/(work|root|home)/|files\.pythonhosted|index-url", text), file


def test_groups_are_lazy() -> None:
    assert isinstance(repr_group, LazyGroup) and isinstance(transfer_group, LazyGroup)
