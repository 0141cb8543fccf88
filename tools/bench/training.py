"""How near training comes to the machine's limit: our loop against the bare model step, and our model step against a plain one.

    python tools/bench/training.py [--arch resnet18] [--size 64] [--device auto] [--method supervised --method simclr]
                                   [--batch-size 64] [--steps 12] [--rounds 3] [--compile] [--json]

Loop rows: `ratio` is the seconds of a bare step (forward, loss, gradients, update on random tensors of the views' shape, in the
same precision and memory format) over those of our loop, which reads packed images, makes the views, counts and watches.
Step rows: `ratio` is the better of a plain float32 step of torchvision's (or timm's) network, contiguous or channels-last, over ours.
All arms take turns within one process, --rounds times; the median of the rounds counts. Peak memory is the process's so far
(CPU), or the device's since the row began. Bars: 0.90 supervised, 0.80 simclr on 2 cores at 64 px; 0.90 both on a GPU at 224 px;
0.95 for the step.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from harness import Row
from torch import Tensor

from repr.console import say
from repr.methods.method import Method
from repr.models.backbones import BACKBONES, build
from repr.models.devices import pick_device
from repr.models.provenance import Learned
from repr.models.weights import load_encoder
from repr.runs import Run
from repr.tables import table
from repr.training import optim
from repr.training.data import Batch, Batches, resident
from repr.training.fit import build_method, starting_weights
from repr.training.loop import Loop, Place
from repr.training.precision import as_channels_last, gradient_step
from repr.training.prepare import Material, pack_size
from repr.training.settings import Settings
from repr.training.stop import Stop
from repr.training.team import ALONE

CLASSES = 26
WARM = 3  # steps of each arm that are not counted
SUPERVISED_BAR, CONTRASTIVE_BAR, GPU_BAR, STEP_BAR = 0.90, 0.80, 0.90, 0.95


class Timed(Batches):
    """Batches that note when each is asked for."""

    def __iter__(self) -> Iterator[Batch]:
        self.times: list[float] = []
        for n, batch in enumerate(super().__iter__()):
            if n in (WARM, len(self) - 1):
                _wait(self.device)
            self.times.append(time.perf_counter())
            yield batch

    def seconds_a_step(self) -> float:
        """Mean over the steps after WARM. The wait for a GPU stands at the ends only."""
        return (self.times[-1] - self.times[WARM]) / (len(self.times) - 1 - WARM)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def our_loop(settings: Settings, device: torch.device, steps: int, folder: Path) -> Callable[[], tuple[float, float]]:
    """A function that runs our loop for `steps` steps and returns seconds a step and the share spent waiting for data."""
    weights = starting_weights(settings)
    rng = np.random.default_rng(0)
    n, side = settings.batch_size * steps, pack_size(weights.size)
    pixels = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    images = torch.from_numpy(pixels).to(device) if resident(pixels.nbytes, device, "auto") else pixels  # as pretraining decides it
    labels = rng.integers(0, CLASSES, n)
    none = np.zeros(0, np.int64)
    names = tuple(map(str, range(CLASSES)))
    material = Material(folder, side, np.arange(n), labels, none, none, names, "random", False, "random", Learned())
    method = build_method(settings, load_encoder(weights), CLASSES).to(device)
    if settings.compile:
        method.encoder.network.compile()

    def once() -> tuple[float, float]:
        batches = Timed(images, labels, batch_size=settings.batch_size, epochs=1, seed=0, device=device)
        run = Run.create(folder, "repr pretrain", {}, data="random", synthetic=False)
        (folder / "metrics.csv").unlink(missing_ok=True)
        loop = Loop(method, settings, material, run, Place(device, ALONE, images, batches), Stop(), None)
        loop.fit()
        seconds = batches.seconds_a_step()
        return seconds, batches.waited / (batches.times[-1] - batches.times[0] + 1e-9)

    return once


def bare_step(settings: Settings, method: Method, device: torch.device, steps: int) -> Callable[[], float]:
    """A function that runs the model step alone on random views and returns seconds a step."""
    optimiser = optim.make(settings.recipe.optimiser, [method], lr=1e-4, momentum=0.9, weight_decay=1e-6)
    size, b = method.encoder.size, settings.batch_size
    count = len(method.views(torch.zeros(2, size, size, 3, dtype=torch.uint8), torch.Generator()))
    views = tuple(as_channels_last(torch.rand(b, 3, size, size)).to(device) for _ in range(count))
    labels = torch.randint(0, CLASSES, (b,)).to(device)

    return lambda: timed(lambda: gradient_step(method, method.encoder, optimiser, views, labels), device, steps)


def plain_step(arch: str, size: int, b: int, layout: torch.memory_format, device: torch.device, steps: int) -> Callable[[], float]:
    """torchvision's network, or timm's, in float32, as a user would train it."""
    network = build(arch, CLASSES).to(device).to(memory_format=layout)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-6)
    images = torch.rand(b, 3, size, size).to(device).contiguous(memory_format=layout)
    labels = torch.randint(0, CLASSES, (b,)).to(device)

    def step() -> None:
        loss: Tensor = torch.nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return lambda: timed(step, device, steps)


def timed(step: Callable[[], object], device: torch.device, steps: int) -> float:
    """Mean seconds of `steps` calls after WARM."""
    for _ in range(WARM):
        step()
    _wait(device)
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return (time.perf_counter() - begun) / steps


def peak_mb(device: torch.device) -> float:
    """Peak memory so far: the device's, or the process's on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loop_row(name: str, arguments: argparse.Namespace, device: torch.device, folder: Path) -> Row:
    """Our loop and the bare step in turn."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    settings = Settings(
        method=name,
        arch=arguments.arch,
        size=arguments.size,
        batch_size=arguments.batch_size,
        epochs=1,
        device=str(device),
        compile=arguments.compile,
    )
    loop = our_loop(settings, device, arguments.steps + WARM + 1, folder)
    method = build_method(settings, load_encoder(starting_weights(settings)), CLASSES).to(device)
    if arguments.compile:
        method.encoder.network.compile()
    bare = bare_step(settings, method, device, arguments.steps)
    loops, bares = [], []
    for _ in range(arguments.rounds):
        loops.append(loop())
        bares.append(bare())
    ours, limit = statistics.median(seconds for seconds, _ in loops), statistics.median(bares)
    bar = GPU_BAR if device.type == "cuda" else SUPERVISED_BAR if name == "supervised" else CONTRASTIVE_BAR
    return {
        "name": f"{name} loop / bare step", "ratio": limit / ours, "bar": bar, "seconds": ours, "limit": limit,
        "data_wait": statistics.median(share for _, share in loops), "peak_mb": peak_mb(device),
    }  # fmt: skip


def step_row(arguments: argparse.Namespace, device: torch.device) -> Row:
    """Our default step and the two plain ones, in turn."""
    settings = Settings(arch=arguments.arch, size=arguments.size, batch_size=arguments.batch_size, epochs=1, compile=arguments.compile)
    method = build_method(settings, load_encoder(starting_weights(settings)), CLASSES).to(device)
    if arguments.compile:
        method.encoder.network.compile()
    shape = (arguments.arch, arguments.size, arguments.batch_size)
    arms = {
        "ours": bare_step(settings, method, device, arguments.steps),
        "contiguous": plain_step(*shape, torch.contiguous_format, device, arguments.steps),
        "channels_last": plain_step(*shape, torch.channels_last, device, arguments.steps),
    }
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(arguments.rounds):
        for name, arm in arms.items():
            seconds[name].append(arm())
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    best = min(middle["contiguous"], middle["channels_last"])
    return {
        "name": "plain fp32 step / ours", "ratio": best / middle["ours"], "bar": STEP_BAR, "seconds": middle["ours"], "limit": best,
        "contiguous": middle["contiguous"], "channels_last": middle["channels_last"], "peak_mb": peak_mb(device),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="resnet18", choices=list(BACKBONES))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--method", action="append", help="repeatable; default supervised and simclr")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        rows = [step_row(arguments, device)]
        for name in arguments.method or ["supervised", "simclr"]:
            say(f"{name} …")
            rows.append(loop_row(name, arguments, device, Path(folder)))
    if arguments.json:
        print(json.dumps({"arch": arguments.arch, "size": arguments.size, "device": str(device), "rows": rows}))
        return
    cells = [
        [r["name"], f"{r['ratio']:.2f}", f"{r['bar']:.2f}", f"{r['seconds'] * 1e3:.0f}", f"{r['limit'] * 1e3:.0f}",
         f"{r['data_wait']:.1%}" if "data_wait" in r else "", f"{r['peak_mb']:.0f}"] for r in rows
    ]  # fmt: skip
    print(f"{arguments.arch}, {arguments.size} px, batch {arguments.batch_size}, {device}")
    print(table(["", "ratio", "bar", "ours ms", "limit ms", "data_wait", "peak MB"], cells))


if __name__ == "__main__":
    main()
