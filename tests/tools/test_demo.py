"""The demo's stages: done ones are not repeated, interrupted ones go on, changed ones start anew; its progress and its counts."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from repr.cli import group as repr_group
from repr.errors import UserError
from rpc_transfer.cli import group as transfer_group

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PROGRAMS: dict[str, click.Command] = {"repr": repr_group, "rpc_transfer": transfer_group}


def tool(name: str) -> ModuleType:
    if str(TOOLS) not in sys.path:
        sys.path.append(str(TOOLS))
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    return tool("demo")


@pytest.fixture(scope="module")
def stages() -> ModuleType:
    return tool("stages")


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return tool("demo_page")


def script(out: Path, name: str, body: str = "") -> tuple[str, ...]:
    """A command of the system that writes <out>/<name> and counts in <out>/count how often it ran."""
    code = f"import pathlib, sys; out = pathlib.Path({str(out)!r})\nwith (out / 'count').open('a') as f: f.write({name!r} + ' ')\n{body}\n"
    return (sys.executable, "-S", "-c", code + f"(out / {name!r}).write_text('made')")


def counted(out: Path) -> list[str]:
    return (out / "count").read_text().split()


def test_a_second_call_repeats_nothing(stages: ModuleType, tmp_path: Path) -> None:
    plan = [stages.Stage(name, name, (script(tmp_path, name),), (name,), 1) for name in ("a", "b")]
    stages.run_all(plan, tmp_path)
    stages.run_all(plan, tmp_path)
    assert counted(tmp_path) == ["a", "b"]


def test_a_failure_names_its_log_and_the_next_call_goes_on(stages: ModuleType, tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    body = f"if not pathlib.Path({str(flag)!r}).exists(): sys.exit('no luck')"
    plan = [stages.Stage("a", "a", (script(tmp_path, "a"),), ("a",), 1), stages.Stage("b", "b", (script(tmp_path, "b", body),), ("b",), 1)]
    with pytest.raises(UserError, match="the stage b failed: no luck"):
        stages.run_all(plan, tmp_path)
    flag.touch()
    stages.run_all(plan, tmp_path)
    assert counted(tmp_path) == ["a", "b", "b"]


def test_an_interrupt_in_a_command_is_one_of_the_demo(stages: ModuleType, tmp_path: Path) -> None:
    plan = [stages.Stage("a", "a", (script(tmp_path, "a", "sys.exit(130)"),), ("a",), 1)]
    with pytest.raises(KeyboardInterrupt):
        stages.run_all(plan, tmp_path)
    assert not (tmp_path / "stamps" / "a.done.json").exists()


def test_a_changed_stage_starts_anew_with_all_after_it(stages: ModuleType, tmp_path: Path) -> None:
    def plan(word: str) -> list[object]:
        return [
            stages.Stage(name, name, (script(tmp_path, name, f"word = {word!r}" if name == "b" else ""),), (name,), 1) for name in "abc"
        ]

    stages.run_all(plan("x"), tmp_path)
    (tmp_path / "b").write_text("old")
    stages.run_all(plan("y"), tmp_path)
    assert counted(tmp_path) == ["a", "b", "c", "b", "c"]
    assert (tmp_path / "b").read_text() == "made"


def test_what_follows_from_a_changed_stage_is_gone_at_once(stages: ModuleType, tmp_path: Path) -> None:
    """Or the page would show the results of another seed."""

    def plan(word: str, *, stop: bool = False) -> list[object]:
        body = f"word = {word!r}" + ("; sys.exit('no luck')" if stop else "")
        return [
            stages.Stage("a", "a", (script(tmp_path, "a", body),), ("a",), 1),
            stages.Stage("b", "b", (script(tmp_path, "b"),), ("b",), 1),
        ]

    stages.run_all(plan("x"), tmp_path)
    with pytest.raises(UserError):
        stages.run_all(plan("y", stop=True), tmp_path)
    assert not (tmp_path / "b").exists()


def test_what_was_deleted_is_made_again(stages: ModuleType, tmp_path: Path) -> None:
    plan = [stages.Stage("a", "a", (script(tmp_path, "a"),), ("a",), 1)]
    stages.run_all(plan, tmp_path)
    (tmp_path / "a").unlink()
    stages.run_all(plan, tmp_path)
    assert counted(tmp_path) == ["a", "a"]


def test_it_is_told_when_a_stage_is_there(stages: ModuleType, tmp_path: Path) -> None:
    plan = [stages.Stage(name, name, (script(tmp_path, name),), (name,), 1) for name in "ab"]
    seen: list[tuple[str, bool]] = []
    for _ in range(2):  # what was done before is there, too
        stages.run_all(plan, tmp_path, lambda stage: seen.append((stage.name, (tmp_path / "b").exists())))
    assert seen == [("a", False), ("b", True), ("a", True), ("b", True)]
    assert 0 <= stages.seconds(plan, tmp_path) < 60


def test_progress_moves_on_and_its_time_left_grows_where_work_is_slow(stages: ModuleType) -> None:
    now = [0.0]
    plan = [stages.Stage(name, name, (), (), 100) for name in "ab"]
    progress = stages.Progress(plan, clock=lambda: now[0])
    progress.begin(plan[0])
    shares, left = [], []
    for second in (0.0, 50.0, 99.0, 150.0, 400.0, 4000.0):
        now[0] = second
        share, seconds = progress.state(plan[0])
        shares.append(share)
        left.append(seconds)
    assert shares == sorted(set(shares)) and shares[0] == 0 and shares[-1] < 0.5, "never still, never past its stage"
    assert left[0] == 200 and left[1] < left[0]
    progress.end(plan[0])
    progress.begin(plan[1])
    assert progress.state(plan[1])[1] == pytest.approx(4000, rel=0.01), "the second as slow as the first"


def test_the_plans_commands_are_those_of_the_programs(demo: ModuleType, tmp_path: Path) -> None:
    for stage in demo.plan(tmp_path, 0):
        for program, *arguments in stage.commands:
            if program not in PROGRAMS:
                continue
            command = PROGRAMS[program]
            ctx = click.Context(command, info_name=program)
            while isinstance(command, click.Group):
                name, child, arguments = command.resolve_command(ctx, arguments)
                assert child is not None
                command, ctx = child, click.Context(child, parent=ctx, info_name=name)
            command.parse_args(ctx, list(arguments))


def test_the_last_words_of_a_bar(stages: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\nbar 1 %\rbar 2 %\x1b[K\r\n\n")
    assert stages.last_words(log) == "bar 2 %"


def test_lookup_is_counted(page: ModuleType, tmp_path: Path) -> None:
    def result(true: str, *found: str) -> dict[str, object]:
        return {"query": f"photos/000-product-{true}.jpg", "matches": [{"product": product} for product in found]}

    (tmp_path / "logs").mkdir()
    found = [result("7", "7", "8"), result("7", "8", "1", "2", "3", "7"), result("7", "8", "1", "2", "3", "4", "7"), result("9")]
    (tmp_path / "logs" / "lookup-1.out").write_text(json.dumps({"results": found}))
    assert page.looked(tmp_path) == page.Looked(asked=4, first_right=1, top5_right=2)
