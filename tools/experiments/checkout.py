"""Automatic checkout measured: finding apart from naming, products that come later, real scenes without labels. One command, resumable.

    python tools/experiments/checkout.py --shop SHOP/rpc --fruits FRUITS --exemplars RPC_EXEMPLARS --work runs/checkout

One detector is trained for all sets, on scenes pasted from exemplars of their train parts; another without the shop's novel products. The
threshold of the strict numbers is chosen on other scenes than those of the test. Seeds draw the ten exemplars a product that are in the
index. Every step leaves a file in --work and is not done again; what is there after --minutes is gathered in checkouts/results.json, which
docs/checkout.md prints.
"""

from __future__ import annotations

import datetime
import itertools
import logging
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from checkout_naming import TRUE, Ground, added, answering, boxes_of, trial, truth_of
from checkout_report import draw_errors, write_report
from checkout_sets import Set, fruits, real_exemplars, shop

from repr.checkout.basket import Basket, Item
from repr.checkout.classical import propose
from repr.checkout.detector import Detector, read_detector
from repr.checkout.proposal import Proposer
from repr.embedding.embedder import Embedder
from repr.files import read_json, write_json
from repr.images.reader import read_image
from repr.lookup.matches import Match
from repr.models.weights import fresh, load_encoder, read_weights
from repr.runs import environment
from repr.training.stop import Stopped
from rpc_transfer.checkout.settings import Training
from rpc_transfer.checkout.training import train
from rpc_transfer.checkout.writing import write_sheet

log = logging.getLogger("rpc_transfer.experiment")
SIDE, BATCH = 128, 4  # of the detectors: small ones, so that many steps are made in minutes
RESULTS = Path(__file__).parent / "checkouts" / "results.json"


class Late(Exception):
    """The time is up: the next call goes on."""


class Work:
    """Where it works, and until when."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self.folder, self.end = folder, time.monotonic() + 60 * minutes
        folder.mkdir(parents=True, exist_ok=True)

    def check(self) -> None:
        """Raise Late when the time is up."""
        if time.monotonic() > self.end:
            raise Late

    def detector(self, kind: str, scenes: Sequence[Path], epochs: int) -> Detector:
        """A detector, trained where it is not; it goes on where the last call was stopped."""
        out = self.folder / f"detector-{kind}"
        if not (out / "detector.safetensors").is_file():
            self.check()
            settings = Training(side=SIDE, batch_size=BATCH, epochs=epochs, device="cpu")
            train(list(scenes), settings, out, resume=(out / "checkpoint").exists())
        return Detector(read_detector(out), device="cpu")


def grounds(work: Work, of: Set, weights: str, finders: dict[str, Proposer | None], most: int) -> Ground:
    """The features of a set by some weights, kept in files."""
    encoder = load_encoder(fresh("resnet18", 64, 0) if weights == "none" else read_weights(weights))
    embedder = Embedder(encoder, device="cpu")
    name = f"{of.name}-{Path(weights).name}"
    kept = work.folder / f"{name}-exemplars.npy"
    if not kept.is_file():
        work.check()
        np.save(kept, embedder.catalog(of.exemplars, keep=False).features)
    truths = truth_of(of.val, most), truth_of(of.test, most)
    found = []
    for part, truth, words in ((of.val, truths[0], "val"), (of.test, truths[1], "test")):
        kinds = {}
        for kind, finder in finders.items():
            work.check()
            kinds[kind] = boxes_of(part, truth, finder, embedder, work.folder / f"{name}-{words}-{kind}.npz")
        found.append(kinds)
    return Ground(of, np.load(kept), truths, *found)


def agreement(folder: Path, finder: Proposer) -> dict[str, float]:
    """Of real scenes named <date>-<time>-<list>: the share of pairs of one list with equally many boxes, and the mean difference."""
    counts: dict[str, list[int]] = defaultdict(list)
    for file in sorted(folder.iterdir()):
        counts[file.stem.rsplit("-", 1)[-1]].append(len(finder(read_image(file))))
    pairs = [pair for of in counts.values() for pair in itertools.combinations(of, 2)]
    differences = [abs(a - b) for a, b in pairs]
    return {
        "scenes": sum(map(len, counts.values())),
        "a scene": float(np.mean([n for of in counts.values() for n in of])),
        "pairs": len(pairs),
        "equal": float(np.mean([one == 0 for one in differences])),
        "within one": float(np.mean([one <= 1 for one in differences])),
        "difference": float(np.mean(differences)),
    }


def real_scenes(work: Work, folder: Path, finders: dict[str, Proposer]) -> None:
    """Boxes on the real scenes: how well they agree, and a sheet of them."""
    for kind, finder in finders.items():
        file = work.folder / f"real-{kind}.json"
        if not file.is_file():
            work.check()
            write_json(file, {"boxes": kind, **agreement(folder / "checkout", finder)})
            scenes = sorted((folder / "checkout").iterdir())[::4]
            write_sheet(work.folder / f"real-{kind}.jpg", [_boxed(scene, finder) for scene in scenes], synthetic=False)


def _boxed(scene: Path, finder: Proposer) -> Basket:
    image = read_image(scene)
    items = [Item(one.box, one.score, False, (Match("product", one.score, ""),)) for one in finder(image)]
    return Basket(str(scene), image.size, tuple(items))


def measured(work: Work, sets: Sequence[Set], real: Path | None, weights: Sequence[str], seeds: int, most: int, epochs: int) -> None:
    """All trials, a file each. Raises Late."""
    trained = work.detector("trained", [of.scenes for of in sets if of.scenes is not None], epochs)
    if real is not None:
        real_scenes(work, real, {"classical": propose, "trained": trained})
    for name, of in itertools.product(weights, sets):
        missing = [seed for seed in range(seeds) if not _file(work, of, name, seed).is_file()]
        if not missing:
            continue
        finders: dict[str, Proposer | None] = {TRUE: None, "classical": propose, "trained": trained}
        if of.base is not None:
            finders["base"] = work.detector("base", [scenes for one in sets if (scenes := one.base or one.scenes) is not None], epochs)
        ground = grounds(work, of, name, finders, most)
        for seed in missing:
            work.check()
            told = {"data": of.name, "weights": Path(name).name, "seed": seed, "rows": trial(ground, seed)}
            write_json(_file(work, of, name, seed), {**told, "added": added(ground, seed) if of.novel else []})
            log.info(f"{of.name}, {name}, seed {seed}")
        draw_errors(ground, answering(ground, 0), "trained", work.folder / f"errors-{of.name}-{Path(name).name}.jpg")


def _file(work: Work, of: Set, weights: str, seed: int) -> Path:
    return work.folder / f"trial-{of.name}-{Path(weights).name}-{seed}.json"


def gathered(work: Work) -> dict[str, object]:
    """What is there, for checkouts/results.json."""
    trials = [read_json(file) for file in sorted(work.folder.glob("trial-*.json"))]
    found = [read_json(file) for file in sorted(work.folder.glob("real-*.json"))]
    runs = {file.parent.name: read_json(file) for file in sorted(work.folder.glob("*/config.json"))}
    detectors = {name: run["result"] for name, run in runs.items() if run["status"] == "done"}
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = shlex.join(["python", *[Path(word).name if "/" in word else word for word in sys.argv]])
    about = {"schema": 1, "experiment": "checkout", "command": command, "written": day, "environment": environment()}
    return {**about, "detectors": detectors, "real": found, "trials": trials}


@click.command()
@click.option("--shop", "shop_folder", type=click.Path(path_type=Path), help="The synthetic shop's folder rpc.")
@click.option("--fruits", "fruits_folder", type=click.Path(path_type=Path), help="Fruits in RPC's layout.")
@click.option("--exemplars", type=click.Path(path_type=Path), help="Real exemplars, backgrounds and scenes without labels.")
@click.option("--work", "folder", type=click.Path(path_type=Path), required=True, help="Where files are kept between calls.")
@click.option("--seeds", type=int, default=5, show_default=True, help="Of naming; of each detector there is one.")
@click.option("--most", type=int, default=90, show_default=True, help="Scenes to choose on, and to test on.")
@click.option("--scenes", type=int, default=120, show_default=True, help="Scenes of a set to train detectors on.")
@click.option("--shop-scenes", type=int, default=120, show_default=True, help="The same of the shop; 0: no detector sees it.")
@click.option("--epochs", type=int, default=10, show_default=True, help="Of a detector.")
@click.option("--minutes", type=float, default=60, show_default=True, help="Time after which nothing is begun.")
@click.option("--weights", multiple=True, default=("imagenet", "none"), show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    shop_folder: Path | None,
    fruits_folder: Path | None,
    exemplars: Path | None,
    folder: Path,
    seeds: int,
    most: int,
    scenes: int,
    shop_scenes: int,
    epochs: int,
    minutes: float,
    weights: tuple[str, ...],
    results: Path,
) -> None:
    """Measure, and gather what is there."""
    logging.basicConfig(level=logging.INFO)
    work = Work(folder, minutes)

    sets = []
    if fruits_folder is not None:
        sets.append(fruits(fruits_folder, work.folder, scenes, most, [exemplars / "background"] if exemplars is not None else []))
    if exemplars is not None:
        sets.append(real_exemplars(exemplars, work.folder, scenes, most))
    if shop_folder is not None:
        sets.append(shop(shop_folder, work.folder, shop_scenes))
    try:
        measured(work, sets, exemplars, weights, seeds, most, epochs)
    except (Late, Stopped):
        click.echo("The time is up; the same command goes on.")
    write_json(results, gathered(work))
    click.echo(f"{results}, {write_report(work.folder)}")


if __name__ == "__main__":
    main()
