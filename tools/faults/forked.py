"""Work in a forked process, which has all that is imported, and may be killed."""

from __future__ import annotations

import os
from collections.abc import Callable


def child(work: Callable[[], int]) -> int:
    """Start a forked process that does `work`, whose result is its exit code; returns its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        code = work()
    finally:
        os._exit(code)
