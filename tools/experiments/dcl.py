"""Destruction and construction learning against plain fine-tuning of equal time, and a frozen network beside both.

    python tools/experiments/dcl.py DATA/fashion --under Bottomwear --out tools/experiments/dcl/fashion.json --seeds 5
    python tools/experiments/dcl.py DATA/grocery --out tools/experiments/dcl/grocery.json --seeds 5

dcl: three quarters of the epochs plain at a size, one with shuffled tiles at twice the size. plain: as many pixels, and so about the same
seconds, all of them at the larger size. A seed that is in the file already is not computed again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from repr.catalog.sources import fill_split, open_sources
from repr.classify.data import Data
from repr.classify.fitted import fit
from repr.classify.image import LARGER, SECOND
from repr.classify.metrics import measure
from repr.classify.opening import limited
from repr.classify.settings import Settings
from repr.classify.subtree import subtree
from repr.evaluation.statistics import interval
from repr.files import read_json, write_json
from repr.runs import environment

Figures = dict[str, float]
METHODS = ("frozen", "plain", "dcl")
SEEN = ("f1_macro", "top1", "seconds")


def rows(size: int, epochs: int, batch: int, lr: float, grid: int, level: int, seed: int) -> dict[str, Settings]:
    """The settings of each of METHODS. plain: epochs at LARGER times the size with as many pixels as dcl sees, whose copies count too."""
    base = Settings(model="encoder", level=level, seed=seed, preset="rakuten", batch_size=batch, lr=lr, size=size)
    pixels = (1 - SECOND) + SECOND * 2 * LARGER**2
    equal = max(1, round(epochs * pixels / LARGER**2))
    larger = size * LARGER
    return {
        "frozen": replace(base, preset="grouped", lr=None, size=larger),
        "plain": replace(base, end_to_end=True, size=larger, epochs=equal),
        "dcl": replace(base, end_to_end=True, method="dcl", grid=grid, epochs=epochs),
    }


def of_row(data: Data, settings: Settings) -> Figures:
    """Macro-F1 and top-1 on the test rows, fractions, and the seconds of training."""
    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    fitted = fit(data, settings, problem)
    seconds = time.perf_counter() - started
    measures = measure(problem.labels[problem.test], lambda: fitted.blocks(data, problem.test), len(problem.names))
    return {"f1_macro": measures.f1_macro, "top1": measures.top1, "seconds": seconds}


def summary(seeds: dict[str, Figures]) -> dict[str, list[float | None]]:
    """Of every method, and of dcl minus plain seed by seed: the mean and half its 95 % interval, widened for splits that share rows."""
    summaries: dict[str, list[float | None]] = {}
    values = {
        (method, name): [of[name] for key, of in seeds.items() if key.startswith(f"{method}/")] for method in METHODS for name in SEEN
    }
    pairs = zip(values["dcl", "f1_macro"], values["plain", "f1_macro"], strict=False)
    named = {f"{method}/{name}": of for (method, name), of in values.items()} | {"dcl - plain": [a - b for a, b in pairs]}
    for name, of in named.items():
        metric = interval(of, redrawn=0.25) if of else None
        if metric is not None:
            summaries[name] = [metric.mean, metric.ci95]
    return summaries


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--under", default="", help="A class of the tree, below which the finest classes are told apart.")
@click.option("--level", type=int, help="Without --under.")
@click.option("--seeds", default=5, show_default=True)
@click.option("--size", default=32, show_default=True)
@click.option("--epochs", default=8, show_default=True)
@click.option("--limit", default=300, show_default=True, help="Training rows.")
@click.option("--batch", default=16, show_default=True)
@click.option("--lr", default=0.01, show_default=True)
@click.option("--grid", default=4, show_default=True)
def main(
    source: Path, out: Path, under: str, level: int | None, seeds: int, size: int, epochs: int, limit: int, batch: int, lr: float, grid: int
) -> None:
    """Measure, and write the figures of every seed with means and intervals."""
    arguments = {"under": under, "size": size, "epochs": epochs, "limit": limit, "batch": batch, "lr": lr, "grid": grid}
    done = read_json(out)["seeds"] if out.is_file() else {}
    read = open_sources([source])
    for seed in range(seeds):
        catalog = fill_split(read, "grouped", seed, None)
        part = limited(subtree(catalog, under) if under else catalog, limit, seed)
        data = Data(part)
        for method, settings in rows(size, epochs, batch, lr, grid, level or part.default_level, seed).items():
            if f"{method}/{seed}" not in done:
                done[f"{method}/{seed}"] = of_row(data, settings)
                write_json(out, {"schema": 1, "asked": arguments, "environment": environment(), "seeds": done, "summary": summary(done)})


if __name__ == "__main__":
    main()
