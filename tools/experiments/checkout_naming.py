"""Names of boxes measured: the features of exemplars and of boxes are made once, seeds draw which exemplars are in the index."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from checkout_sets import Part, Set

from repr.arrays import Bools, Doubles, Floats, Ints, Texts
from repr.catalog.passed import Tally
from repr.checkout.proposal import Proposer
from repr.embedding.embedder import Embedder
from repr.files import replacing
from repr.images.reader import crop_square, read_image
from repr.lookup.answers import Answerer
from repr.lookup.asked import AUTO, Asked
from repr.lookup.gallery import Gallery
from repr.lookup.settling import settle
from rpc_transfer.checkout.counting import Tape
from rpc_transfer.checkout.evaluation import measure
from rpc_transfer.checkout.files import Counter as Truth
from rpc_transfer.checkout.files import Detected, read_counter
from rpc_transfer.checkout.finding import FIT, ious

SHOTS = 10
TRUE = "true"
LEARNERS = ("neighbour", AUTO)
UNKNOWNS = ("index", "scenes")  # who says what is unknown: the index's threshold, or the one of confidence that scenes choose


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


def truth_of(part: Part, most: int) -> Truth:
    """The first `most` scenes of a part."""
    truth = read_counter(part.truth, Tally())
    mine = truth.image < most
    arrays = truth.image[mine], truth.product[mine], truth.boxes[mine]
    ids = {id_: number for id_, number in truth.ids.items() if number < most}
    return Truth(ids, truth.names[:most], truth.levels[:most], truth.categories, *arrays)


def boxes_of(part: Part, truth: Truth, proposer: Proposer | None, embedder: Embedder, kept: Path) -> Boxes:
    """Boxes of scenes, true ones for no proposer, with the features of their crops; from the file `kept` where they are there."""
    if kept.is_file():
        with np.load(kept) as arrays:
            return Boxes(*(arrays[name] for name in ("image", "boxes", "scores", "features")))
    image, boxes, scores, features = list[int](), list[Doubles](), list[float](), list[Floats]()
    for number, name in enumerate(truth.names):
        picture = read_image(part.folder / name)
        own = truth.boxes[truth.image == number]
        found = [(tuple(box), 1.0) for box in own.tolist()] if proposer is None else [(one.box, one.score) for one in proposer(picture)]
        crops = [crop_square(picture, box) for box, _ in found]
        features += [embedder.images(crops).features] if crops else []
        image += [number] * len(found)
        boxes += [np.array(box) for box, _ in found]
        scores += [score for _, score in found]
    none = np.zeros((0, embedder.encoder.dim), np.float32)
    made = Boxes(np.array(image, np.int64), np.array(boxes, np.float64).reshape(-1, 4), np.array(scores), np.concatenate([none, *features]))
    with replacing(kept) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **vars(made))
    return made


def drawn(keys: Texts, seed: int) -> Ints:
    """Rows of SHOTS exemplars a product."""
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(keys == key))[:SHOTS] for key in np.unique(keys)]))


def named(answerer: Answerer, features: Floats) -> Named:
    """The best product of each box."""
    found = answerer.answers(features, k=1)
    first = [one.candidates[0] for one in found]
    names = np.array([one.product for one in first], np.str_) if first else np.zeros(0, np.str_)
    return Named(names, np.array([one.probability for one in first]), np.array([one.unknown for one in found], bool))


def detected(truth: Truth, boxes: Boxes, names: Named, unknown: str) -> Detected:
    """As results of a detector: confidence is the box's score times the name's probability."""
    other = len(truth.categories)
    product = np.array([truth.categories.get(str(name), other) for name in names.product], np.int64)
    product = np.where(names.unknown, other, product) if unknown == "index" else product
    return Detected(boxes.image, product, boxes.boxes, boxes.scores * names.chance)


def errors(truth: Truth, found: Detected, threshold: float, above: Mapping[int, str]) -> dict[str, float]:
    """Where true boxes are lost, as shares of them, and boxes too many, as a share of the true ones. above: supercategory of a category."""
    counts: Counter[str] = Counter()
    other, counted = len(truth.categories), found.scores >= threshold
    for image in range(len(truth.names)):
        rows = np.flatnonzero(found.image == image)
        free = np.ones(len(rows), bool)
        for number in np.flatnonzero(truth.image == image):
            fits = np.where(free, ious(truth.boxes[number], found.boxes[rows]), 0.0) if len(rows) else np.zeros(0)
            best = int(fits.argmax()) if len(fits) else -1
            if best < 0 or fits[best] < FIT:
                counts["missed"] += 1
                continue
            free[best] = False
            got, true = int(found.product[rows[best]]), int(truth.product[number])
            if got == other or not counted[rows[best]]:
                counts["unknown"] += 1
            else:
                counts["right" if got == true else "within" if above[got] == above[true] else "across"] += 1
        counts["too many"] += int((free & counted[rows]).sum())
    n = max(1, len(truth.image))
    return {kind: counts[kind] / n for kind in ("right", "missed", "within", "across", "unknown", "too many")}


@dataclass(frozen=True)
class Ground:
    """What all seeds of a set and weights share: (n, dim) features of its exemplars; of the scenes to choose on and to test on the truth,
    and the boxes by kind."""

    of: Set
    exemplars: Floats
    truths: tuple[Truth, Truth]
    val: dict[str, Boxes]
    test: dict[str, Boxes]


def answering(ground: Ground, seed: int, learner: str = AUTO) -> Answerer:
    """Who answers from the exemplars that a seed draws."""
    keys = ground.of.exemplars.product_keys().astype(str)
    rows = drawn(keys, seed)
    gallery = Gallery(ground.exemplars[rows], keys[rows].tolist(), rows)
    return Answerer(gallery, settle(gallery, Asked(learner=learner), images=len(rows)))


def trial(ground: Ground, seed: int) -> list[dict[str, object]]:
    """Rows of one seed: learner, kind of boxes, and who says what is unknown."""
    of, truths, val = ground.of, ground.truths, ground.val
    keys = of.exemplars.product_keys().astype(str)
    classes = dict(zip(keys.tolist(), of.exemplars.column("class_1").tolist(), strict=True))
    above = {number: str(classes.get(id_, "")) for id_, number in truths[1].categories.items()}
    told = list[dict[str, object]]()
    for learner in LEARNERS:
        answerer = answering(ground, seed, learner)
        for kind, boxes in ground.test.items():
            names = [named(answerer, one.features) for one in (val[kind], boxes)]
            for unknown in UNKNOWNS:
                threshold = best_threshold(truths[0], detected(truths[0], val[kind], names[0], unknown))
                found = detected(truths[1], boxes, names[1], unknown)
                measured = measure(truths[1], found, threshold, with_map=True)
                levels = {mode: {level: vars(row) for level, row in one.items()} for mode, one in measured.items()}
                row = {"learner": learner, "chosen": answerer.settled.learner, "boxes": kind, "unknown": unknown, "levels": levels}
                told.append({**row, "errors": errors(truths[1], found, threshold, above), "flagged": float(names[1].unknown.mean())})
    return told


def best_threshold(truth: Truth, found: Detected) -> float:
    """The threshold of the best cAcc on validation scenes."""
    return Tape.of(truth, found, np.ones(len(truth.names), bool)).best_threshold()


def added(ground: Ground, seed: int) -> list[dict[str, object]]:
    """cAcc, and recall of novel and base products, before and after the novel ones came by the index alone, and with all at once.

    The first two with the boxes of a detector that was trained without the novel products, and with the true ones.
    """
    of, truths = ground.of, ground.truths
    keys = of.exemplars.product_keys().astype(str)
    rows = drawn(keys, seed)
    new = np.isin(keys[rows], list(of.novel))
    numbers = [number for id_, number in truths[1].categories.items() if id_ in of.novel]
    everything = Gallery(ground.exemplars[rows], keys[rows].tolist(), rows)
    base = Gallery(ground.exemplars[rows[~new]], keys[rows[~new]].tolist(), rows[~new])
    settled = {"later": settle(base, Asked(), images=len(base)), "at once": settle(everything, Asked(), images=len(everything))}
    later, at_once = (Answerer(everything, one) for one in settled.values())
    ways = {"before": Answerer(base, settled["later"]), "later": later, "at once": at_once}
    told = list[dict[str, object]]()
    unseen = "base" if "base" in ground.test else "trained"
    for way, kinds in (("before", (unseen, TRUE)), ("later", (unseen, TRUE)), ("at once", ("trained", TRUE))):
        for kind in kinds:
            names = [named(ways[way], one[kind].features) for one in (ground.val, ground.test)]
            threshold = best_threshold(truths[0], detected(truths[0], ground.val[kind], names[0], "scenes"))
            found = detected(truths[1], ground.test[kind], names[1], "scenes")
            shares = recall(truths[1], found, threshold, np.array(numbers))
            easy_to_hard = {level: row.cAcc for level, row in measure(truths[1], found, threshold)["strict"].items()}
            told.append({"way": way, "boxes": kind, "cAcc": easy_to_hard, "novel": shares[0], "base": shares[1]})
    return told


def recall(truth: Truth, found: Detected, threshold: float, novel: Ints) -> tuple[float, float]:
    """The share of true boxes of novel and of other products that a counted box fits and names rightly."""
    hits, totals = defaultdict[bool, int](int), defaultdict[bool, int](int)
    for number, box in enumerate(truth.boxes):
        rows = np.flatnonzero((found.image == truth.image[number]) & (found.scores >= threshold) & (found.product == truth.product[number]))
        mine = bool(np.isin(truth.product[number], novel))
        totals[mine] += 1
        hits[mine] += bool(len(rows) and ious(box, found.boxes[rows]).max() >= FIT)
    return hits[True] / max(1, totals[True]), hits[False] / max(1, totals[False])
