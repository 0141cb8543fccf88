"""Write docs/commands.md from what the programs say of themselves under --help.

python tools/docs.py            write it anew
python tools/docs.py --check    exit code 1 where it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from repr.cli import group as repr_group
from rpc_transfer.cli import group as transfer_group

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
PROGRAMS: dict[str, click.Command] = {"repr": repr_group, "rpc_transfer": transfer_group}
WIDTH = 100  # columns: what a page shows without scrolling
HEAD = """# Commands

Made from the programs' own `--help` by `python tools/docs.py`; a test keeps the two equal. What to type for which purpose stands in
[What to type](howto.md).

`--json` prints one JSON object on standard output; messages go to standard error. Rates in JSON are fractions from 0 to 1, `null` where
there was nothing to measure. Exit codes: 0 done, 1 a fault of ours, 2 wrong input (one line says what, where and the remedy),
3 some of several could not be read, 130 interrupted.
"""


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where the page is out of date.")
def main(check: bool) -> None:
    """Write docs/commands.md."""
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        click.echo("docs/commands.md is not what --help says: python tools/docs.py writes it anew", err=True)
        sys.exit(1)


def page() -> str:
    """The whole page: a section a program, a part a command."""
    parts = [HEAD]
    for program, group in PROGRAMS.items():
        parts.append(f"## {program}\n")
        top = click.Context(group, info_name=program, terminal_width=WIDTH, max_content_width=WIDTH, **group.context_settings)
        for path, text in helps(group, top):
            heading = "" if path == program else f"### {path}\n\n"
            parts.append(f"{heading}```text\n{text}\n```\n")
    return "\n".join(parts)


def helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """The path of every command from this one down, and its help."""
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from helps(child, click.Context(child, parent=context, info_name=name, **child.context_settings))


if __name__ == "__main__":
    main()
