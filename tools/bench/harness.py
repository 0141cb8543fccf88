"""What the benchmarks of a folder of images share: the images, and sides measured in turn, each in a process of its own."""

from __future__ import annotations

import json
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from repr.files import write_json
from repr.runs import environment

# As MEP-3M's larger images, and as RPC's exemplars: a small product in the middle, about 200 KB each.
SIZES = {"220 px": (220, 220), "2592 x 1944 px": (2592, 1944)}
KINDS = 4
Row = dict[str, Any]  # of one case, as --json prints it: names and numbers


def draw(folder: Path, size: tuple[int, int], n: int) -> None:
    """n JPEG files in KINDS class folders: a soft background with grain, and a textured box in the middle."""
    from PIL import Image

    rng = np.random.default_rng(0)
    width, height = size
    for i in range(n):
        kind = folder / f"kind {i % KINDS}"
        kind.mkdir(parents=True, exist_ok=True)
        soft = rng.integers(150, 230, (4, 4, 3), dtype=np.uint8)
        image = np.asarray(Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
        image += rng.integers(-4, 5, (height, width, 1), dtype=np.int16)
        side = min(size) // (2 if width < 500 else 6)
        texture = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
        top, left = (height - side) // 2, (width - side) // 2
        image[top : top + side, left : left + side] = np.asarray(texture)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(kind / f"{i:04d}.jpg", quality=85)


def report(seconds: float) -> None:
    """What a side prints when it is done: its seconds, and the peak memory of its process and of the largest of its workers."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_mb": peak / 1024}))


def keep(file: Path, rows: Sequence[Mapping[str, object]], words: Sequence[str] = ()) -> None:
    """Write figures with the command, the day and the machine that they are of. words: the command, if it is not this program's own."""
    import torch  # noqa: F401 - so that the cards of this machine are told

    command = shlex.join(words or ["python", f"tools/bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    today = datetime.now(UTC).date().isoformat()
    write_json(file, {"command": command, "written": today, "environment": environment(), "rows": list(rows)})


def show(measured: Iterable[Row], *, as_json: bool, kept: Path | None) -> None:
    """Print each row when it is measured, or one JSON object of all; write them where they are to be kept."""
    rows = []
    for row in measured:
        rows.append(row)
        if not as_json:
            print(", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()))
    if kept is not None:
        keep(kept, rows)
    if as_json:
        print(json.dumps({"rows": rows}))


def measure(script: str, side: str, options: Sequence[str]) -> dict[str, float]:
    """Run `script --side SIDE …` in a process of its own: what it reported."""
    command = [sys.executable, script, "--side", side, *options]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: dict[str, float] = json.loads(printed.splitlines()[-1])
    return measured


def in_turn(sides: Sequence[str], rounds: int, once: Callable[[str], dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Measure each side `rounds` times, one after the other: median seconds and highest MB of each."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    peaks = dict.fromkeys(sides, 0.0)
    for _ in range(rounds):
        for side in sides:
            figures = once(side)
            seconds[side].append(figures["seconds"])
            peaks[side] = max(peaks[side], figures["peak_mb"])
    return {side: statistics.median(values) for side, values in seconds.items()}, peaks
