"""Destruction and construction learning against plain fine-tuning of equal time, and a frozen network beside both.

    python tools/experiments/dcl.py DATA/fashion --under Bottomwear --out tools/experiments/fusion/dcl-fashion.json
    python tools/experiments/dcl.py DATA/grocery --out tools/experiments/fusion/dcl-grocery.json

dcl: three quarters of the epochs plain at a size, one quarter with shuffled tiles at LARGER times the size. plain: all epochs at the larger
size, as many as last as long, by the clock of the machine. A seed that is in the file already is not computed again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click
import recorded
import torch

from repr.catalog.sources import fill_split, open_sources, split_name
from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.fitted import fit
from repr.classify.image import LARGER
from repr.classify.metrics import measure
from repr.classify.opening import limited
from repr.classify.settings import Settings
from repr.classify.subtree import subtree
from repr.classify.summary import redrawn
from repr.evaluation.statistics import interval
from repr.files import write_json
from repr.models.devices import pick_device

Figures = dict[str, float]
METHODS = ("frozen", "dcl", "plain")  # in the order in which they are trained: plain takes as long as dcl took
SEEN = ("f1_macro", "top1", "seconds", "epochs")


@dataclass(frozen=True)
class Plan:
    """size: side of the images of dcl's first stage, in pixels. epochs: of both of its stages together. level: of the classes."""

    size: int
    epochs: int
    batch: int
    lr: float
    grid: int
    level: int

    def rows(self, seed: int) -> dict[str, Settings]:
        """The settings of each of METHODS."""
        base = Settings(model="encoder", level=self.level, seed=seed, preset="rakuten", batch_size=self.batch, lr=self.lr)
        whole = replace(base, end_to_end=True, epochs=self.epochs)
        return {
            "frozen": replace(base, preset="grouped", lr=None, size=self.size * LARGER),
            "dcl": replace(whole, method="dcl", grid=self.grid, size=self.size),
            "plain": replace(whole, size=self.size * LARGER),
        }


def trained(data: Data, settings: Settings) -> Figures:
    """Macro-F1 and top-1 on the test rows, fractions, the seconds of training, and its epochs."""
    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    fitted = fit(data, settings, problem)
    seconds = time.perf_counter() - started
    scores = measure(problem.labels[problem.test], lambda: fitted.blocks(data, problem.test), len(problem.names))
    return {"f1_macro": scores.f1_macro, "top1": scores.top1, "seconds": seconds, "epochs": settings.epochs or 0}


def lasting(data: Data, settings: Settings, seconds: float) -> Settings:
    """The settings with as many epochs as last so many seconds."""
    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    fit(data, replace(settings, epochs=1), problem)
    return replace(settings, epochs=max(1, round(seconds / (time.perf_counter() - started))))


def of_seed(data: Data, rows: Mapping[str, Settings], size: int, known: Mapping[str, Figures]) -> dict[str, Figures]:
    """Each method's figures with one seed, but for those that are known; images are decoded before any clock runs."""
    for side in (size, LARGER * size):
        data.pixels(side)
    figures = dict(known)
    for method, settings in rows.items():
        if method not in figures:
            settings = lasting(data, settings, figures["dcl"]["seconds"]) if method == "plain" else settings
            figures[method] = trained(data, settings)
    return figures


def summary(seeds: Mapping[str, Mapping[str, Figures]], spread: float) -> dict[str, list[float | None]]:
    """Of every method, and of dcl minus plain seed by seed: the mean and half its 95 % interval. spread: as `redrawn`."""
    values = {f"{method}/{name}": [of[method][name] for of in seeds.values()] for method in METHODS for name in SEEN}
    for name in SEEN[:2]:
        values[f"dcl - plain/{name}"] = [a - b for a, b in zip(values[f"dcl/{name}"], values[f"plain/{name}"], strict=True)]
    metrics = {name: interval(of, redrawn=spread) for name, of in values.items()}
    return {name: [metric.mean, metric.ci95] for name, metric in metrics.items() if metric is not None}


def part_of(read: Catalog, under: str, limit: int, seed: int) -> Catalog:
    """The rows of one seed."""
    catalog = fill_split(read, "grouped", seed, None)
    return limited(subtree(catalog, under) if under else catalog, limit, seed)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--under", default="", help="A class of the tree, below which the finest classes are told apart.")
@click.option("--level", type=int, help="Without --under.")
@click.option("--seeds", default=5, show_default=True)
@click.option("--size", default=64, show_default=True, help="Of the first stage, pixels.")
@click.option("--epochs", default=12, show_default=True, help="Of dcl.")
@click.option("--limit", default=0, show_default=True, help="Training rows; 0 for all.")
@click.option("--batch", default=32, show_default=True)
@click.option("--lr", default=0.01, show_default=True)
@click.option("--grid", default=4, show_default=True)
def main(
    source: Path, out: Path, under: str, level: int | None, seeds: int, size: int, epochs: int, limit: int, batch: int, lr: float, grid: int
) -> None:
    """Measure, and write the figures of every seed with means and intervals."""
    options = {name: value for name, value in click.get_current_context().params.items() if name not in ("source", "out", "seeds")}
    kept = recorded.of_seeds(out, options)
    read = open_sources([source])
    spread = redrawn(split_name(read, "grouped"), by_seed=True)
    device = pick_device("auto")
    about = {**recorded.about(), "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"}
    for seed in range(seeds):
        part = part_of(read, under, limit, seed)
        plan = Plan(size, epochs, batch, lr, grid, level or part.default_level)
        kept[str(seed)] = of_seed(Data(part), plan.rows(seed), size, kept.get(str(seed), {}))
        sizes = {"train": int((part.column("split") == "train").sum()), "test": int((part.column("split") == "test").sum())}
        write_json(out, {**about, "options": options, "rows": sizes, "seeds": kept, "summary": summary(kept, spread)})


if __name__ == "__main__":
    main()
