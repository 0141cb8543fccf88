"""What was acknowledged is there, after kills and failing writes: the short form of tools/faults/index.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FAULTS = Path(__file__).parents[2] / "tools" / "faults" / "index.py"


def run(*options: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, str(FAULTS), *options, "--json"], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr[-2000:]
    result: dict[str, object] = json.loads(done.stdout)
    assert result["wrong"] == [] and done.returncode == 0
    return result


def test_killed_fifty_times() -> None:
    assert run("--kills", "50", "--writes", "0", "--served", "0")["kills"] == 50


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make writes fail with")
def test_a_full_disk_a_bad_block_and_short_writes() -> None:
    result = run("--kills", "0", "--writes", "54", "--served", "0")
    assert result["writes"] == 54
    ended = result["ended"]
    assert isinstance(ended, dict) and ended["full disk: refused"] > 0 and ended["short write: done"] > 0


def test_a_service_killed_ten_times() -> None:
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    result = run("--kills", "0", "--writes", "0", "--served", "10")
    answered = result["answered"]
    assert isinstance(answered, dict) and min(answered["POST"], answered["PUT"], answered["DELETE"]) > 0
