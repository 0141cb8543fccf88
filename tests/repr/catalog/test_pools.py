"""Processes of our own: fresh ones, each begun as it was told."""

from __future__ import annotations

import os

from repr.catalog.pools import processes


def test_each_is_a_fresh_process_that_was_begun_with_the_arguments() -> None:
    with processes(1, os.putenv, "REPR_TEST_BEGUN", "yes") as pool:
        assert pool.submit(os.getpid).result(timeout=60) != os.getpid()
        assert pool.submit(os.system, 'test "$REPR_TEST_BEGUN" = yes').result(timeout=60) == 0
        assert pool._mp_context is not None and pool._mp_context.get_start_method() == "spawn"
