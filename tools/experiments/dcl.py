"""Destruction and construction learning against plain fine-tuning of equal time, and a frozen network beside both.

    python tools/experiments/dcl.py DATA/fashion --under Topwear --limit 600 --out tools/experiments/results/dcl/fashion.json
    python tools/experiments/dcl.py DATA/grocery --limit 600 --out tools/experiments/results/dcl/grocery.json

dcl: three quarters of the epochs plain at a size, one quarter with shuffled tiles at LARGER times the size. plain: all epochs at the larger
size, as many as last as long: by the processor's time, where it is one, so that what else the machine does changes nothing. What is in the
file already is not computed again. `subtrees.py` says which part of a tree is the hardest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
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
from repr.records import Json

Figures = dict[str, float]
Seeds = dict[str, dict[str, Figures]]  # by seed and method
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


def clock() -> Callable[[], float]:
    """Seconds of the processor where it trains, of the wall where a GPU does."""
    return time.perf_counter if pick_device("auto").type == "cuda" else time.process_time


def trained(data: Data, settings: Settings) -> Figures:
    """Macro-F1 and top-1 on the test rows, fractions, the seconds of training, and its epochs."""
    problem, now = data.problem(settings.level, seed=settings.seed), clock()
    started = now()
    fitted = fit(data, settings, problem)
    seconds = now() - started
    scores = measure(problem.labels[problem.test], lambda: fitted.blocks(data, problem.test), len(problem.names))
    return {"f1_macro": scores.f1_macro, "top1": scores.top1, "seconds": seconds, "epochs": settings.epochs or 0}


def lasting(data: Data, settings: Settings, seconds: float) -> Settings:
    """The settings with as many epochs as last so many seconds, beside what a training of one step takes."""
    problem, now = data.problem(settings.level, seed=settings.seed), clock()
    lasted = []
    for rows in (problem.train[: settings.batch_size or 64], problem.train):
        started = now()
        fit(data, replace(settings, epochs=1), replace(problem, train=rows))
        lasted.append(now() - started)
    return replace(settings, epochs=max(1, round((seconds - lasted[0]) / (lasted[1] - lasted[0]))))


def measured(data: Data, plan: Plan, seed: int, figures: dict[str, Figures], keep: Callable[[], None]) -> None:
    """Add the figures of each method that has none yet; images are decoded before any clock runs."""
    for side in (plan.size, LARGER * plan.size):
        data.pixels(side)
    for method, settings in plan.rows(seed).items():
        if method not in figures:
            settings = lasting(data, settings, figures["dcl"]["seconds"]) if method == "plain" else settings
            figures[method] = trained(data, settings)
            keep()


def summary(seeds: Mapping[str, Mapping[str, Figures]], spread: float) -> dict[str, list[float | None]]:
    """Of every method, and of dcl minus plain seed by seed: the mean and half its 95 % interval, over the seeds that have all methods.

    spread: as `redrawn`.
    """
    whole = [of for of in seeds.values() if set(METHODS) <= set(of)]
    values = {f"{method}/{name}": [of[method][name] for of in whole] for method in METHODS for name in SEEN}
    for name in SEEN[:2]:
        values[f"dcl - plain/{name}"] = [a - b for a, b in zip(values[f"dcl/{name}"], values[f"plain/{name}"], strict=True)]
    metrics = {name: interval(of, redrawn=spread) for name, of in values.items()}
    return {name: [metric.mean, metric.ci95] for name, metric in metrics.items() if metric is not None}


def keep(out: Path, head: Mapping[str, Json], seeds: Seeds, spread: float) -> None:
    """Write what is known by now."""
    write_json(out, {**head, "seeds": seeds, "summary": summary(seeds, spread)})


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
    kept: Seeds = recorded.of_seeds(out, options)
    read = open_sources([source])
    spread = redrawn(split_name(read, "grouped"), by_seed=True)
    device = pick_device("auto")
    about = {**recorded.about(), "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"}
    for seed in range(seeds):
        figures = kept.setdefault(str(seed), {})
        if not set(METHODS) <= set(figures):
            part = part_of(read, under, limit, seed)
            plan = Plan(size, epochs, batch, lr, grid, level or part.default_level)
            rows = {name: int((part.column("split") == name).sum()) for name in ("train", "test")}
            head = {**about, "options": options, "rows": rows}
            measured(Data(part), plan, seed, figures, partial(keep, out, head, kept, spread))


if __name__ == "__main__":
    main()
