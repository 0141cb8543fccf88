"""How fast pretraining, embedding and lookup are beside other work, as shares of their speed on a free machine.

    python tools/bench/beside.py            free, beside one busy process and beside two; some ten minutes
    python tools/bench/beside.py --json

Asked on two cores: at least 45 % of the free speed beside one busy process and 30 % beside two, and no more than 3 % lost on a free
machine against threads that wait as PyTorch has them. The machine should be free otherwise: the load before is told.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from repr import machine

WORK = ("pretrain", "embed", "lookup")
BUSY = (0, 1, 2)
ASKED = {1: 0.45, 2: 0.30}
LOST = 0.03
ROUNDS = 3  # the median of these counts
ACTIVE = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}  # libgomp's and LLVM's own


@click.command()
@click.option("--seconds", type=float, default=8.0, show_default=True, help="Of each measurement.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--worker", type=click.Choice(WORK), hidden=True, help="Do this work for --seconds and print its rate.")
def main(seconds: float, as_json: bool, worker: str | None) -> None:
    """Measure it."""
    if worker:
        click.echo(rate(worker, seconds))
        return
    rows = [measured(work, seconds) for work in WORK]
    if as_json:
        click.echo(json.dumps({"load": os.getloadavg()[0], "cores": machine.cores(), "rows": rows}))
        return
    click.echo(f"{machine.cores()} cores; load before {os.getloadavg()[0]:.1f} (should be near 0)")
    for row in rows:
        click.echo(
            f"{row['work']:9} {row['free']:.1f} a second free, {100 * row['lost']:+.1f} % lost by waiting briefly; beside one "
            f"{100 * row['beside_1']:.0f} % (asked {100 * ASKED[1]:.0f}), two {100 * row['beside_2']:.0f} % (asked {100 * ASKED[2]:.0f})"
        )


def measured(work: str, seconds: float) -> dict[str, float | str]:
    """The rates of one kind of work: things a second when free, the share lost by waiting briefly, and the shares kept beside others."""
    rates: dict[int, list[float]] = {count: [] for count in BUSY}
    active: list[float] = []
    for _ in range(ROUNDS):  # in turn, so that a change of the machine meets all alike
        active.append(fresh_rate(work, seconds, ACTIVE))
        for count in BUSY:
            with busy(count):
                rates[count].append(fresh_rate(work, seconds, machine.WAITING))
    free = statistics.median(rates[0])
    shares = {f"beside_{count}": statistics.median(rates[count]) / free for count in ASKED}
    return {"work": work, "free": free, "lost": 1 - free / statistics.median(active), **shares}


def fresh_rate(work: str, seconds: float, waiting: dict[str, str]) -> float:
    """The rate that a fresh process finds, whose threads wait so."""
    words = [sys.executable, __file__, "--worker", work, "--seconds", str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, **waiting})
    return float(done.stdout.splitlines()[-1])


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes beside us that do nothing but count."""
    others = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def rate(work: str, seconds: float) -> float:
    """Things a second of one kind of work in this process, after a first go."""
    with tempfile.TemporaryDirectory() as name:
        once, things = {"pretrain": _pretraining, "embed": _embedding, "lookup": _lookup}[work](Path(name))
        once()
        start, done = time.perf_counter(), 0
        while (seconds_gone := time.perf_counter() - start) < seconds:
            once()
            done += things
        return done / seconds_gone


def _images(count: int) -> list[object]:
    import numpy as np

    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (200, 200, 3), np.uint8) for _ in range(count)]


def _pretraining(folder: Path) -> tuple[Callable[[], object], int]:
    """Plain steps of training in bfloat16, as the loop takes them: ResNet-18 at 64 px, 64 images a step."""
    import torch
    from torch.nn.functional import cross_entropy
    from torchvision.models import resnet18

    network, images = resnet18(num_classes=100), torch.randn(64, 3, 64, 64)
    network, images = network.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    labels, optimiser = torch.arange(64), torch.optim.SGD(network.parameters(), lr=0.01)

    def _step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(network(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return _step, 64


def _embedding(folder: Path) -> tuple[Callable[[], object], int]:
    from repr import load

    encoder, images = load("imagenet"), _images(64)
    return lambda: encoder.images(images), len(images)  # type: ignore[arg-type]


def _lookup(folder: Path) -> tuple[Callable[[], object], int]:
    from repr import Index

    index, images = Index.create(folder / "shop.index"), _images(40)
    for place, image in enumerate(images):
        index.add(f"product-{place}", image)  # type: ignore[arg-type]
    return lambda: index.lookup(images[0], k=5), 1  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
