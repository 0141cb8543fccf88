"""How threads wait, and how many there are: told to the environment before PyTorch is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from repr import machine

NAMES = ("OMP_WAIT_POLICY", *machine.WAITING)


@pytest.fixture(autouse=True)
def _unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that what the test leaves is undone
        monkeypatch.delenv(name)


def said() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def test_threads_wait_briefly() -> None:
    machine.wait_briefly()
    assert said() == machine.WAITING


@pytest.mark.parametrize("name", NAMES)
def test_what_the_user_says_of_waiting_stands(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "ACTIVE")
    machine.wait_briefly()
    assert said() == {name: "ACTIVE"}


def test_the_programs_say_so_before_torch_is_there() -> None:
    """A child of a program, as forked workers are, sees it too; --threads counts for PyTorch itself."""
    code = (
        "import json, os, sys; sys.argv = ['repr', 'show', '--threads', '1']\n"
        "import click\nfrom repr import console, options\n"
        "@options.command('show')\n@options.shared('device', 'workers')\ndef show(device, workers):\n"
        "    assert 'torch' not in sys.modules\n"
        "    import torch\n"
        "    print(json.dumps([os.environ['GOMP_SPINCOUNT'], torch.get_num_threads()]))\n"
        "console.run(click.Group('repr', {'show': show}), 'repr')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [machine.WAITING["GOMP_SPINCOUNT"], 1]
