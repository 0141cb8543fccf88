"""What this machine lends to this process."""

from __future__ import annotations

import os
from collections.abc import Callable

# Threads of OpenMP wait for each other by spinning, PyTorch's own (libgomp) for some 300,000 turns: beside a busy process, which holds the
# core of the one that is waited for, they burn what it needs. 2,000 turns are about 0.1 ms, more than lies between two parallel loops of a
# training step; who waits longer sleeps. KMP_BLOCKTIME, in milliseconds, is the same of Intel's and LLVM's OpenMP.
WAITING = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "1"}

DOWNLOAD = "REPR_DOWNLOAD"  # the environment variable that lets published weights be fetched, in this process and those that it starts


def wait_briefly() -> None:
    """Have threads that wait for each other sleep soon, in this process and its children. To be called before PyTorch is loaded.

    What the environment says of waiting already is left as it is.
    """
    if not any(name in os.environ for name in ("OMP_WAIT_POLICY", *WAITING)):
        os.environ.update(WAITING)


def use_threads(count: int) -> None:
    """Have `count` threads compute, in this process and its children. To be called before PyTorch is loaded."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(count)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def calm_after_fork(set_threads: Callable[[int], object]) -> None:
    """Have a forked child work with one thread in a library of OpenMP's: the others stayed with the parent, and are waited for for ever.

    set_threads: the library's own function. To be called once for each library, when it is loaded: GCC's OpenMP has no such handler.
    """
    os.register_at_fork(after_in_child=lambda: set_threads(1))
