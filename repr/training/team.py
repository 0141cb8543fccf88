"""The processes that train together, and what they tell each other besides gradients."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from repr import worker
from repr.machine import cores

log = logging.getLogger(__name__)

T = TypeVar("T")
PATIENCE = timedelta(days=30)  # for words: one process may pack images for hours while the others wait

# https://github.com/pytorch/pytorch/issues/135712, in torch 2.15 too: some restarts hang, or fail and take another try.
SHARED = (
    "With TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in the environment of torchrun a restart over several machines is safe; "
    "without it processes may look for those of the attempt before."
)


@dataclass(frozen=True)
class Team:
    """This process and the others. Alone, everything that it would ask of them is its own answer, and torch.distributed is not touched.

    rank: of `world` processes on all machines; local_rank: of those on this machine. words: the group for what is no gradient.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    words: distributed.ProcessGroup | None = None

    def everyones(self, value: T) -> list[T]:
        """What each process gave, by rank. Anything that can be pickled."""
        values = [value] * self.world
        if self.world > 1:
            distributed.all_gather_object(values, value, group=self.words)
        return values

    def first_ones(self, value: T) -> T:
        """What rank 0 gave; the others' does not count."""
        values = [value]
        if self.world > 1:
            distributed.broadcast_object_list(values, src=0, group=self.words)
        return values[0]

    def sum(self, values: Tensor) -> Tensor:
        """Sums over the processes of tensors of one shape, on the training device."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier(self.words)


ALONE = Team()


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """Meet the processes that torch's launcher has started with this one, if any. device: where this one trains.

    A CPU's cores are shared by the processes of a machine, unless OMP_NUM_THREADS says how many each takes; torchrun says 1.
    When their launcher ends, however it does, they are told to stop, so that none is left behind.
    """
    here = worker.here()
    if here.world == 1:
        yield ALONE
        return
    if here.rank == 0 and here.world > here.local_world and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        log.warning(SHARED)
    worker.follow_parent(signal.SIGTERM)
    if worker.orphaned():
        raise KeyboardInterrupt
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, cores() // here.local_world))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    words = distributed.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(words, distributed.ProcessGroup)
    yield Team(here.rank, here.world, here.local_rank, words)
    distributed.destroy_process_group()  # not after a failure, when it might wait for one that is gone
