"""How often `repr lookup` is right, what it calls unknown, and what its probabilities are worth: results/lookup.json.

    python tools/experiments/lookup.py --data DIR --out runs/lookup split-160 split-224 few-1 …   from features
    python tools/experiments/lookup.py --data DIR --out runs/lookup commands-160                  by the commands, as installed
    python tools/experiments/lookup.py                                                            print the tables of docs/results.md

split, commands: the set's own, every training image stored, every test image asked. few: 1, 2, 5 and 10 training images a product, five
draws.
strangers: a fifth of the products is left out, five times, each once; what is asked are test images of all, and images of quite other sets.
An experiment is measured in several sittings: what was found before stands until it is found anew.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import stored
from stored import Experiment, Step
from table import table

from repr import runs
from repr.arrays import Array, Bools, Floats
from repr.catalog.once import once
from repr.catalog.sources import open_sources
from repr.crops import suffix
from repr.embedding.embedder import Embedder
from repr.evaluation.calibration import expected_calibration_error
from repr.evaluation.statistics import Metric, interval, paired
from repr.evaluation.words import rate
from repr.experiments.document import Comparison, Document, Row, TrialFile
from repr.lookup.answers import Answerer
from repr.lookup.catalogs import own_ids
from repr.lookup.choose import choose
from repr.lookup.gallery import Gallery
from repr.lookup.settings import AnswerSettings
from repr.lookup.settled import Settled
from repr.lookup.settling import settle
from repr.lookup.strangers import auroc
from repr.models.weights import load_encoder

FILE = stored.RESULTS / "lookup.json"
SEEDS, FOLDS = range(5), 5
SHOTS = (1, 2, 5, 10)
CROPS = (1.0, 0.5)
PLAIN, CHOSEN = "neighbour", "auto"
BEST = "lda-root"  # what is chosen on either set
TAKEN = 100  # images of a kind of freiburg, evenly spread; of these the first 60 % are stored
SETS, FAR = ("grocery", "freiburg"), ("fruits", "fashion")
FEW_FAR = 720  # images of a far set, evenly spread


@dataclass(frozen=True, eq=False)
class Images:
    """Features (n, d), the file and the product of each, and whether it is to be stored or asked."""

    features: Floats
    files: list[Path]
    products: Array
    stored: Bools
    queries: Bools

    def gallery(self, rows: Bools) -> Gallery:
        """Some of them, as an index holds them."""
        return Gallery(self.features[rows], self.products[rows].tolist(), np.flatnonzero(rows))


@cache
def images(data: Path, name: str, size: int) -> Images:
    """A set as the installed encoder sees it. Without a split of its own, the first of each product are stored, the last asked."""
    catalog = once(open_sources([str(data / name)]))
    ids = np.array(own_ids(catalog))
    if name in FAR:
        rows = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), FEW_FAR)).astype(np.int64))
        catalog, ids = catalog.select(rows), ids[rows]
    elif name == "freiburg":
        spread = [
            np.unique(np.linspace(0, len(rows_of) - 1, min(len(rows_of), TAKEN)).round().astype(np.int64)) for rows_of in _by_product(ids)
        ]
        rows = np.concatenate([rows_of[places] for rows_of, places in zip(_by_product(ids), spread, strict=True)])
        catalog, ids = catalog.select(rows), ids[rows]
    embeddings = Embedder(load_encoder("imagenet", size=size, crops=CROPS), device="cpu").catalog(catalog)
    features, ids, files = embeddings.features, ids[embeddings.rows], catalog.files()
    split = catalog.column("split").astype(str)[embeddings.rows]
    if name != "freiburg":
        return Images(features, [files[row] for row in embeddings.rows.tolist()], ids, split == "train", split == "test")
    stored_ = np.zeros(len(ids), dtype=np.bool_)
    for rows_of in _by_product(ids):
        stored_[rows_of[: int(0.6 * len(rows_of))]] = True
    return Images(features, [files[row] for row in embeddings.rows.tolist()], ids, stored_, ~stored_)


def _by_product(ids: Array) -> list[Array]:
    return [np.flatnonzero(ids == product) for product in np.unique(ids)]


def answerer(gallery: Gallery, learner: str) -> Answerer:
    """What an index of these images answers by, settled on them alone."""
    return Answerer(gallery, settle(gallery, AnswerSettings(learner=learner), images=len(gallery)))


def judged(products: Sequence[Sequence[str]], chances: Sequence[float], unknown: Sequence[bool], truth: Sequence[str]) -> dict[str, float]:
    """Shares of answers: first right, right among five, called unknown, and the expected calibration error of the first's probability."""
    first = np.array([bool(named) and named[0] == right for named, right in zip(products, truth, strict=True)])
    five = [right in named[:5] for named, right in zip(products, truth, strict=True)]
    error = expected_calibration_error(np.array(chances, np.float32), first)
    return {"first": float(first.mean()), "five": float(np.mean(five)), "unknown": float(np.mean(unknown)), "calibration": error}


def shares(by: Answerer, features: Floats, truth: Array) -> dict[str, float]:
    """`judged` of an answerer."""
    answers = by.answers(features, 5)
    products = [[one.product for one in answer.candidates] for answer in answers]
    chances = [answer.candidates[0].probability for answer in answers]
    return judged(products, chances, [answer.unknown for answer in answers], truth.tolist())


def row(config: dict[str, str | int], values: Sequence[dict[str, float]]) -> Row:
    """A row of figures, of one draw or several."""
    metrics: dict[str, Metric] = {}
    for name in values[0]:
        metric = interval([one[name] for one in values])
        assert metric is not None
        metrics[name] = metric
    return Row(config, metrics, tuple(TrialFile(seed, "", "") for seed in range(len(values))))


def by_commands(data: Path, out: Path) -> tuple[str, list[Row], list[Comparison]]:
    """By the commands themselves."""
    index = out / "grocery-160.index"
    if not (index / "index.db").is_file() or _json("index", "info", str(index))["unfinished"]:
        _json("index", "build", "--data", str(data / "grocery"), "--part", "train", "--size", "160", "--out", str(index))
    answers = _json("lookup", str(index), str(data / "grocery" / "test2019"), "-k", "5")["results"]
    catalog = open_sources([str(data / "grocery")])
    truth = dict(zip((str(file) for file in catalog.files()), own_ids(catalog), strict=True))
    products = [[match["product"] for match in one["matches"]] for one in answers]
    chances = [one["matches"][0]["probability"] for one in answers]
    figures = judged(products, chances, [one["unknown"] for one in answers], [truth[one["query"]] for one in answers])
    config: dict[str, str | int] = {"set": "grocery", "size": 160, "asked": len(answers)}
    learner = str(_json("index", "info", str(index))["learner"])
    command = f"repr index build --data {{data}}/grocery --part train --size 160 --out {{out}}/{index.name}"
    rows = [row({**config, "learner": f"{learner}, by the commands"}, [figures])]
    return f"{command}; repr lookup {{out}}/{index.name} {{data}}/grocery/test2019 -k 5 --json", rows, []


def split(data: Path, out: Path, *, size: int) -> tuple[str, list[Row], list[Comparison]]:
    """From features as the index has them."""
    return "", [_whole(data, size, PLAIN), _whole(data, size, BEST)], []


def _whole(data: Path, size: int, learner: str) -> Row:
    dataset = images(data, "grocery", size)
    figures = _first(Answerer(dataset.gallery(dataset.stored), Settled(learner)), dataset)
    return row({"set": "grocery", "size": size, "asked": int(dataset.queries.sum()), "learner": learner}, [figures])


def _first(by: Answerer, dataset: Images) -> dict[str, float]:
    """First right and right among five, of what is asked of a set, by an answerer that is neither calibrated nor has a threshold."""
    figures = shares(by, dataset.features[dataset.queries], dataset.products[dataset.queries])
    return {name: figures[name] for name in ("first", "five")}


def _json(*words: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    done = subprocess.run([sys.executable, "-m", "repr", *words, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def few(data: Path, out: Path, *, shots: int) -> tuple[str, list[Row], list[Comparison]]:
    """By so many training images a product, drawn five times: what an index chooses, against the nearest neighbour."""
    dataset, figures = images(data, "grocery", 160), dict[str, list[dict[str, float]]]({PLAIN: [], CHOSEN: []})
    for seed in SEEDS:
        drawn, generator = np.zeros(len(dataset.products), dtype=np.bool_), np.random.default_rng(seed)
        for product in np.unique(dataset.products):
            drawn[generator.choice(np.flatnonzero(dataset.stored & (dataset.products == product)), shots, replace=False)] = True
        gallery = dataset.gallery(drawn)
        for learner, values in figures.items():
            by = Answerer(gallery, Settled(choose(gallery).learner if learner == CHOSEN else learner))
            values.append(_first(by, dataset))
    config: dict[str, str | int] = {"set": "grocery", "size": 160, "asked": int(dataset.queries.sum()), "shots": shots}
    rows = [row({**config, "learner": learner}, values) for learner, values in figures.items()]
    test = paired(*([one["first"] for one in figures[learner]] for learner in (CHOSEN, PLAIN)))
    return "", rows, [Comparison(1, 0, "learner", "first", test.difference, test.ci95, test.p, len(SEEDS))]


def strangers(data: Path, out: Path, *, name: str) -> tuple[str, list[Row], list[Comparison]]:
    """A fifth of the products left out, in turn: how known ones are told from these, and from images of other sets."""
    far, dataset, values = {other: images(data, other, 160).features for other in FAR}, images(data, name, 160), list[dict[str, float]]()
    products, columns = np.unique(dataset.products, return_inverse=True)
    fold = (np.random.default_rng(7).permutation(len(products)) % FOLDS)[columns]
    for number in range(FOLDS):
        left_out = fold == number
        by = answerer(dataset.gallery(dataset.stored & ~left_out), BEST)
        assert by.settled.gate is not None
        ours = {what: _ours(by, dataset.features[dataset.queries & rows]) for what, rows in (("known", ~left_out), ("strangers", left_out))}
        ours |= {other: _ours(by, features) for other, features in far.items()}
        threshold, known = by.settled.gate.threshold, ours.pop("known")
        figures = {"known_rejected": float((known < threshold).mean())}
        for what, scores in ours.items():
            figures |= {f"auroc_{what}": auroc(known, scores), f"accepted_{what}": float((scores >= threshold).mean())}
        figures |= {"promised_rejected": by.settled.gate.known_rejected, "promised_accepted": by.settled.gate.strangers_accepted}
        values.append(figures)
    return "", [row({"set": name, "size": 160, "asked": int(dataset.queries.sum()), "learner": BEST}, values)], []


def _ours(by: Answerer, features: Floats) -> Array:
    return np.array([answer.ours for answer in by.answers(features, 1)])


PARTS: dict[str, Callable[[Path, Path], tuple[str, list[Row], list[Comparison]]]] = {
    "split-160": partial(split, size=160),
    "commands-160": by_commands,
    "split-224": partial(split, size=224),
    **{f"few-{shots}": partial(few, shots=shots) for shots in SHOTS},
    **{f"strangers-{name}": partial(strangers, name=name) for name in SETS},
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS]))
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="The folder that holds the sets.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/lookup"), show_default=True, help="Where indexes are built.")
def main(parts: tuple[str, ...], data: Path | None, out: Path) -> None:
    """Measure PARTS and store what they found; without any, print the tables."""
    if not parts:
        click.echo("\n\n".join("\n".join(lines) for lines in tables(stored.read(FILE))))
        return
    if data is None:
        raise click.UsageError("--data is needed to measure")
    for part in parts:
        run, rows, tests = PARTS[part](data, out)
        document = Document("repr lookup", str(rows[0].config["set"]), False, tuple(rows), tuple(tests))
        step = Step(part, run or f"python tools/experiments/lookup.py --data {{data}} {part}", found=document)
        before = {one.step: one for one in stored.read(FILE).steps} if FILE.is_file() else {}
        steps = tuple(({**before, part: step})[name] for name in PARTS if name == part or name in before)
        title = f"Looking up grocery, EfficientNet-Lite0 from ImageNet{suffix(CROPS)}"
        today = datetime.date.today().isoformat()
        stored.write(FILE, Experiment(experiment=FILE.stem, title=title, written=today, environment=runs.environment(), steps=steps))


def tables(experiment: Experiment) -> list[list[str]]:
    """The tables of docs/results.md that were measured, a list of lines each: the whole split, few images a product, what is unknown."""
    rows_of = {step.step: step.found.rows for step in experiment.steps if step.found}
    whole = [row for name in ("split-160", "commands-160", "split-224") for row in rows_of.get(name, ())]
    first = [[row.config["learner"], row.config["size"], *(rate(row.metrics[name]) for name in ("first", "five"))] for row in whole]
    shots: dict[object, dict[object, Metric]] = {}
    for row in (row for n in SHOTS for row in rows_of.get(f"few-{n}", ())):
        shots.setdefault(row.config["shots"], {})[row.config["learner"]] = row.metrics["first"]
    second = [[n, rate(by[PLAIN]), rate(by[CHOSEN])] for n, by in shots.items()]
    names = ["known_rejected", "auroc_strangers", "accepted_strangers", "auroc_fruits", "auroc_fashion"]
    unknowns = [row for name in SETS for row in rows_of.get(f"strangers-{name}", ())]
    third = [[row.config["set"], *(rate(row.metrics[name]) for name in names)] for row in unknowns]
    all_: list[tuple[list[str], Sequence[Sequence[object]]]] = [
        (["who answers", "px", "first right", "among the first five"], first),
        (["images a product", "nearest neighbour", "what the index chooses"], second),
        (["shop", "known called unknown", "left out: AUROC", "called known", "fruits: AUROC", "fashion: AUROC"], third),
    ]
    return [table(header, lines) for header, lines in all_ if lines]


if __name__ == "__main__":
    main()
