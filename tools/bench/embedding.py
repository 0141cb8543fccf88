"""Embedding a folder of images: ours against the loop a user would write, with the same network.

    python tools/bench/embedding.py [--weights imagenet] [--size 160] [--device auto] [--rounds 3] [--json]

The user's loop: torchvision's ImageFolder, v2 transforms (resize, centre crop, float, normalise), a DataLoader with one
worker a core, the network in plain float32. Ours: `repr.embedding.embedder.Embedder` without its cache. Both run in a
process of their own, in turn, --rounds times; `ratio` is their median seconds over ours, from the first file to the last
vector, start-up left out. `cosine` compares our vectors with the same squares through the network in float32, lowest of
all images; `cosine_loop` with the vectors of the user's loop, mean. Peak memory is that of the process and its workers.

Images are made in a temporary folder: 220 px as MEP-3M's larger ones, and 2592 x 1944 with a small product in the middle
as RPC's exemplars (about 200 KB each). Bars: ratio 1.1 and 3, cosine 0.999.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np

from repr.machine import cores

SETS = {"220 px": (600, 1.1), "2592 x 1944 px": (90, 3.0)}  # number, bar


def ours(folder: Path, encoder: Any, device: str) -> tuple[Any, float]:
    """Vectors in the order of the sorted files, and seconds."""
    from repr.catalog.sources import open_sources
    from repr.embedding.embedder import Embedder

    catalog = open_sources([folder])
    begun = time.perf_counter()
    embeddings = Embedder(encoder, device=device).catalog(catalog, keep=False)
    seconds = time.perf_counter() - begun
    order = np.argsort([str(file) for file in catalog.files()])
    return embeddings.features[order], seconds


def loop(folder: Path, encoder: Any, device: str) -> tuple[Any, float]:
    """The loop a user would write."""
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    steps = [v2.Resize(encoder.size), v2.CenterCrop(encoder.size), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    transform = v2.Compose([*steps, v2.Normalize(encoder.mean, encoder.std)])
    network = encoder.network.to(device).eval()
    begun = time.perf_counter()
    loader = torch.utils.data.DataLoader(ImageFolder(folder, transform), batch_size=64, num_workers=cores())
    with torch.no_grad():
        features = torch.cat([network(batch.to(device)).cpu() for batch, _ in loader]).numpy()
    return features, time.perf_counter() - begun


def exact(folder: Path, encoder: Any) -> Any:
    """Our squares through the network in float32."""
    import torch

    from repr.images.decode import decode

    files = sorted(folder.rglob("*.jpg"))
    with torch.inference_mode():
        return np.concatenate([encoder.encode(torch.from_numpy(c.pixels)).numpy() for c in decode(files, None, encoder.size)])


def side(name: str, folder: Path, weights: str, size: int | None, device: str, out: Path) -> None:
    """One measurement in this process; prints seconds and peak memory and leaves the vectors in `out`."""
    from repr.models.devices import pick_device
    from repr.models.weights import load_encoder

    target = str(pick_device(device))
    encoder = load_encoder(weights, size=size, crops=(1.0,))  # one crop an image, as the loop's
    seconds = 0.0
    if name == "exact":
        features = exact(folder, encoder)
    else:
        features, seconds = (ours if name == "ours" else loop)(folder, encoder, target)
    np.save(out, features / np.linalg.norm(features, axis=1, keepdims=True))
    harness.report(seconds)


def compare(name: str, arguments: argparse.Namespace, scratch: Path) -> harness.Row:
    """One row: both sides on one set of images."""
    usual, bar = SETS[name]
    n = arguments.images or usual
    folder = scratch / name.replace(" ", "")
    harness.draw(folder, harness.SIZES[name], n)
    options = ["--folder", str(folder), "--weights", arguments.weights, "--device", arguments.device]
    options += ["--size", str(arguments.size)] if arguments.size else []
    files = {side: scratch / f"{side}.npy" for side in ("ours", "loop", "exact")}

    def once(side: str) -> dict[str, float]:
        return harness.measure(__file__, side, [*options, "--out", str(files[side])])

    middle, peaks = harness.in_turn(("ours", "loop"), arguments.rounds, once)
    once("exact")
    vectors = {side: np.load(file) for side, file in files.items()}
    return {
        "name": name,
        "ratio": middle["loop"] / middle["ours"],
        "bar": bar,
        "cosine": float((vectors["ours"] * vectors["exact"]).sum(axis=1).min()),
        "cosine_loop": float((vectors["ours"] * vectors["loop"]).sum(axis=1).mean()),
        "images": n,
        "seconds": middle["ours"],
        "seconds_loop": middle["loop"],
        "peak_mb": peaks["ours"],
        "peak_mb_loop": peaks["loop"],
        "rounds": arguments.rounds,
    }


def main() -> None:
    """Print one table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--set", action="append", choices=list(SETS), help="repeatable; default both")
    parser.add_argument("--images", type=int, help="how many (default 600 and 90)")
    parser.add_argument("--size", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=["ours", "loop", "exact"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side(arguments.side, arguments.folder, arguments.weights, arguments.size, arguments.device, arguments.out)
        return
    with tempfile.TemporaryDirectory() as scratch:
        rows = [compare(name, arguments, Path(scratch)) for name in arguments.set or SETS]
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return
    print(f"{'images':<16}{'ratio':>7}{'bar':>6}{'cosine':>9}{'cos. loop':>11}{'ours s':>8}{'loop s':>8}{'ours MB':>9}{'loop MB':>9}")
    for r in rows:
        print(
            f"{r['name']:<16}{r['ratio']:>7.2f}{r['bar']:>6.1f}{r['cosine']:>9.5f}{r['cosine_loop']:>11.5f}"
            f"{r['seconds']:>8.1f}{r['seconds_loop']:>8.1f}{r['peak_mb']:>9.0f}{r['peak_mb_loop']:>9.0f}"
        )


if __name__ == "__main__":
    main()
