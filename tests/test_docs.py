"""README and docs/: their commands parse, what they name is there, and the page of commands is what --help says."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from repr.cli import COMMANDS
from repr.cli import group as repr_group
from repr.console import LazyGroup
from rpc_transfer.cli import COMMANDS as TRANSFER
from rpc_transfer.cli import group as transfer_group

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
GENERATED = "commands.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name != GENERATED)]
GROUPS: dict[str, click.Command] = {"repr": repr_group, "rpc_transfer": transfer_group}
CHEAP = ("repr --help", "rpc_transfer --help", "repr synthetic --help", "rpc_transfer run --help")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(page: Path) -> list[str]:
    """The command lines of a page: between backticks, and in blocks of a shell, where a backslash joins lines and # begins a remark."""
    words = re.sub(r"```(\w*)\n.*?```", "", text(page), flags=re.S)
    lines = re.findall(r"`((?:repr|rpc_transfer) [^`…]+)`", words)
    for kind, block in re.findall(r"```(\w*)\n(.*?)```", text(page), re.S):
        if kind in ("", "sh", "bash", "shell", "console"):
            lines += re.findall(r"^(?:\$ )?((?:repr|rpc_transfer) [^|>…\n]+)", block.replace("\\\n", " "), re.M)
    return [line for line in lines if " " in line.strip() and not line.rstrip().endswith("--help")]


LINES = [pytest.param(line, id=f"{page.name}: {line}") for page in PAGES for line in commands(page)]


def parse(line: str) -> None:
    """Walk the programs' commands and check names, options and values as click does, without running anything."""
    program, *arguments = shlex.split(line, comments=True)
    command = GROUPS[program]
    ctx = click.Context(command, info_name=program)
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, child, arguments = command.resolve_command(ctx, arguments)
        assert child is not None and name is not None
        command, ctx = child, click.Context(child, parent=ctx, info_name=name)
        if not arguments:
            return  # named as such, with nothing to check
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False  # its files need not be on this machine
    command.parse_args(ctx, arguments)


@pytest.mark.parametrize("line", LINES)
def test_every_command_parses(line: str) -> None:
    parse(line)


def test_the_page_of_commands_is_what_help_says() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "docs.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_programs_has_its_place_there() -> None:
    headings = set(re.findall(r"^### (.+)$", text(ROOT / "docs" / GENERATED), re.M))
    assert {*(f"repr {name}" for name in COMMANDS), *(f"rpc_transfer {name}" for name in TRANSFER)} <= headings


@pytest.mark.parametrize("line", CHEAP)
def test_the_cheap_ones_run(line: str) -> None:
    program, *arguments = line.split()
    done = subprocess.run(
        [Path(sys.executable).parent / program, *arguments], capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_is_python_of_ours(page: Path) -> None:
    import repr as package

    for block in re.findall(r"```python\n(.*?)```", text(page), re.S):
        imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom) and node.module == "repr"]
        assert all(
            hasattr(package, alias.name) or importlib.util.find_spec(f"repr.{alias.name}") for node in imports for alias in node.names
        )


@pytest.mark.parametrize("page", [*PAGES, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_what_it_links_to_and_names_is_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text(page)):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"(?:\./|python )(tools/[\w/]+(?:\.py)?)", text(page)):
        assert (ROOT / name).is_file() and (name.endswith(".py") or os.access(ROOT / name, os.X_OK)), name


def test_the_readme_takes_five_minutes() -> None:
    assert len(text(README).splitlines()) <= 160


def test_one_version_everywhere() -> None:
    version = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]
    assert f"\nversion: {version}\n" in text(ROOT / "CITATION.cff")
    assert re.search(r"^## (\S+)", text(ROOT / "CHANGELOG.md"), re.M).group(1) == version  # type: ignore[union-attr]


def test_no_page_names_a_machine() -> None:
    files = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").glob("*.ipynb"),
        *(ROOT / name for name in ("pyproject.toml", "requirements.lock", "mkdocs.yml", "Dockerfile", "CITATION.cff")),
        *(ROOT / "tools").glob("*"),
        *ROOT.glob("repr/**/*.py"),
    ]
    for file in files:
        if file.is_file():
            assert not re.search(r"(?<!\w)/(work|root|home)/|files\.pythonhosted|index-url", text(file)), file


def test_groups_are_lazy() -> None:
    assert isinstance(repr_group, LazyGroup) and isinstance(transfer_group, LazyGroup)
