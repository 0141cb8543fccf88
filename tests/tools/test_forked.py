"""Commands in copies of this process: what they print, how they end."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("forked")


@pytest.mark.parametrize(
    ("words", "code", "printed", "messages"),
    [
        (["repr", "--version"], 0, "repr, version", ""),
        (["rpc_transfer", "rum"], 2, "", "no such command: rum"),
        (["repr", "compare"], 2, "", "Missing argument"),
        ([sys.executable, "-S", "-c", "import sys; print('out'); sys.exit('err')"], 1, "out", "err"),
    ],
)
def test_a_command_ends_as_in_a_process_of_its_own(
    forked: ModuleType, words: list[str], code: int, printed: str, messages: str, tmp_path: Path
) -> None:
    child = forked.start(words, tmp_path / "a.out", tmp_path / "a.err")
    child.join(60)
    assert child.exitcode == code
    assert printed in (tmp_path / "a.out").read_text() and messages in (tmp_path / "a.err").read_text()
    assert bool((tmp_path / "a.out").read_text()) is bool(printed) and bool((tmp_path / "a.err").read_text()) is bool(messages)


def test_all_programs_are_there(forked: ModuleType) -> None:
    for place in forked.PROGRAMS.values():
        module, name = place.split(":")
        assert callable(getattr(importlib.import_module(module), name))
