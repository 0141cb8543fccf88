#!/usr/bin/env python
"""Does a test notice? Each of the one-line changes in list.toml must make the test that it names fail.

    .venv/bin/python tools/mutants/mutants.py            all of them, within two minutes on two cores
    .venv/bin/python tools/mutants/mutants.py skip-connection bic-held-out

Nothing on the disk is changed: every change is tried in a fork of a process that has loaded the libraries and none of the packages, and
that reads the changed source in place of the file's. A test that starts programs of its own does not see the change, so none is named.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import io
import os
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("list.toml")
HEAVY = ("torch", "torchvision", "lightly", "faiss", "pyarrow.parquet", "scipy.stats", "sklearn.neighbors", "hypothesis", "pytest", "click")
LIMIT = 120  # seconds a change; a loop that a change makes endless counts as noticed
FAILED = 1  # pytest's exit code where tests ran and some failed


@dataclass(frozen=True)
class Mutant:
    """A change. line: a part of the file that stands in it once, new: what takes its place; test: that must fail, as pytest names it."""

    name: str
    file: str
    line: str
    new: str
    test: str

    def source(self) -> str:
        """The changed file. Raises ValueError where the line does not stand in it once."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if text.count(self.line) != 1:
            raise ValueError(f"{self.file} has {self.line!r} {text.count(self.line)} times, not once: bring list.toml up to date")
        return text.replace(self.line, self.new)


def read_list(file: Path = LIST) -> list[Mutant]:
    """All changes, in the order of the file."""
    return [Mutant(name, **entry) for name, entry in tomllib.loads(file.read_text(encoding="utf-8")).items()]


def main(names: Sequence[str]) -> int:
    """Try the changes of these names, or all; 0 when a test fails for every one."""
    chosen = [mutant for mutant in read_list() if not names or mutant.name in names]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    for library in HEAVY:
        importlib.import_module(library)
    running: dict[int, Mutant] = {}
    survived = []
    for mutant in [*chosen, *[None] * len(chosen)]:
        if mutant is not None:
            running[start(mutant)] = mutant
        if running and (mutant is None or len(running) >= (os.cpu_count() or 1)):
            process, status = os.wait()
            done = running.pop(process)
            noticed = os.waitstatus_to_exitcode(status) in (FAILED, -14)  # 14: SIGALRM, when it went on for ever
            print(f"{'noticed ' if noticed else 'SURVIVED'} {done.name}: {done.test}", flush=True)
            survived += [] if noticed else [done.name]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} changes were noticed" + (f"; not: {', '.join(survived)}" if survived else ""))
    return 1 if survived or not chosen else 0


def start(mutant: Mutant) -> int:
    """Run a change's test in a fork; its process id."""
    changed = mutant.source()
    process = os.fork()
    if process:
        return process
    import signal

    signal.alarm(LIMIT)
    replace(ROOT / mutant.file, changed)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        import pytest

        code = pytest.main(["-x", "-q", "-p", "no:xdist", mutant.test])
    if code != FAILED:
        print(printed.getvalue()[-3000:], file=sys.__stdout__, flush=True)
    os._exit(int(code))


def replace(file: Path, source: str) -> None:
    """From now on, importing this file gives other code."""
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        if Path(self.path) == file:
            return compile(source, str(file), "exec", dont_inherit=True)
        return original(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
