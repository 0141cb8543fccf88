"""What reports and messages tell a reader to type is a command of ours: whole, quoted, and taken by the program."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from repr.catalog.sources import open_sources
from repr.cli import group as repr_group
from repr.commands import command_line
from repr.errors import UserError
from repr.lookup.catalogs import command_of
from repr.reports.training_report import next_commands
from repr.runs import Run
from repr.synthetic import shop
from rpc_transfer.cli import group as transfer_group

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS: dict[str, click.Command] = {"repr": repr_group, "rpc_transfer": transfer_group}
SOURCES = [
    *ROOT.glob("repr/**/*.py"),
    *ROOT.glob("rpc_transfer/**/*.py"),
    *(ROOT / "tools" / name for name in ("demo.py", "demo_page.py", "stages.py")),
]
# Names that stand for a command where one is built.
NAMES = {"COMMAND": ("repr pretrain",), "seeded": ("rpc_transfer run", "repr classify")}


def resolve(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """The command that words name, and the words behind its name."""
    command = PROGRAMS[words[0]]
    context, rest = click.Context(command, info_name=words[0]), words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, child, rest = command.resolve_command(context, rest)
        assert child is not None
        command, context = child, click.Context(child, parent=context, info_name=name)
    return command, context, rest


def parse(line: str) -> click.Context:
    """Check a command line as the program would, without running it."""
    command, context, rest = resolve(shlex.split(line))
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False  # its files need not be on this machine
    command.parse_args(context, rest)
    return context


def built() -> Iterator[tuple[Path, ast.Call]]:
    """Every place where a command is built."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command_line":
                yield file, node


def commands_of(call: ast.Call) -> tuple[str, ...]:
    """The commands that a call may build."""
    first = call.args[0]
    if isinstance(first, ast.Constant):
        return (str(first.value),)
    if isinstance(first, ast.Name) and first.id in NAMES:
        return NAMES[first.id]
    return ("repr pretrain", "repr classify", "repr evaluate", "rpc_transfer run")  # of a run: whichever wrote it


def test_a_command_that_is_built_has_the_options_it_is_given() -> None:
    places, wrong = list(built()), {}
    for file, call in places:
        given = {keyword.arg for keyword in call.keywords if keyword.arg}
        for words in commands_of(call):
            command, _, rest = resolve(words.split())
            options = {name.lstrip("-").replace("-", "_") for param in command.params for name in param.opts}
            if rest or not given <= options:
                wrong[f"{file.relative_to(ROOT)}:{call.lineno}"] = f"{words} has no {rest or given - options}"
    assert len(places) >= 20 and wrong == {}


def texts(tree: ast.AST) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    docs = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            docs.add(id(node.body[0].value))  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_no_command_with_options_is_written_out_by_hand() -> None:
    by_hand = {}
    for file in SOURCES:
        lines = [
            line
            for text in texts(ast.parse(file.read_text(encoding="utf-8")))
            for line in re.findall(r"(?:repr|rpc_transfer) [a-z]+[^`\n]*", text)
            if " --" in line
        ]
        if lines:
            by_hand[str(file.relative_to(ROOT))] = lines
    assert by_hand == {}


HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan", "it's", "two words", "$HOME", "*"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_comes_back_from_a_command(name: str) -> None:
    context = parse(command_line("rpc_transfer run", data=[name, "other"], novel=0 + 5, weights=name, only_weights=True, split_seed=0))
    read = context.params
    assert (read["data"], read["weights"], read["novel"], read["split_seed"]) == ((name, "other"), (name,), 5, 0)
    assert read["only_weights"] and not context.args
    words = parse(command_line("repr index remove", name, "17", index="shop.index")).params
    assert words["words"] == (name, "17")


def test_what_says_nothing_is_left_out() -> None:
    assert command_line("repr pack", data=(), out=None, subset="", json=False, size=80) == "repr pack --size 80"
    assert command_line("repr lookup", "photo.jpg", k=5) == "repr lookup -k 5 photo.jpg"


@pytest.mark.parametrize("name", HOSTILE)
def test_what_follows_a_pretraining(tmp_path: Path, name: str) -> None:
    run = Run.create(tmp_path / name, "repr pretrain", {"data": [name]}, data=name, synthetic=False)
    lines = next_commands(run)
    assert [shlex.split(line)[:2] for line in lines] == [["repr", "evaluate"], ["rpc_transfer", "run"], ["repr", "index"]]
    for line in lines:
        params = parse(line).params
        weights = params["weights"] if isinstance(params["weights"], tuple) else (params["weights"],)
        assert params["data"] == (name,) and weights[0] == run.path.as_posix()


def test_weights_of_the_synthetic_web_shop_go_to_its_checkout(tmp_path: Path) -> None:
    for part in ("mep3m", "rpc"):
        (tmp_path / "shop" / part).mkdir(parents=True)
    run = Run.create(tmp_path / "run", "repr pretrain", {"data": [str(tmp_path / "shop" / "mep3m")]}, data="shop", synthetic=True)
    assert {parse(line).params["data"] for line in next_commands(run)} == {((tmp_path / "shop" / "rpc").as_posix(),)}


def test_an_interrupted_addition_is_given_again_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two words").mkdir()
    line = command_of("repr index add", ["two words"], ("train", "val"), "meats") + " --index shop.index"
    params = parse(line).params
    assert params["data"] == (str(tmp_path / "two words"),) and params["parts"] == ("train", "val") and params["subset"] == "meats"


@pytest.mark.slow
def test_the_remedy_for_no_data_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RPC_ROOT", raising=False)
    with pytest.raises(UserError) as refused:
        open_sources([], default="rpc")
    (line,) = re.findall(r"(repr synthetic .*?) draws", refused.value.remedy)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 1, 6, 6, 1_000_000))
    done = CliRunner().invoke(repr_group, [*shlex.split(line)[1:], "--scale", "tiny", "--workers", "1"], catch_exceptions=False)
    folder = re.findall(r"whose folder is (\S+)", refused.value.remedy)[0].rstrip(".")
    assert done.exit_code == 0 and open_sources([folder], default="rpc").synthetic


@pytest.mark.parametrize("tool", ["demo", "demo_page"])
def test_what_the_demo_suggests(tool: str, tmp_path: Path) -> None:
    module = loaded(tool)
    if tool == "demo":
        lines = module.next_commands()
        assert len(lines) == 3
    else:
        run = Run.create(
            tmp_path / "run",
            "repr pretrain",
            {"data": ["my shop"], "method": "simclr:temperature=0.2", "epochs": 3},
            data="s",
            synthetic=False,
        )
        lines = [*module.LOOKING_UP, *module.OWN_IMAGES, module.typed(run)]
        assert parse(lines[-1]).params["method"] == "simclr:temperature=0.2"
    for line in lines:
        parse(line)


def loaded(tool: str) -> ModuleType:
    """A script of tools/ as a module, which finds those beside it."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.append(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location(f"tools_{tool}", ROOT / "tools" / f"{tool}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"tools_{tool}"] = module
    spec.loader.exec_module(module)
    return module
