"""Two gloo processes with half a batch each agree with one process on the whole batch: loss, gradient, and MoCo's queue."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.multiprocessing
from lightly.loss import DCLLoss, NTXentLoss, VICRegLoss
from torch import Tensor, distributed, nn

from repr.methods.joint import Joint
from repr.methods.method import Method
from repr.methods.moco import MoCo
from repr.methods.supcon import supcon_loss
from repr.models.encoder import Encoder
from repr.pictures.views import preset

NAMES = ("nt-xent", "dcl", "vicreg", "supcon")
B, D, OUT = 8, 6, 5


def network() -> nn.Linear:
    layer = nn.Linear(D, OUT, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    return layer


def data() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, B, D, generator=generator, dtype=torch.float64)
    return first, second, torch.tensor([0, 1, 0, 2, 2, 1, 0, 3])  # a class on both sides, one on one side, one alone


def loss_of(name: str, a: Tensor, b: Tensor, labels: Tensor) -> Tensor:
    if name == "supcon":
        return supcon_loss(torch.cat([a, b]), labels.repeat(2), 0.2)
    if name == "vicreg":
        value: Tensor = VICRegLoss(gather_distributed=True)(a, b)
    else:
        value = (NTXentLoss if name == "nt-xent" else DCLLoss)(temperature=0.2, gather_distributed=True)(a, b)
    return value


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
        self.method: Method = MoCo(encoder, 4, views, queue=12) if name == "moco" else Joint(encoder, 4, views, contrast=0.3)

    def forward(self, first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
        return self.method.loss((first.float(), second.float()), labels)[0]


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
    return {"loss": mean, **gradients, **dict(whole.named_buffers())}


def one_of_two(rank: int, port: int, out: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mine = slice(rank * B // 2, (rank + 1) * B // 2)
    found = {}
    for name in NAMES:
        layer = network()
        wrapped = nn.parallel.DistributedDataParallel(layer)
        first, second, labels = data()
        outputs = wrapped(torch.cat([first[mine], second[mine]]))
        loss = loss_of(name, *outputs.chunk(2), labels[mine])
        loss.backward()  # type: ignore[no-untyped-call]
        mean = loss.detach().clone()
        distributed.all_reduce(mean)
        assert layer.weight.grad is not None
        found[name] = (mean / 2, layer.weight.grad)
    methods = {name: trained(name, mine) for name in ("moco", "joint")}
    if rank == 0:
        torch.save({**found, **methods}, out)
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


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_agree_with_one(name: str, two: dict[str, Any]) -> None:
    layer = network()
    first, second, labels = data()
    loss = loss_of(name, layer(first), layer(second), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    mean, gradient = two[name]
    torch.testing.assert_close(mean, loss.detach())
    torch.testing.assert_close(gradient, layer.weight.grad)


@pytest.mark.parametrize(("name", "held"), [("moco", {"method.queue", "method.place"}), ("joint", set())])
def test_two_processes_train_a_method_as_one_does(name: str, held: set[str], two: dict[str, Any]) -> None:
    one = trained(name, slice(None))
    assert held <= one.keys() and "gradient of method.encoder.layer.weight" in one
    torch.testing.assert_close(two[name], one)
