"""Commands of ours in forked copies of this process: PyTorch, and what belongs to it, is loaded once for all of them."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from repr import console
from repr.machine import cores

PROGRAMS = {"repr": "repr.cli:group", "rpc_transfer": "rpc_transfer.cli:group", "demo_page": "demo_page:group"}
HEAVY = ("torch", "torchvision", "scipy.stats", "repr.cli.index", "repr.lookup.opened", "demo_page")  # in steps of a second or two
THREADS = (("torch", "set_num_threads"), ("faiss", "omp_set_num_threads"))
METHOD: Literal["fork", "spawn"] = "fork" if sys.platform == "linux" else "spawn"  # elsewhere libraries of the system do not bear a fork


def load(tick: Callable[[], object]) -> None:
    """Load what children have ready from then on, and call `tick` now and then. Nothing is computed: threads do not live through a fork."""
    for name in HEAVY if METHOD == "fork" else ():
        importlib.import_module(name)
        tick()


def start(words: Sequence[str], out: Path, err: Path) -> BaseProcess:
    """Run a command, of PROGRAMS or else of the system, with its standard output and its words in two files. Returns the process."""
    context = multiprocessing.get_context("fork") if METHOD == "fork" else multiprocessing.get_context("spawn")
    child = context.Process(target=_run, args=(list(words), str(out), str(err)))
    child.start()
    return child


def _run(words: list[str], out: str, err: str) -> None:
    """The command itself, in the child, which ends with its exit code."""
    for number, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    if words[0] not in PROGRAMS:
        os.execvp(words[0], words)
    for logger in ("repr", "rpc_transfer"):  # the parent's lines are not the child's
        logging.getLogger(logger).handlers.clear()
    count = int(os.environ.get("OMP_NUM_THREADS") or cores())
    for library, use in THREADS:  # a fork has one (`repr.machine.calm_after_fork`), for fear of the parent's; ours has none
        if library in sys.modules:
            getattr(sys.modules[library], use)(count)
    module, name = PROGRAMS[words[0]].split(":")
    sys.argv = words
    console.run(getattr(importlib.import_module(module), name), words[0])
