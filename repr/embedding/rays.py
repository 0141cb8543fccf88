"""Blocks embedded on a Ray cluster, or on a local one: a block whose worker dies is embedded by another."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from repr.embedding.blocks import Block, Look, Run, embed_block
from repr.embedding.embeddings import Embeddings
from repr.errors import UserError
from repr.machine import cores

if TYPE_CHECKING:
    import ray
else:
    try:
        import ray
    except ImportError:  # told in words, when it is asked for
        ray = None

LOCAL = "local"
TRIES = 5  # of a block whose worker dies; an error in the block itself is not tried again
AHEAD = 2  # blocks a worker that are handed out at a time, so that it does not wait
STORE_BYTES = 256 * 2**20  # of a local cluster's shared memory: weights and vectors of some blocks


def on_ray(address: str, *, workers: int | None = None) -> Run:
    """Who embeds blocks on the cluster at `address`; "local" for one of this machine's own, with `workers` processes.

    Image files and the package have to be where the workers are. Raises UserError when Ray is not installed, or is not there.
    """
    if ray is None:
        raise UserError("Ray is not installed", "", "Install it with `pip install 'product-repr[scale]'`", argument="ray")

    def _run(look: Look, blocks: Iterable[Block]) -> Iterator[tuple[int, Embeddings]]:
        _connect(address, workers)
        try:
            yield from _embedded(look, blocks)
        finally:
            ray.shutdown()

    return _run


def _connect(address: str, workers: int | None) -> None:
    try:
        if address == LOCAL:
            count = workers or cores()
            ray.init(
                address="local",
                num_cpus=count,
                object_store_memory=STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray cluster answers ({error})", address, "Check the address, or say local", argument="ray") from None


def _embedded(look: Look, blocks: Iterable[Block]) -> Iterator[tuple[int, Embeddings]]:
    """Blocks as they are done; a few more than there are workers are under way at a time."""
    task = ray.remote(max_retries=TRIES, num_gpus=int(look.device != "cpu"))(embed_block)
    shared, todo = ray.put(look), iter(list(blocks))
    most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
    under_way: dict[ray.ObjectRef[Embeddings], int] = {}
    while True:
        for block in todo:
            under_way[task.remote(shared, block)] = block.number
            if len(under_way) >= most:
                break
        if not under_way:
            return
        (ready,), _ = ray.wait(list(under_way), num_returns=1)
        try:
            yield under_way.pop(ready), ray.get(ready)
        except ray.exceptions.WorkerCrashedError:
            raise UserError(
                f"workers died at a block {TRIES + 1} times", "", "Look at their memory, then give the command again: it goes on"
            ) from None
