"""The demo's stages: done ones are not repeated, interrupted ones go on, changed ones start anew."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from repr.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_demo", ROOT / "tools" / "demo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tools_demo"] = module
    spec.loader.exec_module(module)
    return module


def script(out: Path, name: str, body: str = "") -> tuple[str, ...]:
    """A command that writes <out>/<name> and counts in <out>/count how often it ran."""
    code = f"import pathlib, sys; out = pathlib.Path({str(out)!r})\nwith (out / 'count').open('a') as f: f.write({name!r} + ' ')\n{body}\n"
    return (sys.executable, "-S", "-c", code + f"(out / {name!r}).write_text('made')")


def counted(out: Path) -> list[str]:
    return (out / "count").read_text().split()


def test_a_second_call_repeats_nothing(demo: ModuleType, tmp_path: Path) -> None:
    stages = [demo.Stage(name, name, (script(tmp_path, name),), (name,), 1) for name in ("a", "b")]
    demo.run_all(stages, tmp_path)
    demo.run_all(stages, tmp_path)
    assert counted(tmp_path) == ["a", "b"]


def test_a_failure_names_its_log_and_the_next_call_goes_on(demo: ModuleType, tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    body = f"if not pathlib.Path({str(flag)!r}).exists(): sys.exit('no luck')"
    stages = [demo.Stage("a", "a", (script(tmp_path, "a"),), ("a",), 1), demo.Stage("b", "b", (script(tmp_path, "b", body),), ("b",), 1)]
    with pytest.raises(UserError, match="the stage b failed: no luck"):
        demo.run_all(stages, tmp_path)
    flag.touch()
    demo.run_all(stages, tmp_path)
    assert counted(tmp_path) == ["a", "b", "b"]


def test_an_interrupt_in_a_command_is_one_of_the_demo(demo: ModuleType, tmp_path: Path) -> None:
    stages = [demo.Stage("a", "a", (script(tmp_path, "a", "sys.exit(130)"),), ("a",), 1)]
    with pytest.raises(KeyboardInterrupt):
        demo.run_all(stages, tmp_path)
    assert not (tmp_path / "stamps" / "a.done.json").exists()


def test_a_changed_stage_starts_anew_with_all_after_it(demo: ModuleType, tmp_path: Path) -> None:
    def stages(word: str) -> list[object]:
        return [demo.Stage(name, name, (script(tmp_path, name, f"word = {word!r}" if name == "b" else ""),), (name,), 1) for name in "abc"]

    demo.run_all(stages("x"), tmp_path)
    (tmp_path / "b").write_text("old")
    demo.run_all(stages("y"), tmp_path)
    assert counted(tmp_path) == ["a", "b", "c", "b", "c"]
    assert (tmp_path / "b").read_text() == "made"


def test_what_was_deleted_is_made_again(demo: ModuleType, tmp_path: Path) -> None:
    stages = [demo.Stage("a", "a", (script(tmp_path, "a"),), ("a",), 1)]
    demo.run_all(stages, tmp_path)
    (tmp_path / "a").unlink()
    demo.run_all(stages, tmp_path)
    assert counted(tmp_path) == ["a", "a"]


def test_the_plans_commands_are_those_of_the_programs(demo: ModuleType, tmp_path: Path) -> None:
    import click

    from repr.cli import group as repr_group
    from rpc_transfer.cli import group as transfer_group

    for stage in demo.plan(tmp_path, 0):
        for program, *arguments in stage.commands:
            if program not in ("repr", "rpc_transfer"):
                continue
            command: click.Command = {"repr": repr_group, "rpc_transfer": transfer_group}[program]
            ctx = click.Context(command, info_name=program)
            while isinstance(command, click.Group):
                name, child, arguments = command.resolve_command(ctx, arguments)
                assert child is not None
                command, ctx = child, click.Context(child, parent=ctx, info_name=name)
            command.parse_args(ctx, list(arguments))


def test_the_last_words_of_a_bar(demo: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\nbar 1 %\rbar 2 %\x1b[K\r\n\n")
    assert demo._last_words(log) == "bar 2 %"
