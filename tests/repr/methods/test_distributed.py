"""Two gloo processes with half a batch each agree with one process on the whole batch: loss, gradient, and MoCo's queue.

Started by the launcher of `--devices 2`, and as two machines by two torchrun commands; each runs this file.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, distributed, nn

from repr.images.views import preset
from repr.methods import METHODS, load
from repr.models.encoder import Encoder
from repr.training.launch import launch
from repr.training.team import joined

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
        method = "simclr" if name == "decoupled" else name
        self.method = load(method)(encoder, 4, views, METHODS[method].settings(**CASES[name]))
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


def one_of_two(out: Path) -> None:
    """What each of the two processes does."""
    with joined(torch.device("cpu")) as team:
        mine = slice(team.rank * B // 2, (team.rank + 1) * B // 2)
        of_methods = {name: trained(name, mine) for name in CASES}
        if team.rank == 0:
            torch.save(of_methods, out)


@pytest.fixture(scope="module", params=["devices", pytest.param("machines", marks=pytest.mark.slow)])
def two(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("gloo") / "found.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
        patch.setenv("OMP_NUM_THREADS", "1")
        if request.param == "devices":
            launch(2, [__file__, str(out)])
        else:
            machines(str(out))
    of_methods: dict[str, Any] = torch.load(out, weights_only=True)
    return of_methods


def machines(out: str) -> None:
    """Run this file on two "machines" of one process each, which meet on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shape = ["--nnodes", "2", "--nproc-per-node", "1", "--local-addr", "127.0.0.1"]
    meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", out]
    command = [sys.executable, "-m", "torch.distributed.run", *shape, *meet, __file__, out]
    started = [subprocess.Popen(command) for _ in range(2)]
    assert [program.wait(timeout=600) for program in started] == [0, 0]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_does(name: str, two: dict[str, Any]) -> None:
    one = trained(name, slice(None))
    held = {"method.queue", "method.place"} if name == "moco" else set()
    assert held <= one.keys() and "gradient of method.encoder.layer.weight" in one
    torch.testing.assert_close(two[name], one)


if __name__ == "__main__":
    one_of_two(Path(sys.argv[1]))
