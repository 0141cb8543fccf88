"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from repr import console

# A shell ignores Ctrl-C in what it starts in the background, and so would every program that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

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


@contextmanager
def _thinned() -> Iterator[None]:
    import torchvision
    from torch import nn

    from repr.models.backbones import expected_shapes
    from repr.models.weights import known_weights

    def resnet18(weights: None = None, num_classes: int = 1000) -> nn.Module:
        network = nn.Sequential()
        for n, (width, wider, side, stride) in enumerate(((3, 24, 4, 4), (24, 64, 3, 2), (64, 512, 1, 1)), 1):
            network.add_module(f"conv{n}", nn.Conv2d(width, wider, side, stride, side // 3, bias=False))
            network.add_module(f"bn{n}", nn.BatchNorm2d(wider))
            network.add_module(f"relu{n}", nn.ReLU())
        network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
        network.add_module("flatten", nn.Flatten())
        network.add_module("fc", nn.Linear(512, num_classes))
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchvision.models, "resnet18", resnet18)
        expected_shapes.cache_clear()
        known_weights.cache_clear()
        yield
    expected_shapes.cache_clear()
    known_weights.cache_clear()


@pytest.fixture(scope="module")
def thin() -> Iterator[None]:
    """Meanwhile "resnet18" has 3 convolutions of 0.2 MB in the place of 20 of 45 MB: for tests that ask nothing of the network itself."""
    with _thinned():
        yield


@pytest.fixture
def thin_here() -> Iterator[None]:
    """`thin`, for one test among others that want the network itself."""
    with _thinned():
        yield


@pytest.fixture(autouse=True)
def _told() -> Iterator[None]:
    """What the library tells goes to stderr, as with the command line, so that tests can read it there."""
    with console.listening():
        yield
