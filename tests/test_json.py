"""--json: every command prints one object, through `console.emit` alone, which gives it the version of its form."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr import console
from repr.cli import group as repr_group
from repr.experiments import document
from repr.experiments.document import Document
from rpc_transfer.cli import group as transfer_group

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*(ROOT / "repr" / "cli").glob("*.py"), *(ROOT / "rpc_transfer" / "cli").glob("*.py")])


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of a program that is no group, with the words that are typed for it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


COMMANDS = {"repr": dict(commands(repr_group)), "rpc_transfer": dict(commands(transfer_group))}
ALL = [(program, words) for program, of in COMMANDS.items() for words in of]


def calls(tree: ast.AST) -> list[str]:
    """What is called anywhere below a node, as it is written."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize(("program", "words"), ALL, ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_every_command_has_the_option(program: str, words: tuple[str, ...]) -> None:
    command = COMMANDS[program][words]
    [option] = [param for param in command.params if "--json" in param.opts]
    assert isinstance(option, click.Option) and option.is_flag and option.name == "as_json"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.parent.name}-{file.stem}")
def test_json_is_printed_in_one_place(file: Path) -> None:
    """Whatever takes `as_json` emits where it is set, and no command makes JSON text of its own."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not {"print", "json.dumps", "json.dump", "sys.stdout.write"} & set(calls(tree))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if "as_json" in [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]:
            branches = [node for node in ast.walk(function) if isinstance(node, ast.If) and "as_json" in ast.unparse(node.test)]
            passed_on = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and "as_json" in map(ast.unparse, [*node.args, *(keyword.value for keyword in node.keywords)])
            ]
            emits = [branch for branch in branches if "console.emit" in calls(branch)]
            assert emits or passed_on, f"{function.name} takes as_json and emits nothing"


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
nested = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)


class Lines:
    """Stands in for stdout, whose encoding decides how letters are written."""

    def __init__(self, encoding: str) -> None:
        self.encoding, self.text = encoding, ""

    def write(self, text: str) -> int:
        """Keep the text, which must be printable here."""
        text.encode(self.encoding, "surrogatepass" if self.encoding == "utf-8" else "strict")
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing to do."""


@given(st.dictionaries(st.text().filter(lambda name: name not in ("schema", "passed_over")), nested, max_size=4), st.booleans())
def test_one_line_an_object_with_its_schema_first(content: dict[str, object], ascii_only: bool) -> None:
    stream, before = Lines("ascii" if ascii_only else "utf-8"), sys.stdout
    sys.stdout = stream  # type: ignore[assignment]
    try:
        console.emit(content)
    finally:
        sys.stdout = before
    assert stream.text.count("\n") == 1 and stream.text.endswith("\n")
    read = json.loads(stream.text)
    assert next(iter(read)) == "schema" and read == {"schema": console.SCHEMA, **content, "passed_over": []}


def test_a_document_brings_its_own_schema(capsys: pytest.CaptureFixture[str]) -> None:
    made = Document("repr evaluate", "shop", True, ())
    console.emit(made.as_json())
    read = json.loads(capsys.readouterr().out)
    assert read["schema"] == document.SCHEMA
    del read["passed_over"]
    assert Document.from_json(read) == made


@pytest.mark.parametrize(
    ("program", "words"),
    [("repr", ["catalog", "subsets"]), ("repr", ["nonsense"]), ("repr", ["lookup"]), ("rpc_transfer", ["report", "nowhere"])],
    ids=" ".join,
)
def test_what_is_printed_has_a_schema_whether_it_went_well_or_not(
    program: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [program, *words, "--json"])
    with pytest.raises(SystemExit) as end:
        console.run(repr_group if program == "repr" else transfer_group, program)
    printed = capsys.readouterr()
    read = json.loads(printed.out)
    assert read["schema"] == 1 and ("error" in read) == (end.value.code == 2)
    assert list(tmp_path.iterdir()) == [], "neither writes anything"
