"""How fast pretraining, embedding and lookup are beside other work, as shares of their speed on a free machine.

    python tools/bench/beside.py                                 free, beside one busy process and beside two; some three minutes
    python tools/bench/beside.py --share 0.25 [--json] [--keep FILE]      a quarter of the time for each measurement

Asked on two cores: at least 45 % of the free speed beside one busy process and 30 % beside two, and no more than 3 % lost on a free
machine against threads that wait as PyTorch has them. The machine should be free otherwise: the load before is told. Each kind of work
has two processes, one for each way of waiting, which are asked in turn; the median of ROUNDS counts. --keep writes the figures with
command, day and machine, row for row, as they stand in tools/bench/results.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import harness

from repr import machine

WORK = ("pretrain", "embed", "lookup")
ASKED = {0: 0.97, 1: 0.45, 2: 0.30}  # busy processes beside us: share of the speed that is to be kept
ROUNDS = 3  # the median of these counts
SECONDS = 4.0  # of each measurement, at --share 1
ACTIVE = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}  # libgomp's and LLVM's own
Row = dict[str, str | float]


@click.command()
@click.option("--share", type=float, default=1.0, show_default=True, help=f"Of the {SECONDS:.0f} seconds of each measurement.")
@click.option("--work", "works", type=click.Choice(WORK), multiple=True, help="Only this; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--keep", "kept", type=click.Path(path_type=Path), help="Write the figures to a JSON file.")
@click.option("--worker", type=click.Choice(WORK), hidden=True, help="Do this work for every number of seconds on standard input.")
def main(share: float, works: Sequence[str], as_json: bool, kept: Path | None, worker: str | None) -> None:
    """Measure it."""
    if worker:
        with rated(worker) as rate:
            for line in sys.stdin:
                click.echo(rate(float(line)))
        return
    rows, load = list[Row](), os.getloadavg()[0]
    for work in works or WORK:
        rows += [{**row, "load_before": load} for row in measured(work, share * SECONDS)]
        if kept is not None:  # what is measured stays, should it be stopped
            harness.keep(kept, rows)
    if as_json:
        click.echo(json.dumps({"rows": rows}))
        return
    click.echo(f"{machine.cores()} cores; load before {load:.1f} (should be near 0)")
    for row in rows:
        click.echo(f"{row['name']:24} {row['rate']:.1f} a second, {100 * float(row['ratio']):.0f} % (asked {100 * float(row['bar']):.0f})")


def measured(work: str, seconds: float) -> list[Row]:
    """A row for each number of busy processes beside one kind of work.

    rate: things a second; ratio: of the free speed, and for the free speed itself of that with threads that wait actively.
    """
    rates: dict[int, list[float]] = {count: [] for count in ASKED}
    active: list[float] = []
    with worker_of(work, ACTIVE) as spinning, worker_of(work, machine.WAITING) as brief:
        for _ in range(ROUNDS):  # in turn, so that a change of the machine meets all alike
            active.append(spinning(seconds))
            for count in ASKED:
                with busy(count):
                    rates[count].append(brief(seconds))
    middle = {count: statistics.median(values) for count, values in rates.items()}
    of = {count: statistics.median(active) if count == 0 else middle[0] for count in ASKED}
    names = {0: f"{work}, free", 1: f"{work}, beside one", 2: f"{work}, beside two"}
    return [{"name": names[count], "rate": middle[count], "ratio": middle[count] / of[count], "bar": bar} for count, bar in ASKED.items()]


@contextmanager
def worker_of(work: str, waiting: dict[str, str]) -> Iterator[Callable[[float], float]]:
    """A fresh process whose threads wait so: from seconds of work to the rate that it finds in them."""
    words = [sys.executable, __file__, "--worker", work]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}  # which would rule over both
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**environment, **waiting}) as process:
        assert process.stdin is not None and process.stdout is not None
        to, answers = process.stdin, process.stdout

        def _rate(seconds: float) -> float:
            to.write(f"{seconds}\n")
            to.flush()
            return float(answers.readline())

        try:
            yield _rate
        finally:
            to.close()


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


@contextmanager
def rated(work: str) -> Iterator[Callable[[float], float]]:
    """One kind of work in this process, after a first go: from seconds of it to things a second."""
    with tempfile.TemporaryDirectory() as name:
        once, things = {"pretrain": _pretraining, "embed": _embedding, "lookup": _lookup}[work](Path(name))
        once()

        def _rate(seconds: float) -> float:
            start, done = time.perf_counter(), 0
            while (gone := time.perf_counter() - start) < seconds:
                once()
                done += things
            return done / gone

        yield _rate


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
