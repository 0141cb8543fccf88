"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from repr import console

# A shell ignores Ctrl-C in what it starts in the background, and so would every program that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(os.environ.get("REPR_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and records; tests that need it are skipped, with a word, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the folder of real data is not here ({SHARED}); set REPR_TEST_DATA to name it")
    return SHARED


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never touch the user's cache."""
    os.environ["REPR_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _told() -> Iterator[None]:
    """What the library tells goes to stderr, as with the command line, so that tests can read it there."""
    with console.told():
        yield
