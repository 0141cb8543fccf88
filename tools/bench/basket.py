"""What a basket costs: boxes, crops, one batch of embeddings, the index, warm; and what a detector's training step costs.

    python tools/bench/basket.py [--device auto] [--only small,large] [--train small,large] [--rounds 20] [--json] [--keep FILE]

A basket: a made-up photograph of a counter of 1800 px, as RPC's are, in memory, with 12 products; a detector of the preset, from scratch,
whose boxes are not taken but those that are known, so that there are 12 crops; an index of 200 products with ten made-up vectors each, by
the weights. `ms` is the median of the rounds after WARM others; `boxes_ms` of the detector alone, `read_ms` of decoding the photograph,
which is not in `ms`. Bar: 1000 ms on a processor, 50 ms on a GPU; `ratio` is the bar over `ms`.

A training step: the preset's own loop on made-up scenes, the second epoch of --steps; `ratio` is the share of the step in which the
network worked: a step on views that are made already over the loop's. On a GPU its peak memory too.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, cast

import harness
import numpy as np
import torch
from PIL import Image

from repr.arrays import Pixels
from repr.catalog.passed import PassedOver
from repr.checkout.basket import baskets
from repr.checkout.detector import Detector, Trained
from repr.checkout.network import Build, Finder
from repr.checkout.proposal import Proposal
from repr.images.boxes import Box
from repr.images.reader import read_image
from repr.lookup.index import Index
from repr.lookup.store import NewImage, Product
from repr.models.devices import pick_device
from repr.models.provenance import Learned
from repr.models.weights import Weights, fresh, read_weights
from repr.runs import Run
from repr.training.stop import Stop
from rpc_transfer.checkout.loop import Loop
from rpc_transfer.checkout.material import Scenes
from rpc_transfer.checkout.settings import PRESETS, Training

SIDE, ROWS, COLUMNS = 1800, 3, 4  # pixels of a photograph; products on it
PRODUCTS, STORED = 200, 10
WARM = 3  # rounds that are not counted
BARS = {"cpu": 1000.0, "cuda": 50.0}
Name = Literal["small", "large"]


def counter(rng: np.random.Generator) -> tuple[Pixels, list[Box]]:
    """A plain counter with textured products on it, and their boxes."""
    image = Image.new("RGB", (SIDE, SIDE), (205, 203, 200))
    boxes: list[Box] = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            width, height = (int(edge) for edge in rng.integers(200, 400, 2))
            left, top = 30 + column * 440, 60 + row * 580
            texture = Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8))
            image.paste(texture.resize((width, height), Image.Resampling.BICUBIC), (left, top))
            boxes.append((float(left), float(top), float(width), float(height)))
    return np.asarray(image), boxes


def start(preset: str) -> Weights:
    """What the backbone of a preset starts from."""
    settings = PRESETS[preset]
    return fresh(settings.arch, settings.side, 0) if settings.init == "none" else read_weights(settings.init)


def detector(preset: str, device: str) -> Detector:
    """One whose pyramid and heads have learned nothing: that changes nothing of the time."""
    settings, begun = PRESETS[preset], start(preset)
    build = Build(begun.arch, settings.side, settings.channels, settings.convs, (), begun.mean, begun.std)
    network = Finder(build)
    return Detector(Trained(network.state_dict(), build, 0.9), device=device)


def stocked(folder: Path, weights: str, device: str) -> Index:
    """An index of made-up vectors, that answers by the learner that is chosen for most shops."""
    index = Index.create(folder, weights=weights, crops=[1], device=device, root=folder.parent)  # as an index of boxes looks at them
    rng, dim = np.random.default_rng(0), index.weights["dim"]
    centres = rng.standard_normal((PRODUCTS, dim), dtype=np.float32)
    stored = []
    for number in range(PRODUCTS * STORED):
        vector = centres[number // STORED] + rng.standard_normal(dim, dtype=np.float32)
        stored.append(NewImage(f"p{number // STORED}", f"{number}.jpg", number.to_bytes(32, "big"), vector))
    with index.store.change("add") as change:
        change.put_products([Product(name) for name in dict.fromkeys(image.product for image in stored)])
        change.add(stored)
    index.settle("lda-root")
    return index


def milliseconds(once: Callable[[], object], rounds: int) -> list[float]:
    """Of each round after those that warm up."""
    durations = []
    for _ in range(WARM + rounds):
        begun = time.perf_counter()
        once()
        durations.append(1000 * (time.perf_counter() - begun))
    return durations[WARM:]


def basket(preset: str, index: Index, device: str, rounds: int) -> harness.Row:
    """One basket after the other."""
    pixels, boxes = counter(np.random.default_rng(1))
    image, finder = Image.fromarray(pixels), detector(preset, device)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    known = [Proposal(box, 1.0) for box in boxes]

    def proposer(image: Image.Image) -> list[Proposal]:
        finder(image)
        return known

    (first,) = baskets([image], index, proposer)
    assert len(first.items) == len(boxes)
    whole = milliseconds(lambda: list(baskets([image], index, proposer)), rounds)
    alone = milliseconds(lambda: finder(image), rounds)
    read = milliseconds(lambda: read_image(stream.getvalue()), rounds)
    ms, bar = statistics.median(whole), BARS[finder.device.type]
    return {
        "name": f"basket, {preset}", "device": str(finder.device), "ratio": bar / ms, "bar_ms": bar, "ms": ms, "slowest_ms": max(whole),
        "boxes_ms": statistics.median(alone), "read_ms": statistics.median(read), "products": len(boxes), "rounds": rounds,
    }  # fmt: skip


def scenes(n: int, side: int) -> Scenes:
    """n made-up scenes in memory, with the boxes of 12 products each."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    corners = rng.uniform(0, 0.8 * side, (n, ROWS * COLUMNS, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.08 * side, 0.2 * side, corners.shape)], 2).astype(np.float32)
    passed: tuple[PassedOver, ...] = ()
    files, labels = tuple(Path(f"{row}.jpg") for row in range(n)), (np.zeros(ROWS * COLUMNS, np.int64),) * n
    return Scenes(files, pixels, tuple(boxes), labels, (), "made up", "made up", False, Learned(), passed)


def training(preset: Name, device: str, steps: int, batch_size: int | None, folder: Path) -> harness.Row:
    """The second of two epochs, when everything is warm."""
    settings = Training(preset=preset, device=device, epochs=2, batch_size=batch_size).resolved()
    side, size = int(settings.side or 0), int(settings.batch_size or 0)
    run = Run.create(folder, "rpc_transfer checkout train", {}, data="made up", synthetic=False)
    loop = Loop(settings, scenes(steps * size, side), scenes(2, side), start(preset), run)
    on_gpu = loop.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(loop.device)
    with Stop() as stop:
        loop.fit(stop)
    first, second = (float(row["seconds"]) for row in run.metrics())
    row: harness.Row = {"name": f"training, {preset}", "device": str(loop.device), "step_seconds": (second - first) / steps}
    views = [loop.view((n, n)) for n in range(size)]
    row["ratio"] = statistics.median(milliseconds(lambda: loop.step(views), 2)) / 1000 / row["step_seconds"]
    memory = {"peak_gib": torch.cuda.max_memory_allocated(loop.device) / 2**30} if on_gpu else {}
    return row | memory | {"batch_size": size, "side": side, "dtype": str(loop.dtype or torch.float32), "steps": steps}


def measured(arguments: argparse.Namespace) -> Iterator[harness.Row]:
    """A row each."""
    device = str(pick_device(arguments.device))
    with tempfile.TemporaryDirectory() as place:
        presets = [name for name in arguments.only.split(",") if name]
        if presets:
            index = stocked(Path(place) / "index", arguments.weights, device)
            yield from (basket(name, index, device, arguments.rounds) for name in presets)
        for name in filter(None, arguments.train.split(",")):
            yield training(cast(Name, name), device, arguments.steps, arguments.batch_size, Path(place) / f"run-{name}")


def main() -> None:
    """Print a row each, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="small,large", help="presets whose baskets are measured, with commas (default: %(default)s)")
    parser.add_argument("--train", default="", help="presets whose training steps are measured (default: none)")
    parser.add_argument("--weights", default="imagenet", help="of the index (default: %(default)s)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=8, help="of an epoch of training (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, help="of training (default: the preset's)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the figures to a JSON file")
    arguments = parser.parse_args()
    harness.show(measured(arguments), as_json=arguments.json, kept=arguments.keep)


if __name__ == "__main__":
    main()
