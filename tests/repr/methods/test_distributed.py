"""Two gloo processes with half a batch each agree with one process on the whole batch: loss and gradient."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from lightly.loss import DCLLoss, NTXentLoss, VICRegLoss
from torch import Tensor, distributed, nn

from repr.methods.supcon import supcon_loss

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
    if rank == 0:
        torch.save(found, out)
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tensor, Tensor]]:
    out = tmp_path_factory.mktemp("gloo") / "found.pt"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # fork, since spawned processes would each spend seconds on importing torch; nothing here has started threads of its own
    torch.multiprocessing.start_processes(one_of_two, (port, out), nprocs=2, start_method="fork")
    found: dict[str, tuple[Tensor, Tensor]] = torch.load(out, weights_only=True)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_agree_with_one(name: str, two: dict[str, tuple[Tensor, Tensor]]) -> None:
    layer = network()
    first, second, labels = data()
    loss = loss_of(name, layer(first), layer(second), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    mean, gradient = two[name]
    torch.testing.assert_close(mean, loss.detach())
    torch.testing.assert_close(gradient, layer.weight.grad)
