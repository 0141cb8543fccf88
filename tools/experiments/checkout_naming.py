"""Names of boxes measured: features of boxes are made once, seeds draw which exemplars are in the index."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from checkout_sets import Part, Set

from repr.arrays import Bools, Doubles, Floats, Ints, Texts
from repr.catalog.passed import Tally
from repr.catalog.table import Catalog
from repr.checkout.proposal import Proposer
from repr.embedding.embedder import Embedder
from repr.files import replacing
from repr.images.reader import crop_square, read_image
from repr.lookup.answers import Answerer
from repr.lookup.gallery import Gallery
from repr.lookup.settings import AUTO, AnswerSettings
from repr.lookup.settling import settle
from rpc_transfer.checkout.counting import Tape
from rpc_transfer.checkout.evaluation import measure
from rpc_transfer.checkout.files import Counter as Truth
from rpc_transfer.checkout.files import Detected, read_counter
from rpc_transfer.checkout.finding import FIT, ious

TRUE = "true"
LEARNERS = ("neighbour", AUTO)
EXEMPLARS, SEEN = "exemplars", "as seen"  # what the index holds: exemplars, or these as pasted scenes show them
LOST = ("right", "missed", "within", "across", "unknown", "too many")
METRICS = ("cAcc", "ACD", "mCCD", "mCIoU", "mAP50", "mmAP")
Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Figured:
    """A row of one seed: what was tried, and what it came to; names of metrics with a slash are of a group."""

    config: Mapping[str, str]
    metrics: Figures


@dataclass(frozen=True)
class Boxes:
    """Boxes of one kind on some scenes: (d,) numbers of images, (d, 4) x, y, w, h, (d,) scores, (d, dim) features."""

    image: Ints
    boxes: Doubles
    scores: Doubles
    features: Floats


@dataclass(frozen=True)
class Named:
    """What boxes are called: (d,) product ids, probabilities, and whether the index calls them unknown."""

    product: Texts
    chance: Doubles
    unknown: Bools


@dataclass(frozen=True)
class Stock:
    """What an index may hold: (n, dim) features, (n,) products, and which of these come later."""

    features: Floats
    keys: Texts
    novel: Bools

    def gallery(self, rows: Ints) -> Gallery:
        """Some of it, as an index holds it."""
        return Gallery(self.features[rows], self.keys[rows].tolist(), rows)


@dataclass(frozen=True)
class Ground:
    """What one seed of a set and weights is measured on: the stock by what the index holds; of the scenes to choose on and to test on the
    truth, and the boxes by kind; the weights' name."""

    of: Set
    weights: str
    stock: dict[str, Stock]
    truths: tuple[Truth, Truth]
    val: dict[str, Boxes]
    test: dict[str, Boxes]


def truth_of(part: Part, most: int) -> Truth:
    """The first `most` scenes of a part."""
    truth = read_counter(part.truth, Tally())
    mine = truth.image < most
    arrays = truth.image[mine], truth.product[mine], truth.boxes[mine]
    ids = {id_: number for id_, number in truth.ids.items() if number < most}
    return Truth(ids, truth.names[:most], truth.levels[:most], truth.categories, *arrays)


def boxes_of(part: Part, truth: Truth, proposer: Proposer | None, embedder: Embedder, cache: Path) -> Boxes:
    """Boxes of scenes, true ones for no proposer, with the features of their crops; from the file `kept` where they are there."""
    if cache.is_file():
        with np.load(cache) as arrays:
            return Boxes(*(arrays[name] for name in ("image", "boxes", "scores", "features")))
    image, boxes, scores, features = list[int](), list[Doubles](), list[float](), list[Floats]()
    for number, name in enumerate(truth.names):
        scene = read_image(part.folder / name)
        own = truth.boxes[truth.image == number]
        boxed = [(tuple(box), 1.0) for box in own.tolist()] if proposer is None else [(one.box, one.score) for one in proposer(scene)]
        crops = [crop_square(scene, box) for box, _ in boxed]
        features += [embedder.images(crops).features] if crops else []
        image += [number] * len(boxed)
        boxes += [np.array(box) for box, _ in boxed]
        scores += [score for _, score in boxed]
    none = np.zeros((0, embedder.encoder.dim), np.float32)
    made = Boxes(np.array(image, np.int64), np.array(boxes, np.float64).reshape(-1, 4), np.array(scores), np.concatenate([none, *features]))
    _keep(cache, made)
    return made


def stock_of(catalogs: Sequence[Catalog], embedder: Embedder, cache: Path) -> Stock:
    """Of catalogs of base and of novel products; from the file `kept` where it is there."""
    if cache.is_file():
        with np.load(cache) as arrays:
            return Stock(arrays["features"], arrays["keys"], arrays["novel"])
    made = [embedder.catalog(one, keep=False) for one in catalogs]
    keys = [one.product_keys().astype(str)[embedded.rows] for one, embedded in zip(catalogs, made, strict=True)]
    novel = np.concatenate([np.full(len(embedded.rows), place == 1) for place, embedded in enumerate(made)])
    stock = Stock(np.concatenate([embedded.features for embedded in made]), np.concatenate(keys), novel)
    _keep(cache, stock)
    return stock


def _keep(file: Path, arrays: Boxes | Stock) -> None:
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **vars(arrays))


def named(answerer: Answerer, features: Floats) -> Named:
    """The best product of each box."""
    answers = answerer.answers(features, k=1)
    first = [answer.candidates[0] for answer in answers]
    names = np.array([answer.product for answer in first], np.str_) if first else np.zeros(0, np.str_)
    return Named(names, np.array([answer.probability for answer in first]), np.array([answer.unknown for answer in answers], bool))


def detected(truth: Truth, boxes: Boxes, names: Named, *, gated: bool = False) -> Detected:
    """As results of a detector: confidence is the box's score times the name's probability. gated: without what the index calls unknown."""
    other = len(truth.categories)
    product = np.array([truth.categories.get(str(name), other) for name in names.product], np.int64)
    every = Detected(boxes.image, product, boxes.boxes, boxes.scores * names.chance)
    if not gated:
        return every
    known = ~names.unknown
    return Detected(every.image[known], every.product[known], every.boxes[known], every.scores[known])


def errors(truth: Truth, results: Detected, threshold: float, above: Mapping[int, str]) -> dict[str, float]:
    """Where true boxes are lost, as shares of them, and boxes too many, as a share of the true ones. above: supercategory of a category."""
    counts: Counter[str] = Counter()
    other, counted = len(truth.categories), results.scores >= threshold
    for image in range(len(truth.names)):
        rows = np.flatnonzero(results.image == image)
        free = np.ones(len(rows), bool)
        for number in np.flatnonzero(truth.image == image):
            fits = np.where(free, ious(truth.boxes[number], results.boxes[rows]), 0.0) if len(rows) else np.zeros(0)
            best = int(fits.argmax()) if len(fits) else -1
            if best < 0 or fits[best] < FIT:
                counts["missed"] += 1
                continue
            free[best] = False
            got, true = int(results.product[rows[best]]), int(truth.product[number])
            if got == other or not counted[rows[best]]:
                counts["unknown"] += 1
            else:
                counts["right" if got == true else "within" if above[got] == above[true] else "across"] += 1
        counts["too many"] += int((free & counted[rows]).sum())
    n = max(1, len(truth.image))
    return {kind: counts[kind] / n for kind in LOST}


def answering(stock: Stock, learner: str = AUTO) -> Answerer:
    """Who answers from all of a stock."""
    gallery = stock.gallery(np.arange(len(stock.keys)))
    return Answerer(gallery, settle(gallery, AnswerSettings(learner=learner), images=len(gallery)))


def trial(ground: Ground) -> list[Figured]:
    """What is in the index, learner and kind of boxes, each by each; then the products that come later."""
    classes = ground.of.supercategories()
    above = {number: classes.get(id_, "") for id_, number in ground.truths[1].categories.items()}
    figured, whole = list[Figured](), dict[str, Answerer]()
    for holds, stock in ground.stock.items():
        for learner in LEARNERS:
            answerer = answering(stock, learner)
            whole[holds] = answerer
            for kind in (kind for kind in ground.test if kind != "base"):
                config = {"weights": ground.weights, "index": holds, "learner": learner, "boxes": kind}
                figured.append(Figured(config, _measured(ground, answerer, kind, above)))
    return figured + (_added(ground, ground.stock[SEEN], whole[SEEN]) if ground.of.novel else [])


def _measured(ground: Ground, answerer: Answerer, kind: str, above: Mapping[int, str]) -> Figures:
    """All metrics of boxes of a kind, the threshold chosen on the scenes to choose on."""
    truth = ground.truths[1]
    names, results, threshold = _counted(ground, answerer, kind)
    both = measure(truth, results, threshold, with_map=True)
    figures: dict[str, float | None] = {f"{name}/{level}": getattr(row, name) for level, row in both["strict"].items() for name in METRICS}
    figures |= {f"rpctool/{level}": row.cAcc for level, row in both["rpctool"].items()}
    figures |= {f"lost/{name}": share for name, share in errors(truth, results, threshold, above).items()}
    if kind == TRUE:
        gated = measure(truth, detected(truth, ground.test[kind], names, gated=True), 0.0)["strict"]
        right, chosen = _right(truth, names), _right(ground.truths[0], named(answerer, ground.val[kind].features))
        figures |= {"named": float(right.mean()), "chosen/named": float(chosen.mean()), "gate/unknown": float(names.unknown.mean())}
        figures |= {"gate/right unknown": float(names.unknown[right].mean()) if right.any() else None}
        figures |= {"gate/cAcc": gated["averaged"].cAcc}
    return figures


def _right(truth: Truth, names: Named) -> Bools:
    """(d,) which true boxes are named rightly."""
    categories = list(truth.categories)
    return np.asarray(names.product == np.array([categories[number] for number in truth.product], np.str_))


def _counted(ground: Ground, answerer: Answerer, kind: str) -> tuple[Named, Detected, float]:
    """Names and results of the test scenes, and the threshold of the best cAcc on the others."""
    truths = ground.truths
    chosen = detected(truths[0], ground.val[kind], named(answerer, ground.val[kind].features))
    names = named(answerer, ground.test[kind].features)
    return names, detected(truths[1], ground.test[kind], names), best_threshold(truths[0], chosen)


def best_threshold(truth: Truth, results: Detected) -> float:
    """The threshold of the best cAcc on validation scenes."""
    return Tape.of(truth, results, np.ones(len(truth.names), bool)).best_threshold()


def _added(ground: Ground, stock: Stock, at_once: Answerer) -> list[Figured]:
    """cAcc, and recall of novel and base products, before and after the novel ones came by the index alone, and with all at once.

    The first two with the boxes of a detector that was trained without the novel products and an index settled without them; and with
    true boxes.
    """
    everything = stock.gallery(np.arange(len(stock.keys)))
    base = stock.gallery(np.flatnonzero(~stock.novel))
    settled = settle(base, AnswerSettings(), images=len(base))
    ways = {"before": Answerer(base, settled), "later": Answerer(everything, settled), "at once": at_once}
    novel = np.array([number for id_, number in ground.truths[1].categories.items() if id_ in ground.of.novel_products()], np.int64)
    figured = list[Figured]()
    for way, answerer in ways.items():
        for kind in ("trained" if way == "at once" else "base", TRUE):
            _, results, threshold = _counted(ground, answerer, kind)
            levels = measure(ground.truths[1], results, threshold)["strict"]
            shares = recall(ground.truths[1], results, threshold, novel)
            config = {"weights": ground.weights, "index": SEEN, "novel": way, "boxes": TRUE if kind == TRUE else "trained"}
            figures: Figures = {f"cAcc/{level}": row.cAcc for level, row in levels.items()}
            figured.append(Figured(config, {**figures, "recall/novel": shares[0], "recall/base": shares[1]}))
    return figured


def recall(truth: Truth, results: Detected, threshold: float, novel: Ints) -> tuple[float, float]:
    """The share of true boxes of novel and of other products that a counted box fits and names rightly."""
    hits, totals = defaultdict[bool, int](int), defaultdict[bool, int](int)
    for number, box in enumerate(truth.boxes):
        rows = np.flatnonzero(
            (results.image == truth.image[number]) & (results.scores >= threshold) & (results.product == truth.product[number])
        )
        mine = bool(np.isin(truth.product[number], novel))
        totals[mine] += 1
        hits[mine] += bool(len(rows) and ious(box, results.boxes[rows]).max() >= FIT)
    return hits[True] / max(1, totals[True]), hits[False] / max(1, totals[False])
