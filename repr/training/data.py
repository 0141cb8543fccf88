"""Batches of packed images for the loop: which images at which step is a function of the seed alone, so a run can go on anywhere."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from repr.arrays import Ints, Pixels
from repr.errors import UserError

AHEAD = 3  # batches read ahead; a batch of 64 at 80 px is 1.2 MB

# Streams of randomness, so that drawing more from one never moves another: see `stream`.
ORDER, VIEWS, HEADS, HOLDOUT, LAYERS = range(5)


def stream(seed: int, purpose: int, *counters: int) -> int:
    """A 63-bit seed for one purpose at one place of the run: the same wherever and however often the run was interrupted."""
    return int(np.random.SeedSequence([seed, purpose, *counters]).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True)
class Batch:
    """One step's images: uint8 (b, h, w, 3) and int64 labels (b,) on the device, and the step's number from 0."""

    step: int
    pixels: Tensor
    labels: Tensor


def epoch_order(labels: Ints, seed: int, epoch: int, *, balanced: bool) -> Ints:
    """(n,) int64 positions in the order of an epoch.

    Every image once; or, balanced, every class equally often (± 1), its images in turn, each once before any comes again
    within the epoch. labels: int64 (n,).
    """
    rng = np.random.default_rng(stream(seed, ORDER, epoch))
    n = len(labels)
    if not balanced:
        return rng.permutation(n)
    classes, inverse = np.unique(labels, return_inverse=True)
    quota = np.full(len(classes), n // len(classes))
    quota[rng.permutation(len(classes))[: n % len(classes)]] += 1
    drawn = []
    for code, amount in enumerate(quota):
        members = np.flatnonzero(inverse == code)
        rounds = -(-int(amount) // len(members))
        drawn.append(np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members[:0]])[:amount])
    return rng.permutation(np.concatenate(drawn))


class Batches:
    """An iterable over all steps from `start` to `steps`, each a Batch on `device`; the last, incomplete batch of an epoch is left out.

    pixels: uint8 (n, h, w, 3), an array (in memory or memory-mapped) read ahead by a thread, or a tensor that already
    lives on the device. positions: (m,) which of them are trained on; None for all. labels: int64 (m,).
    batch_size: over all ranks; rank r of `world` gets the r-th part of each batch.
    `waited`: seconds the loop has stood waiting for a batch so far.
    """

    def __init__(
        self,
        pixels: Pixels | Tensor,
        labels: Ints,
        *,
        positions: Ints | None = None,
        batch_size: int,
        epochs: int,
        seed: int,
        balanced: bool = False,
        device: torch.device | None = None,
        rank: int = 0,
        world: int = 1,
        start: int = 0,
    ) -> None:
        self.positions = np.arange(len(pixels)) if positions is None else positions
        assert len(self.positions) == len(labels) >= batch_size >= world and batch_size % world == 0
        self.pixels, self.labels, self.balanced, self.seed = pixels, labels, balanced, seed
        self.device = device or torch.device("cpu")
        self.batch_size, self.rank, self.world, self.start = batch_size, rank, world, start
        self.steps_an_epoch = len(labels) // batch_size
        self.steps = self.steps_an_epoch * epochs
        self.waited = 0.0

    def __len__(self) -> int:
        return self.steps - self.start

    def indices(self, step: int) -> Ints:
        """(b / world,) positions of this rank's images at `step`."""
        epoch, batch = divmod(step, self.steps_an_epoch)
        if getattr(self, "_epoch", None) != epoch:
            self._order, self._epoch = epoch_order(self.labels, self.seed, epoch, balanced=self.balanced), epoch
        part = self.batch_size // self.world
        first = batch * self.batch_size + self.rank * part
        return self._order[first : first + part]

    def first(self) -> Batch:
        """The first step's batch, for a try."""
        return self._read(0)

    def _read(self, step: int) -> Batch:
        chosen = self.indices(step)
        labels = torch.from_numpy(self.labels[chosen])
        chosen = self.positions[chosen]
        if isinstance(self.pixels, Tensor):
            pixels = self.pixels[torch.from_numpy(chosen).to(self.pixels.device)]
        else:
            pixels = torch.from_numpy(np.ascontiguousarray(self.pixels[chosen]))
        if self.device.type == "cuda":
            if pixels.device.type == "cpu":
                pixels = pixels.pin_memory().to(self.device, non_blocking=True)
            labels = labels.pin_memory().to(self.device, non_blocking=True)
        return Batch(step, pixels, labels)

    def __iter__(self) -> Iterator[Batch]:
        ready: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
        over = threading.Event()

        def _work() -> None:
            try:
                for step in range(self.start, self.steps):
                    if not _put(ready, self._read(step), over):
                        return
            except BaseException as error:
                _put(ready, error, over)

        thread = threading.Thread(target=_work, name="batches", daemon=True)
        thread.start()
        try:
            for _ in range(self.start, self.steps):
                begun = time.perf_counter()
                item = ready.get()
                self.waited += time.perf_counter() - begun
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            over.set()
            thread.join()


def _put(target: queue.Queue[Batch | BaseException], item: Batch | BaseException, over: threading.Event) -> bool:
    while not over.is_set():
        try:
            target.put(item, timeout=0.2)
            return True
        except queue.Full:
            continue
    return False


def fit_batch(n: int, batch_size: int, devices: int) -> int:
    """The batch that is used: at most the n images there are, divisible by the devices.

    Raises UserError when there is no image, or a device would normalise over a single one.
    """
    if n == 0:
        raise UserError("no training images", "", "Check `data`, `subset` and `level`")
    used = min(n, batch_size) // devices * devices
    if used < 2 * devices:
        share = f"{min(n, batch_size)} on {devices} device{'s' if devices > 1 else ''}"
        few = f"batch norm needs at least two images a batch, and there would be {share}"
        raise UserError(few, "", "Raise `batch_size` or give more images", argument="batch_size")
    return used


def resident(n_bytes: int, device: torch.device, choice: str) -> bool:
    """Whether the packed images move into the device's memory: choice "device", "disk", or "auto" (a third of what is free suffices)."""
    if device.type != "cuda" or choice == "disk":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    if choice == "device" and n_bytes > 0.9 * free:
        raise UserError(
            f"the images need {n_bytes / 2**30:.1f} GiB and the device has {free / 2**30:.1f} free", "", "Use disk", argument="pixels"
        )
    return choice == "device" or n_bytes < free / 3
