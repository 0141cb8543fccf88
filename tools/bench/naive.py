"""Five epochs from a folder of files, packing included: ours against what a user would write.

    python tools/bench/naive.py [--method supervised --method simclr] [--size 64] [--device auto] [--rounds 2] [--json]

supervised: torchvision's ImageFolder, v2 transforms, a DataLoader with one worker a core, a plain float32 loop with the same
ResNet-18. simclr: the same folder through lightly's SimCLRTransform, SimCLRProjectionHead and NTXentLoss, as its example does.
Ours: `repr.training.fit.pretrain` with an empty cache. Every side runs in a process of its own, in turn; `ratio` is the
user's median seconds over ours, imports left out and the estimate that ours prints first included. Both make the same kinds of views.

Images are made in a temporary folder: JPEG files of 220 px, as MEP-3M's larger ones, and of 2592 x 1944, as RPC's exemplars.
Bars: 1.2 and 3.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import harness
import numpy as np

from repr.machine import cores

# Number, bar. RPC has 53,739 exemplars: of a few, what either side needs to start would be a good part.
SETS = {"220 px": (640, 1.2), "2592 x 1944 px": (288, 3.0)}
EPOCHS = 5


def ours(method: str, folder: Path, size: int, batch: int, device: str, scratch: Path) -> float:
    """Seconds of a whole pretraining with an empty cache."""
    from repr.catalog.sources import open_sources
    from repr.catalog.union import with_split
    from repr.runs import Run
    from repr.training.fit import pretrain
    from repr.training.settings import Settings

    os.environ["REPR_CACHE"] = str(scratch / "cache")
    views = "supervised" if method == "supervised" else "simclr"
    settings = Settings(method=method, size=size, batch_size=batch, epochs=EPOCHS, device=device, val_share=0.0, views=views)
    begun = time.perf_counter()
    catalog = open_sources([folder])
    catalog = with_split(catalog, np.full(len(catalog), "train", dtype=object))
    pretrain(catalog, settings, Run.create(scratch / "run", "repr pretrain", {}, data="bench", synthetic=False))
    return time.perf_counter() - begun


def user_supervised(folder: Path, size: int, batch: int, device: str) -> float:
    """The loop of the usual tutorial."""
    import torch
    import torchvision
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    from repr.models.architecture import IMAGENET_MEAN, IMAGENET_STD

    colours = v2.RandomApply([v2.ColorJitter(0.3, 0.3, 0.3)], p=0.8)
    steps = [v2.ToImage(), v2.RandomResizedCrop(size, scale=(0.25, 1.0)), v2.RandomHorizontalFlip(), colours]
    transform = v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)])
    begun = time.perf_counter()
    files = ImageFolder(folder, transform)
    loader = torch.utils.data.DataLoader(files, batch_size=batch, shuffle=True, drop_last=True, num_workers=cores())
    network = torchvision.models.resnet18(num_classes=harness.KINDS).to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    for _ in range(EPOCHS):
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(network(images.to(device)), labels.to(device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return time.perf_counter() - begun


def user_simclr(folder: Path, size: int, batch: int, device: str) -> float:
    """lightly's parts, put together as in its SimCLR example."""
    import torch
    import torchvision
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms.simclr_transform import SimCLRTransform
    from torchvision.datasets import ImageFolder

    begun = time.perf_counter()
    files = ImageFolder(folder, SimCLRTransform(input_size=size))
    loader = torch.utils.data.DataLoader(files, batch_size=batch, shuffle=True, drop_last=True, num_workers=cores())
    network = torchvision.models.resnet18()
    network.fc = torch.nn.Identity()
    model = torch.nn.Sequential(network, SimCLRProjectionHead(512, 512, 128)).to(device)
    criterion = NTXentLoss(temperature=0.1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.06)
    for _ in range(EPOCHS):
        for (first, second), _ in loader:
            loss = criterion(model(first.to(device)), model(second.to(device)))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return time.perf_counter() - begun


def side(name: str, method: str, folder: Path, size: int, batch: int, device: str) -> None:
    """One measurement in this process; prints seconds and peak memory."""
    from repr.models.devices import pick_device

    target = str(pick_device(device))
    if name == "ours":
        import repr.training.fit  # noqa: F401 - imports are not what is measured

        with tempfile.TemporaryDirectory() as scratch:
            seconds = ours(method, folder, size, batch, target, Path(scratch))
    else:
        seconds = (user_supervised if method == "supervised" else user_simclr)(folder, size, batch, target)
    harness.report(seconds)


def compare(name: str, method: str, folder: Path, arguments: argparse.Namespace) -> harness.Row:
    """One row: both sides in turn on one folder."""
    options = ["--method", method, "--folder", str(folder), "--size", str(arguments.size), "--batch-size", str(arguments.batch_size)]
    options += ["--device", arguments.device]
    middle, peaks = harness.in_turn(("ours", "user"), arguments.rounds, lambda side: harness.measure(__file__, side, options))
    return {
        "name": f"{method}, {name}", "ratio": middle["user"] / middle["ours"], "bar": SETS[name][1], "seconds": middle["ours"],
        "user_seconds": middle["user"], "peak_mb": peaks["ours"], "user_peak_mb": peaks["user"],
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", action="append", choices=["supervised", "simclr"], help="repeatable; default both")
    parser.add_argument("--set", action="append", choices=list(SETS), help="repeatable; default both")
    parser.add_argument("--images", type=int, help="how many (default 640 and 288)")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=["ours", "user"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side(arguments.side, arguments.method[0], arguments.folder, arguments.size, arguments.batch_size, arguments.device)
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.set or SETS:
            folder = Path(scratch) / name.replace(" ", "")
            harness.draw(folder, harness.SIZES[name], arguments.images or SETS[name][0])
            for method in arguments.method or ["supervised", "simclr"]:
                print(f"{method}, {name} …", file=sys.stderr)
                rows.append(compare(name, method, folder, arguments))
    if arguments.json:
        print(json.dumps({"size": arguments.size, "epochs": EPOCHS, "rows": rows}))
        return
    from repr.tables import table

    cells = [
        [r["name"], f"{r['ratio']:.2f}", f"{r['bar']:.1f}", f"{r['seconds']:.1f}", f"{r['user_seconds']:.1f}", f"{r['peak_mb']:.0f}",
         f"{r['user_peak_mb']:.0f}"] for r in rows
    ]  # fmt: skip
    print(table([f"{EPOCHS} epochs, {arguments.size} px", "ratio", "bar", "ours s", "user s", "ours MB", "user MB"], cells))


if __name__ == "__main__":
    main()
