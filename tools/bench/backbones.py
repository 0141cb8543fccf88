"""Memory and speed of networks by kind: embedding, and a step of training, each in a process of its own.

    python tools/bench/backbones.py [--kind resnet18:160 --kind vit_small_patch16_224:224 …] [--images 32] [--json] [--keep FILE]

Some four minutes on two cores; with --images 8 two. --keep writes each row as it comes, with command, day and machine.

Weights are random: neither depends on them. Embedding is `repr.embedding.embedder.Embedder.features` of squares in memory, median of
three turns after a first; training a step of AdamW by cross-entropy over a linear head with batches of 8, in the precision that training
takes on this machine. Peak memory is that of the process, with the libraries (some 400 MB); `file` is that of the weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import harness

KINDS = (
    *("resnet18:224", "resnet50:224", "tf_efficientnet_lite0:160", "convnext_tiny:224"),
    *("vit_small_patch16_224:224", "vit_base_patch16_224:224"),
)
TURNS, BATCH = 3, 8


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    with Path("/proc/self/status").open(encoding="utf-8") as status:
        return next(int(line.split()[1]) / 1e3 for line in status if line.startswith("VmHWM"))


def measured(arch: str, size: int, images: int) -> harness.Row:
    """One kind, in this process."""
    import numpy as np
    import torch
    from torch import nn

    from repr.embedding.embedder import Embedder
    from repr.models.weights import fresh, load_encoder
    from repr.training.precision import autocast, laid_out

    weights = fresh(arch, size, 0)
    encoder = load_encoder(weights)
    squares = np.random.default_rng(0).integers(0, 256, (images, encoder.side, encoder.side, 3), dtype=np.uint8)
    embedder = Embedder(encoder, device="cpu")
    seconds = []
    for _ in range(TURNS + 1):
        begun = time.perf_counter()
        embedder.features(squares)
        seconds.append(time.perf_counter() - begun)
    embedding, memory = images / median(seconds[1:]), peak_mb()
    del embedder
    head = nn.Linear(encoder.dim, 10)
    laid_out(encoder.network.train())
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-4)
    batch, labels, device = torch.from_numpy(squares[:BATCH]), torch.arange(min(BATCH, images)) % 10, torch.device("cpu")
    seconds = []
    for _ in range(TURNS + 1):
        begun = time.perf_counter()
        with autocast(device, encoder):
            loss = nn.functional.cross_entropy(head(encoder.encode(batch)), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        seconds.append(time.perf_counter() - begun)
    tensors = weights.tensors.values()
    return {
        "kind": arch,
        "size": encoder.size,
        "dim": encoder.dim,
        "file_mb": sum(tensor.numel() * tensor.element_size() for tensor in tensors) / 1e6,
        "images_per_second": embedding,
        "embedding_mb": memory,
        "training_images_per_second": BATCH / median(seconds[1:]),
        "training_mb": peak_mb(),
    }


def main() -> None:
    """Measure every kind, one after the other, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", default=[], metavar="ARCH:SIZE")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the figures to a JSON file")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kinds = arguments.kind or list(KINDS)
    if arguments.alone:
        arch, _, size = kinds[0].rpartition(":")
        print(json.dumps(measured(arch, int(size), arguments.images)))
        return
    rows = list[harness.Row]()
    for kind in kinds:
        command = [sys.executable, __file__, "--alone", "--kind", kind, "--images", str(arguments.images)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]))
        if arguments.keep is not None:  # what is measured stays, should it be stopped
            harness.keep(arguments.keep, rows)
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return
    print("| network | px | numbers | file MB | embeds images/s | peak MB | trains images/s | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        speed, memory = row["images_per_second"], row["embedding_mb"]
        training = f"{row['training_images_per_second']:.1f} | {row['training_mb']:,.0f}"
        print(f"| {row['kind']} | {row['size']} | {row['dim']} | {row['file_mb']:.0f} | {speed:.1f} | {memory:,.0f} | {training} |")


if __name__ == "__main__":
    main()
