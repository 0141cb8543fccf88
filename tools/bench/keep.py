#!/usr/bin/env python
"""Run a benchmark and keep its rows, so that a figure in the docs can be traced: with the command, the day and the machine.

    python tools/bench/keep.py increment --products 100000
    python tools/bench/keep.py training --device cuda --size 224

The words behind the name are the benchmark's own. Written to results/<name>.json beside this file, in place of what was kept of it;
what ran on a GPU to results/<name>-gpu.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import harness

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def main(words: Sequence[str], results: Path = RESULTS) -> int:
    """Run the benchmark that the first of the words names; its exit code, and nothing kept where that is not 0."""
    name, *options = words
    done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        results.mkdir(exist_ok=True)
        rows = json.loads(done.stdout.splitlines()[-1])["rows"]
        gpu = "-gpu" if any(word.startswith("cuda") for word in options) else ""
        harness.keep(results / f"{name}{gpu}.json", rows, ["python", f"tools/bench/{name}.py", *options])
    return done.returncode


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (HERE / f"{sys.argv[1]}.py").is_file():
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
