"""What this machine lends to this process."""

from __future__ import annotations

import os
from collections.abc import Callable


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def calm_after_fork(set_threads: Callable[[int], object]) -> None:
    """Have a forked child work with one thread in a library of OpenMP's: the others stayed with the parent, and are waited for for ever.

    set_threads: the library's own function. To be called once for each library, when it is loaded: GCC's OpenMP has no such handler.
    """
    os.register_at_fork(after_in_child=lambda: set_threads(1))
