"""Whether the demo's story is one of the synthetic shop or of one draw of it: its stages over several seeds of the shop.

    python tools/experiments/draws.py --out runs/draws                  five draws, some four minutes each on two free cores
    python tools/experiments/draws.py --at-once 5                       all five at a time, for a machine of many cores
    python tools/experiments/draws.py --show tools/bench/results/draws.json          as docs/results.md has it
    python tools/experiments/draws.py --first 100 --draws 3                draws to choose by, that nothing is reported of

Asked: pretrained at least 8 points above from scratch on novel products, the interval above zero; lookup at least 80 % first right; by raw
pixels less than 30 %. How is pretrained and drawn is chosen on seeds from 100 up, figures are of seeds 0 to 4. An interrupted call goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np

from repr import machine
from repr.catalog.sources import open_sources
from repr.evaluation.pixels import pixel_features
from repr.evaluation.statistics import interval
from repr.evaluation.words import ENOUGH
from repr.files import read_json
from repr.search.exact import top_k
from rpc_transfer import experiment as transfer
from rpc_transfer.results import BASE_TRAINED, GIVEN
from rpc_transfer.settings import Settings

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in (".", "bench")]  # the demo's stages; what keeps figures

import demo
import harness
from stages import run_all

OVER = "pretrained over scratch"  # both trained on the base products, and nothing else told apart
ASKED = {OVER: "at least 8", "lookup, first right": "at least 80", "raw pixels, first right": "less than 30"}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/draws"), show_default=True, help="A folder a draw goes here.")
@click.option("--draws", type=click.IntRange(1), default=5, show_default=True, help="How many seeds of the shop.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first of the seeds.")
@click.option("--at-once", type=click.IntRange(1), default=1, show_default=True, help="So many draws at a time, which share the cores.")
@click.option("--lookup-only", is_flag=True, help="The first result alone.")
@click.option("--show", type=click.Path(path_type=Path), help="Print the table of kept figures, and run nothing.")
@click.option("--keep", type=click.Path(path_type=Path), help="Write the figures of every draw to a file, with command, day and machine.")
def main(out: Path, draws: int, first: int, at_once: int, lookup_only: bool, keep: Path | None, show: Path | None) -> None:
    """Run the demo on several draws of the shop, and print what they have in common as JSON."""
    if show is not None:
        click.echo(table(read_json(show)["rows"]))
        return
    of_draws = []
    seeds = range(first, first + draws)
    words = ["--lookup-only"] if lookup_only else []
    if at_once > 1:
        ahead(seeds, at_once, ["--out", str(out), *words])  # what follows finds its stages done
    for seed in seeds:
        folder = out / f"draw-{seed}"
        stages = demo.plan(folder, seed)
        folder.mkdir(parents=True, exist_ok=True)
        run_all(stages[: demo.FIRST] if lookup_only else stages, folder)
        if not lookup_only:
            demo.summarise(stages, folder, 0)
        hopeless = {} if lookup_only else {"novel, random weights, as given": untrained(folder, seed)}
        of_draws.append({**figures(folder), **hopeless, "raw pixels, first right": by_pixels(folder / "synthetic" / "rpc")})
        click.echo(json.dumps({"seed": seed, **of_draws[-1]}), err=True)
    if keep is not None:
        command = ["python", "tools/experiments/draws.py", "--draws", str(draws), "--first", str(first), *words]
        harness.keep(keep, [{"seed": seed, **one} for seed, one in zip(seeds, of_draws, strict=True)], command)
    click.echo(json.dumps(together(of_draws), indent=1))


def table(rows: Sequence[Mapping[str, float]]) -> str:
    """The figures of draws as Markdown: mean, 95 % interval of the mean where there are enough draws, every draw, what was asked."""
    lines = ["| per cent, and points | mean | 95 % interval | draw by draw | asked |", "| --- | --- | --- | --- | --- |"]
    for name, figure in together([{key: row[key] for key in row if key != "seed"} for row in rows]).items():
        mean, half, values = figure["mean"], figure["ci95"], figure["values"]
        assert isinstance(mean, float) and isinstance(values, list)
        between = f"{mean - half:.1f} to {mean + half:.1f}" if isinstance(half, float) and len(rows) >= ENOUGH else ""
        lines.append(f"| {name} | {mean:.1f} | {between} | {', '.join(f'{value:.0f}' for value in values)} | {ASKED.get(name, '')} |")
    return "\n".join(lines)


def ahead(seeds: Sequence[int], at_once: int, words: Sequence[str]) -> None:
    """Run the draws in processes of their own, `at_once` at a time, each with its share of the cores. One that fails is run again later."""
    share = {"OMP_NUM_THREADS": str(max(1, machine.cores() // at_once))}

    def _draw(seed: int) -> None:
        command = [sys.executable, __file__, "--draws", "1", "--first", str(seed), *words]
        subprocess.run(command, env={**os.environ, **share}, stdout=subprocess.DEVNULL, check=False)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(_draw, seeds))


def figures(folder: Path) -> dict[str, float]:
    """What one draw shows, in per cent and points."""
    from demo_page import looked  # loads what --help does without

    counts = looked(folder)
    shares = {"lookup, first right": 100 * counts.first_right / counts.asked, "lookup, among five": 100 * counts.top5_right / counts.asked}
    if (folder / "summary.json").is_file():
        novel = {}
        for row in read_json(folder / "summary.json")["transfer"]:
            start = {"none": "from scratch", "imagenet": "ImageNet's"}.get(row["config"]["weights"], "pretrained")
            novel[start, row["config"]["features"]] = 100 * row["metrics"]["acc_novel"]["mean"]
        shares |= {f"novel, {start}, {features}": value for (start, features), value in novel.items()}
        scratch = novel["from scratch", BASE_TRAINED]
        shares |= {OVER: novel["pretrained", BASE_TRAINED] - scratch, f"{OVER}, {GIVEN}": novel["pretrained", GIVEN] - scratch}
    return shares


def untrained(folder: Path, seed: int) -> float:
    """Novel products by random weights that nothing was trained on, on the demo's own split and shots, in per cent."""
    settings = Settings(
        data=(str(folder / "synthetic" / "rpc"),),
        novel=demo.NOVEL,
        shots=(demo.SHOTS,),
        shots_from="val",
        weights=("none",),
        only_weights=True,
        learner=("lda",),
        epochs=0,
        arch=demo.ARCH,
        size=demo.SIZE,
        seed=seed,
        seeds=demo.SEEDS,
    )
    rate = transfer.run(settings, folder / "untrained").rows[0].metrics["acc_novel"]
    assert rate is not None
    return 100 * rate.mean


def by_pixels(data: Path) -> float:
    """How often the nearest stored image by raw pixels is of the right product, of all that a checkout shows, in per cent."""
    catalog = open_sources((str(data),), default="rpc")
    stored, tests = catalog.select(np.flatnonzero(catalog.column("split") != "test")), catalog.in_split("test")
    (gallery, of_stored), (queries, of_asked) = pixel_features(stored), pixel_features(tests)
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (queries, gallery)]
    _, nearest = top_k(unit[0], unit[1], 1)
    right = stored.product_keys()[of_stored][nearest[:, 0]] == tests.product_keys()[of_asked]
    return 100 * float(np.mean(right))


def together(of_draws: Sequence[Mapping[str, float]]) -> dict[str, dict[str, object]]:
    """Mean, half the 95 % interval and values of each figure over the draws."""
    judged = {name: interval([one[name] for one in of_draws]) for name in of_draws[0]}
    return {
        name: {"mean": metric.mean, "ci95": metric.ci95, "values": list(metric.values), **({"asked": ASKED[name]} if name in ASKED else {})}
        for name, metric in judged.items()
        if metric is not None
    }


if __name__ == "__main__":
    main()
