"""A shop of coloured squares, small enough that a run takes a second; programs of several processes, none of which is left behind."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.runs import Run
from repr.training.fit import pretrain
from repr.training.settings import Settings

torch.set_num_threads(1)  # on a busy machine two threads wait for each other

SMALL: dict[str, Any] = {"size": 16, "epochs": 3, "batch_size": 16, "device": "cpu"}
COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 210), "grey": (128, 128, 128)}


def _make_shop(root: Path, *, per_class: int = 16, classes: int = 4, val: int = 0, seed: int = 0, twins: bool = False) -> Catalog:
    """per_class training images and `val` watched ones of each colour, 24 px, with noise; twins: two of a title."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    columns: dict[str, list[object]] = {"path": [], "product": [], "class_1": [], "split": [], "title": []}
    for code, (name, colour) in enumerate(list(COLOURS.items())[:classes]):
        for i in range(per_class + val):
            noise = rng.normal(0, 40, (24, 24, 3))
            pixels = np.clip(np.array(colour) + noise + rng.normal(0, 15, 3), 0, 255).astype(np.uint8)
            file = f"{name}{i}.png"
            Image.fromarray(pixels).save(root / file)
            for key, value in zip(
                columns, (file, name, code, "train" if i < per_class else "val", f"{name} {i // 2 if twins else i}"), strict=True
            ):
                columns[key].append(value)
    names = tuple(ClassName(str(i), name) for i, name in enumerate(list(COLOURS)[:classes]))
    return build(columns, classes=(names, (), ()), sources=(Source("squares", "folders", root),), default_level=1)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """64 images to train on, 16 to watch, four classes."""
    return _make_shop(tmp_path_factory.mktemp("shop"), val=4)


@pytest.fixture(scope="session")
def make_shop() -> Callable[..., Catalog]:
    """A function (folder, per_class=16, classes=4, val=0, seed=0, twins=False) that draws such a shop."""
    return _make_shop


@pytest.fixture(scope="session")
def train() -> Callable[..., dict[str, Any]]:
    """A function (catalog, run folder, **settings) that runs a small pretraining and returns its result."""

    def small(catalog: Catalog, path: Path, **settings: Any) -> dict[str, Any]:
        run = Run.create(path, "repr pretrain", {}, data=catalog.name, synthetic=catalog.synthetic)
        return pretrain(catalog, Settings(**SMALL | settings), run)

    return small


@pytest.fixture(autouse=True)
def _no_estimate() -> Iterator[None]:
    """Nobody is told how long a run takes, so that no steps are taken to find out."""
    log = logging.getLogger("repr.training.fit")
    log.setLevel(logging.WARNING)
    yield
    log.setLevel(logging.NOTSET)


MARK = "REPR_TEST_MARK"
PATIENCE = 300  # seconds for what takes five on a machine that is free


class Programs:
    """Python programs of a test, each in a session of its own; all they start inherits a mark in the environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`python *arguments`; what it says goes to pipes."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, *arguments], env=os.environ | {MARK: self.mark}, start_new_session=True, **pipes)

    def nodes(self, *arguments: str, restarts: int = 0) -> list[subprocess.Popen[str]]:
        """Two "machines" of one process each, by two torchrun commands that meet on the loopback address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", self.mark, "--local-addr", "127.0.0.1"]
        shape = ["--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", str(restarts)]
        return [self.start("-m", "torch.distributed.run", *shape, *meet, *arguments) for _ in range(2)]

    def running(self) -> dict[int, str]:
        """The command lines of all processes that the test has started, and of theirs, by process id."""
        processes = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes()
                    and (folder / "stat").read_text().split(") ")[1][0] != "Z"
                ):
                    processes[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # gone meanwhile, or somebody else's
                continue
        return processes

    def workers(self, of: str) -> list[int]:
        """The running ones whose command line has `of` in it."""
        return sorted(pid for pid, line in self.running().items() if of in line)

    def until(self, what: Callable[[], object]) -> None:
        """Wait for something to be true."""
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, f"in vain; running: {self.running()}"
            time.sleep(0.02)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    """To start programs with. At the end of the test none of their processes may be left."""
    started = Programs(tmp_path)
    monkeypatch.setenv(MARK, started.mark)  # for what the test's own process starts
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))  # the packages that are tested
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")  # see `repr.training.team.SHARED`
    yield started
    deadline = time.monotonic() + 20
    while started.running() and time.monotonic() < deadline:
        time.sleep(0.1)
    left = started.running()
    for pid in left:
        os.kill(pid, 9)
    assert not left
