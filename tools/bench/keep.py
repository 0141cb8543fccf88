#!/usr/bin/env python
"""Run a benchmark and keep what it found, so that a figure in the docs can be traced: with its command, the day and the machine.

    python tools/bench/keep.py increment --products 100000
    python tools/bench/keep.py titles

The words behind the name are the benchmark's own. Written to results/<name>.json beside this file, in place of what was kept of it.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from repr import runs
from repr.files import write_json

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def main(words: Sequence[str]) -> int:
    """Run the benchmark that the first of the words names; its exit code, and nothing kept where that is not 0."""
    name, *options = words
    command = [f"tools/bench/{name}.py", *options]
    done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return done.returncode
    found = json.loads(done.stdout.splitlines()[-1])
    threads = os.environ.get("OMP_NUM_THREADS", "one a core")
    day = datetime.date.today().isoformat()
    RESULTS.mkdir(exist_ok=True)
    machine = runs.environment() | {"threads": threads, "load": os.getloadavg()[0]}
    write_json(RESULTS / f"{name}.json", {"command": f"python {' '.join(command)}", "written": day, "environment": machine, "found": found})
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (HERE / f"{sys.argv[1]}.py").is_file():
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
