"""Two gloo processes with half a batch each agree with one process on the whole batch: loss, gradient, and MoCo's queue."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, distributed, nn

from repr.images.views import preset
from repr.methods import load
from repr.models.encoder import Encoder

B, D = 8, 6
CASES: dict[str, dict[str, Any]] = {
    "simclr": {"temperature": 0.2},
    "decoupled": {"temperature": 0.2, "decoupled": True},
    "moco": {"queue": 12},
    "vicreg": {},
    "supcon": {"temperature": 0.2},
    "joint": {"contrast": 0.3},
}
NORMALISED = ("simclr", "decoupled", "vicreg")  # their heads have batch norms, which see half a batch in each process of a CPU


def data() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, B, D, generator=generator)
    return first, second, torch.tensor([0, 1, 0, 2, 2, 1, 0, 3])  # a class on both sides, one on one side, one alone


class Tiny(nn.Module):
    """An encoder without batch norm, which would see half a batch in each process: (b, D) → (b, D)."""

    dim = D

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(D, D)

    def forward(self, view: Tensor) -> Tensor:
        out: Tensor = self.layer(view).tanh()
        return out


class Whole(nn.Module):
    """A method as DistributedDataParallel wants it: its loss is the forward pass."""

    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(5)
        encoder, views = cast(Encoder, Tiny()), preset("supervised", 16)
        self.method = load("simclr" if name == "decoupled" else name)(encoder, 4, views, **CASES[name])
        if name in NORMALISED:
            self.method.head = nn.Linear(D, 2 * B)  # wider than the batch: VICReg's covariance takes another way then

    def forward(self, first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
        return self.method.loss((first, second), labels)[0]


def trained(name: str, mine: slice) -> dict[str, Tensor]:
    """The mean loss over the processes of a second step, its gradients, and the buffers (MoCo's queue) after it.

    Before it lies a whole step: loss, gradient, update, and the key encoder that follows. mine: this process's part of the batch.
    """
    whole = Whole(name)
    wrapped = nn.parallel.DistributedDataParallel(whole) if distributed.is_initialized() else whole
    optimiser = torch.optim.SGD([p for p in whole.parameters() if p.requires_grad], lr=0.1)
    for step in range(2):
        optimiser.zero_grad()
        loss = wrapped(*(part[mine] for part in data()))
        loss.backward()
        if step == 0:
            optimiser.step()
            whole.method.after_step(0.5)
    mean = loss.detach().clone()
    if distributed.is_initialized():
        distributed.all_reduce(mean)
        mean /= 2
    gradients = {f"gradient of {name}": p.grad for name, p in whole.named_parameters() if p.grad is not None}
    buffers = {name: buffer for name, buffer in whole.named_buffers() if "memory_bank" not in name}  # lightly's, which is not used
    return {"loss": mean, **gradients, **buffers}


def one_of_two(rank: int, port: int, out: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mine = slice(rank * B // 2, (rank + 1) * B // 2)
    found = {name: trained(name, mine) for name in CASES}
    if rank == 0:
        torch.save(found, out)
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("gloo") / "found.pt"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # fork, since spawned processes would each spend seconds on importing torch; nothing here has started threads of its own
    torch.multiprocessing.start_processes(one_of_two, (port, out), nprocs=2, start_method="fork")
    found: dict[str, Any] = torch.load(out, weights_only=True)
    return found


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_does(name: str, two: dict[str, Any]) -> None:
    one = trained(name, slice(None))
    held = {"method.queue", "method.place"} if name == "moco" else set()
    assert held <= one.keys() and "gradient of method.encoder.layer.weight" in one
    torch.testing.assert_close(two[name], one)
