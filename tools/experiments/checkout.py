"""Automatic checkout measured: finding apart from naming, products that come later, real scenes without labels. One command, resumable.

    python tools/experiments/checkout.py --fruits FRUITS --exemplars RPC_EXEMPLARS --shop SHOP/rpc --work runs/checkout

For each set DETECTORS detectors are trained on scenes pasted from exemplars of its train part, and as many without the shop's novel
products; a seed of the naming takes the detector of its number, in turn. The threshold of the strict numbers is chosen on other scenes than
those of the test. Seeds draw the ten exemplars a product that the index holds, as they are and as pasted scenes show them. Every step
leaves a file in --work and is not done again; what is there when it ends, or after --minutes, is gathered in results/checkout.json, which
`checkout_table.py` prints for docs/checkout.md. Several of this command, a set each, may work in one --work at once.
"""

from __future__ import annotations

import datetime
import itertools
import logging
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import stored
from checkout_naming import EXEMPLARS, SEEN, TRUE, Boxes, Figured, Figures, Ground, answering, boxes_of, stock_of, trial, truth_of
from checkout_report import draw_errors, draw_real, write_report
from checkout_sets import Set, fruits, real_exemplars, shop
from stored import Experiment, Step

from repr.checkout.classical import propose
from repr.checkout.detector import Detector, read_detector
from repr.checkout.proposal import Proposer
from repr.embedding.embedder import Embedder
from repr.evaluation.statistics import interval, paired
from repr.experiments.document import Comparison, Document, Row, TrialFile
from repr.files import read_json, write_json
from repr.images.reader import read_image
from repr.models.weights import load_encoder
from repr.records import from_json, to_json
from repr.runs import environment
from repr.training.stop import Stopped
from rpc_transfer.checkout.settings import Training
from rpc_transfer.checkout.training import train

log = logging.getLogger("rpc_transfer.experiment")
SIDE, BATCH = 128, 4  # of the detectors: small ones, so that many steps are made in minutes
DETECTORS = 2
RESULTS = stored.RESULTS / "checkout.json"
SETS = ("fruits", "exemplars", "shop")
REAL = "real"  # scenes without labels


class Late(Exception):
    """The time is up: the next call goes on."""


class Work:
    """Where it works, until when, and on what device."""

    def __init__(self, folder: Path, minutes: float, device: str, epochs: int) -> None:
        self.folder, self.end = folder, time.monotonic() + 60 * minutes
        self.device, self.epochs = device, epochs
        folder.mkdir(parents=True, exist_ok=True)

    def check(self) -> None:
        """Raise Late when the time is up."""
        if time.monotonic() > self.end:
            raise Late

    def detector(self, kind: str, number: int, scenes: Path) -> Detector:
        """A detector, trained where it is not; it goes on where the last call was stopped."""
        out = self.folder / f"detector-{kind}-{number}"
        if not (out / "detector.safetensors").is_file():
            self.check()
            settings = Training(side=SIDE, batch_size=BATCH, epochs=self.epochs, device=self.device, seed=number)
            train([scenes], settings, out, resume=(out / "checkpoint").exists())
        return Detector(read_detector(out), device=self.device)

    def trial(self, dataset: Set, weights: str, seed: int) -> Path:
        """The file of a seed's figures."""
        return self.folder / f"trial-{dataset.name}-{Path(weights).name}-{seed}.json"


def grounds(work: Work, dataset: Set, weights: str, seed: int, scenes: tuple[int, int]) -> Ground:
    """What a seed is measured on. scenes: how many to choose on, and to test on."""
    embedder = Embedder(load_encoder(weights, crops=(1.0,)), device=work.device)  # as an index of boxes looks at them
    name, number = f"{dataset.name}-{Path(weights).name}", seed % DETECTORS
    finders: dict[str, Proposer | None] = {TRUE: None, "classical": propose}
    finders["trained"] = work.detector(dataset.name, number, dataset.scenes)
    if dataset.base_scenes is not None:
        finders["base"] = work.detector(f"{dataset.name}-base", number, dataset.base_scenes)
    truths = truth_of(dataset.val, scenes[0]), truth_of(dataset.test, scenes[1])
    parts = list[dict[str, Boxes]]()
    for part, truth, words in ((dataset.val, truths[0], "val"), (dataset.test, truths[1], "test")):
        parts.append({})
        for kind, finder in finders.items():
            work.check()
            whose = f"{kind}-{number}" if isinstance(finder, Detector) else kind
            parts[-1][kind] = boxes_of(part, truth, finder, embedder, work.folder / f"{name}-{words}-{whose}.npz")
    work.check()
    stock = {EXEMPLARS: stock_of(dataset.exemplars(seed), embedder, work.folder / f"{name}-exemplars-{seed}.npz")}
    for amount in dataset.amounts:
        holds = SEEN if amount == dataset.amounts[-1] else f"{SEEN}, {amount} scenes"
        stock[holds] = stock_of(dataset.seen(seed, amount, work.folder), embedder, work.folder / f"{name}-seen{amount}-{seed}.npz")
    return Ground(dataset, Path(weights).name, stock, truths, *parts)


def agreement(folder: Path, finder: Proposer) -> Figures:
    """Of real scenes named <date>-<time>-<list>: the share of pairs of one list with equally many boxes, and the mean difference."""
    counts: dict[str, list[int]] = defaultdict(list)
    for file in sorted(folder.iterdir()):
        counts[file.stem.rsplit("-", 1)[-1]].append(len(finder(read_image(file))))
    pairs = [pair for numbers in counts.values() for pair in itertools.combinations(numbers, 2)]
    differences = [abs(a - b) for a, b in pairs]
    return {
        "boxes": float(np.mean([n for numbers in counts.values() for n in numbers])),
        "equal": float(np.mean([one == 0 for one in differences])),
        "within one": float(np.mean([one <= 1 for one in differences])),
        "difference": float(np.mean(differences)),
    }


def real_scenes(work: Work, folder: Path, dataset: Set) -> None:
    """Boxes on the real scenes: how well they agree, and sheets of all."""
    for seed in range(DETECTORS):
        finders: dict[str, Proposer] = {"classical": propose, "trained": work.detector(dataset.name, seed, dataset.scenes)}
        for kind, finder in finders.items():
            file = work.folder / f"trial-{REAL}-{kind}-{seed}.json"
            if not file.is_file():
                work.check()
                write_json(file, to_json([Figured({"boxes": kind}, agreement(folder / "checkout", finder))]))
                if not seed:
                    draw_real(sorted((folder / "checkout").iterdir()), finder, work.folder, kind)


def measured(work: Work, sets: Sequence[Set], real: Path | None, weights: Sequence[str], seeds: int, scenes: tuple[int, int]) -> None:
    """All trials, a file each. Raises Late."""
    for name, dataset in itertools.product(weights, sets):
        for seed in range(seeds):
            file = work.trial(dataset, name, seed)
            if not file.is_file():
                ground = grounds(work, dataset, name, seed, scenes)
                write_json(file, to_json(trial(ground)))
                log.info(f"{dataset.name}, {name}, seed {seed}")
                if not seed:
                    draw_errors(
                        ground, answering(ground.stock[SEEN]), "trained", work.folder / f"errors-{dataset.name}-{Path(name).name}.jpg"
                    )
        if real is not None and dataset.name == "exemplars":
            real_scenes(work, real, dataset)


def gathered(folder: Path, command: str) -> Experiment:
    """What is there: a step a set, and one of the real scenes."""
    rows_of: dict[str, dict[int, list[Figured]]] = {}
    for file in sorted(folder.glob("trial-*.json")):
        words = file.stem.split("-")
        rows = [from_json(Figured, row, file) for row in read_json(file)]
        rows_of.setdefault(words[1], {}).setdefault(int(words[-1]), []).extend(rows)
    steps = [Step(name, command, found=_document(name, rows_of[name])) for name in (*SETS, REAL) if name in rows_of]
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Experiment(experiment="checkout", title="Automatic checkout", written=day, environment=environment(), steps=tuple(steps))


def _document(data: str, seeds: Mapping[int, Sequence[Figured]]) -> Document:
    """The rows of all seeds together, and products that came later against those that were there at once."""
    values: dict[str, dict[int, Figures]] = {}
    configs: dict[str, Mapping[str, str]] = {}
    for seed, rows in sorted(seeds.items()):
        for one in rows:
            key = shlex.join(f"{name}={value}" for name, value in one.config.items())
            configs[key] = one.config
            values.setdefault(key, {})[seed] = one.metrics
    made = [_row(configs[key], by_seed) for key, by_seed in values.items()]
    return Document("rpc_transfer checkout", data, data == "shop", tuple(made), tuple(_later(made)))


def _row(config: Mapping[str, str], by_seed: Mapping[int, Figures]) -> Row:
    names = dict.fromkeys(name for figures in by_seed.values() for name in figures)
    metrics = {name: made for name in names if (made := interval([figures.get(name) for figures in by_seed.values()])) is not None}
    return Row(config, metrics, tuple(TrialFile(seed, "", "") for seed in by_seed))


def _later(rows: Sequence[Row]) -> list[Comparison]:
    """Rows of products that came later, against those at once; and against before, for what the others lose."""
    tests = []
    by = {tuple(sorted(row.config.items())): place for place, row in enumerate(rows)}
    for a, row in enumerate(rows):
        for other, names in (("at once", ("cAcc/averaged", "recall/novel", "recall/base")), ("before", ("recall/base",))):
            b = by.get(tuple(sorted({**row.config, "novel": other}.items()))) if row.config.get("novel") == "later" else None
            if b is not None and rows[b].seeds == row.seeds:
                for name in names:
                    values = [[float(value or 0) for value in one.metrics[name].values] for one in (row, rows[b])]
                    test = paired(*values)
                    tests.append(Comparison(a, b, other, name, test.difference, test.ci95, test.p, len(row.seeds)))
    return tests


@click.command()
@click.option("--fruits", "fruits_folder", type=click.Path(path_type=Path), help="Fruits in RPC's layout.")
@click.option("--exemplars", type=click.Path(path_type=Path), help="Real exemplars, backgrounds and scenes without labels.")
@click.option("--shop", "shop_folder", type=click.Path(path_type=Path), help="The synthetic shop's folder rpc.")
@click.option("--backgrounds", type=click.Path(path_type=Path), help="Of fruits' scenes. Default: those of --exemplars.")
@click.option("--work", "folder", type=click.Path(path_type=Path), required=True, help="Where files are kept between calls.")
@click.option("--seeds", type=int, default=5, show_default=True, help="Of the naming.")
@click.option("--val", type=int, default=30, show_default=True, help="Scenes to choose on.")
@click.option("--test", type=int, default=60, show_default=True, help="Scenes to test on.")
@click.option("--scenes", type=int, default=120, show_default=True, help="Scenes of a set to train its detectors on.")
@click.option("--epochs", type=int, default=10, show_default=True, help="Of a detector.")
@click.option("--minutes", type=float, default=60, show_default=True, help="Time after which nothing is begun.")
@click.option("--weights", multiple=True, default=("imagenet", "none"), show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    fruits_folder: Path | None,
    exemplars: Path | None,
    shop_folder: Path | None,
    backgrounds: Path | None,
    folder: Path,
    seeds: int,
    val: int,
    test: int,
    scenes: int,
    epochs: int,
    minutes: float,
    weights: tuple[str, ...],
    device: str,
    results: Path,
) -> None:
    """Measure, and gather what is there."""
    logging.basicConfig(level=logging.INFO)
    work = Work(folder, minutes, device, epochs)
    sets = []
    if fruits_folder is not None:
        grounds_ = backgrounds or (exemplars / "background" if exemplars is not None else None)
        sets.append(fruits(fruits_folder, work.folder, scenes, val, test, [grounds_] if grounds_ is not None else []))
    if exemplars is not None:
        sets.append(real_exemplars(exemplars, work.folder, scenes, val, test))
    if shop_folder is not None:
        sets.append(shop(shop_folder, work.folder, scenes))
    try:
        measured(work, sets, exemplars, weights, seeds, (val, test))
    except (Late, Stopped):
        click.echo("The time is up; the same command goes on.")
    command = shlex.join(["python", *[Path(word).name if "/" in word and not word.endswith(".py") else word for word in sys.argv]])
    stored.write(results, gathered(work.folder, command))
    click.echo(f"{results}, {write_report(work.folder)}")


if __name__ == "__main__":
    main()
