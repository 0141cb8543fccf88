"""What was acknowledged is there, after kills at random moments: the short form of tools/faults/index.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAULTS = Path(__file__).parents[2] / "tools" / "faults" / "index.py"


def run(*options: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, str(FAULTS), *options, "--json"], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr[-2000:]
    result: dict[str, object] = json.loads(done.stdout)
    assert result["wrong"] == [] and done.returncode == 0
    return result


def test_killed_fifty_times() -> None:
    assert run("--kills", "50", "--writes", "0")["kills"] == 50
