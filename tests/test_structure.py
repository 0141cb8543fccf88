"""The rooms of the house: imports go down the lists, never round in a circle, never to a command line, and not too deep.

And the manners that can be counted: no file of two ideas, no long function, nothing public without a word on what it does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Top to bottom: a room imports itself and rooms after it. A module straight below the package is a room of its own.
ROOMS = {
    "repr": [
        *(
            "__main__",
            "cli",
            "server",
            "api",
            "checkout",
            "reports",
            "lookup",
            "classify",
            "experiments",
            "evaluation",
            "learners",
            "search",
        ),
        *("embedding", "training", "methods", "models", "catalog", "synthetic", "images"),
        *("runs", "index_options", "options", "console", "shared", "files", "settings", "tables", "progress", "machine", "worker"),
        *("vectors", "records", "arrays", "commands", "crops", "errors"),
    ],
    "rpc_transfer": [
        "__main__",
        *("cli", "report", "report_errors", "report_images", "view", "summary", "experiment", "bench", "paper", "configs", "weights"),
        *("trial", "images", "checkout"),
        *("results", "draw", "protocol", "settings", "metrics"),
    ],
}
PACKAGES = tuple(ROOMS)
MAX_DEPTH = 12  # steps from the top of the longest chain of imports, those inside functions too, to its end
MAX_LINES = 60  # of a function
COMMAND_LINE = ("repr.console", "repr.options", "repr.index_options")  # what commands share: for them alone
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> dict[str, Path]:
    """Every module of the two packages, by dotted name."""
    files = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


MODULES = modules()


@cache
def tree(name: str) -> ast.Module:
    """A module as Python reads it."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def imports(name: str, *, run: bool = False) -> frozenset[str]:
    """The modules of ours that a module imports, inside functions too. run: without those for type checkers alone, which never run."""
    imported = set()
    for node in _nodes(tree(name), run):
        if isinstance(node, ast.Import):
            imported |= {resolve(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import; write the whole name"
            # `from repr import console` names a module, `from repr.console import say` a thing in one.
            base = node.module or ""
            imported |= {resolve(f"{base}.{alias.name}") for alias in node.names}
    return frozenset(module for module in imported if module and module != name)


def _nodes(of: ast.AST, run: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(of):
        if run and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node, run)


def resolve(dotted: str) -> str:
    """The longest beginning of a dotted name that is a module of ours; "" for somebody else's."""
    parts = dotted.split(".")
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)


def room(name: str) -> tuple[str, str]:
    """The package and the room of a module; the package's own __init__ stands above all rooms."""
    package, _, rest = name.partition(".")
    return package, rest.split(".")[0]


def test_imports_go_down() -> None:
    for name in sorted(MODULES):
        goes_down(name)


def goes_down(name: str) -> None:
    package, own = room(name)
    if own:
        assert own in ROOMS[package], f"{name} is in no room of the list; add it where it belongs"
    for other in imports(name):
        other_package, other_room = room(other)
        if other_package == package:
            if own and other_room:
                order = ROOMS[package]
                assert order.index(own) <= order.index(other_room), f"{name} imports {other}, which stands above it"
        else:
            assert (package, other_package) == ("rpc_transfer", "repr"), f"{name} imports {other}: repr never imports rpc_transfer"
        assert "cli" not in (other_room,) or own in ("cli", "__main__"), f"{name} imports the command line {other}"


def test_the_page_for_contributors_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)/?`", page))
    assert [f"{package}.{one}" for package, rooms in ROOMS.items() for one in rooms if one not in named and one != "__main__"] == []


def test_a_command_imports_no_other_command() -> None:
    commands = [name for name in MODULES if room(name)[1] == "cli"]
    others = {name: [other for other in imports(name) if room(other)[1] == "cli"] for name in commands}
    assert commands and {name: imported for name, imported in others.items() if imported} == {}


def test_no_cycles() -> None:
    state: dict[str, str] = {}

    def visit(name: str, trail: list[str]) -> None:
        if state.get(name) == "done":
            return
        assert state.get(name) != "open", " → ".join([*trail[trail.index(name) :], name])
        state[name] = "open"
        for other in sorted(imports(name)):
            visit(other, [*trail, name])
        state[name] = "done"

    for name in sorted(MODULES):
        visit(name, [])


def test_not_too_deep() -> None:
    @cache
    def chain(name: str) -> tuple[str, ...]:
        below = [chain(other) for other in imports(name, run=True)]
        return (name, *max(below, key=len, default=()))

    longest = max((chain(name) for name in sorted(MODULES)), key=len)
    assert len(longest) - 1 <= MAX_DEPTH, " → ".join(longest)


def test_files_keep_to_one_idea() -> None:
    sizes = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in MODULES.items()}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}, "past 400 lines: split it"


def test_modules_are_imported_at_the_top() -> None:
    """Only commands import inside functions, so that --help answers at once, and the package itself, what it is asked for."""
    inside = {}
    for name in (name for name in MODULES if room(name)[1] not in ("cli", "")):
        functions = [node for node in ast.walk(tree(name)) if isinstance(node, Function)]
        nodes = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
        dotted = {getattr(node, "module", None) or alias.name for node in nodes for alias in node.names}
        if ours := sorted(module for module in map(resolve, dotted) if module):
            inside[name] = ours
    assert inside == {}


def test_only_commands_know_the_command_line() -> None:
    who = {name for name in MODULES if imports(name) & set(COMMAND_LINE) and name not in COMMAND_LINE}
    assert {name for name in who if room(name)[1] not in ("cli", "__main__")} == set()


def test_only_commands_know_click() -> None:
    knows = {name for name in MODULES if any("click" in _outside(node) for node in ast.walk(tree(name)))}
    assert {name for name in knows if room(name)[1] not in ("cli", "__main__") and name not in COMMAND_LINE} == set()


def _outside(node: ast.AST) -> set[str]:
    """The packages that an import names."""
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return {alias.name.split(".")[0] for alias in node.names} if isinstance(node, ast.Import) else set()


def definitions(node: ast.AST, public: bool = True) -> Iterator[tuple[Function | ast.ClassDef, bool]]:
    """Every function and class below a node, and whether others may use it: neither it nor what holds it has an underscore."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            open_to_all = public and not child.name.startswith("_")
            yield child, open_to_all
            yield from definitions(child, open_to_all)
        else:
            yield from definitions(child, public)


@cache
def defined(name: str) -> tuple[tuple[Function | ast.ClassDef, bool], ...]:
    return tuple(definitions(tree(name)))


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name in MODULES if tree(name).body and not ast.get_docstring(tree(name))] == []


def test_what_is_public_says_what_it_does() -> None:
    silent = []
    for name in MODULES:
        overloads = [one for one, _ in defined(name) if "overload" in map(ast.unparse, one.decorator_list)]  # the last one speaks for all
        open_to_all = [one for one, public in defined(name) if public and one not in overloads]
        silent += [f"{name}:{one.lineno} {one.name}" for one in open_to_all if not ast.get_docstring(one)]
    assert silent == []


def test_what_is_public_says_its_types() -> None:
    bare = []
    functions = [(name, one) for name in MODULES for one, public in defined(name) if public and isinstance(one, Function)]
    for name, one in functions:
        arguments = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
        untyped = [argument.arg for argument in arguments if argument.annotation is None and argument.arg not in ("self", "cls")]
        bare += [f"{name}:{one.lineno} {one.name}: {what}" for what in [*untyped, *([] if one.returns else ["returns"])]]
    assert bare == []


def test_functions_are_short() -> None:
    functions = [(name, one) for name in MODULES for one, _ in defined(name) if isinstance(one, Function)]
    sizes = {f"{name}:{one.lineno} {one.name}": (one.end_lineno or 0) - one.lineno + 1 for name, one in functions}
    assert {function: lines for function, lines in sizes.items() if lines > MAX_LINES} == {}


def test_the_library_never_prints() -> None:
    """It logs; only the command line writes to a terminal."""
    places = []
    for name in MODULES:
        if room(name)[1] != "cli" and name not in COMMAND_LINE:
            calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
            places += [f"{name}, line {call.lineno}" for call in calls if ast.unparse(call.func) in ("print", "click.echo", "click.secho")]
    assert places == []
