from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from repr.arrays import Bools, Floats, Ints
from repr.errors import UserError
from repr.learners import make
from repr.lookup.answers import Answerer, Found
from repr.lookup.gallery import Gallery
from repr.lookup.settings import AnswerSettings
from repr.lookup.settled import Settled
from repr.lookup.settling import settle
from repr.vectors import normalised
from tests.repr.lookup.galleries import drawn, named, shop

LEARNERS = ["neighbour", "ncm", "lda-root", "linear:steps=30"]


def same(ours: list[Found], theirs: list[Found], tolerance: float = 1e-4) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.unknown == other.unknown
        if tolerance > 0.1:  # a learner that stops within its tolerance may change places of products that are nearly alike
            assert one.candidates[0].product == other.candidates[0].product
            theirs_by_product = {c.product: c.probability for c in other.candidates}
            pairs = [(c.probability, theirs_by_product[c.product]) for c in one.candidates if c.product in theirs_by_product]
            assert len(pairs) > 1 and all(abs(a - b) < tolerance for a, b in pairs)
            continue
        assert [c.product for c in one.candidates] == [c.product for c in other.candidates]
        assert [c.image for c in one.candidates] == [c.image for c in other.candidates]
        for field in ("probability", "score", "cosine"):
            assert np.allclose([getattr(c, field) for c in one.candidates], [getattr(c, field) for c in other.candidates], atol=tolerance)


def queries(n: int = 2) -> np.ndarray:  # type: ignore[type-arg]
    return drawn(12, n, seed=5)[0]


@pytest.mark.parametrize("name", LEARNERS)
def test_products_stand_in_the_learners_order_with_its_probabilities(name: str) -> None:
    gallery = shop()
    x, y = gallery.taught()
    answerer = Answerer(gallery, Settled(name, temperature=2.0))
    scores = make(name).learn(x, y).scores(queries())
    for found, row in zip(answerer.answers(queries(), 4), scores, strict=True):
        order = np.argsort(-row)[:4]
        assert [candidate.product for candidate in found.candidates] == [gallery.names[i] for i in order]
        assert np.allclose([c.probability for c in found.candidates], softmax(row / 2.0)[order], atol=1e-3)
        assert np.allclose([c.score for c in found.candidates], row[order], atol=1e-2)


@pytest.mark.parametrize("name", LEARNERS)
def test_evidence_is_the_nearest_stored_image_of_the_product(name: str) -> None:
    gallery = shop()
    vectors, directions = gallery.unit(gallery.alive), normalised(queries())
    for query, found in zip(directions, Answerer(gallery, Settled(name)).answers(queries(), 12), strict=True):
        assert len(found.candidates) == 12
        for candidate in found.candidates:
            of_product = np.flatnonzero(gallery.columns == gallery.number(candidate.product))
            cosines = vectors[of_product] @ query
            assert candidate.image == gallery.ids[of_product[cosines.argmax()]]
            assert candidate.cosine == pytest.approx(cosines.max(), abs=1e-5)


def part(x: Floats, y: Ints, alive: Bools) -> Gallery:
    """A gallery of some of the images, whose products are called by their numbers."""
    return Gallery.of_numbers([normalised(x)], y, np.arange(len(y)), alive, np.linalg.norm(x, axis=1).astype(np.float32))


@pytest.mark.parametrize("name", LEARNERS)
def test_it_follows_images_that_come_one_by_one(name: str) -> None:
    x, y = drawn()
    answerer = Answerer(part(x[:40], y[:40], np.ones(40, bool)), Settled(name))
    for n in range(41, len(y) + 1):
        assert answerer.follow(part(x[:n], y[:n], np.ones(n, bool)))
    built = Answerer(part(x, y, np.ones(len(y), bool)), Settled(name))
    ours, theirs = answerer.answers(queries(), 1), built.answers(queries(), 1)
    assert [one.candidates[0].product for one in ours] == [one.candidates[0].product for one in theirs]
    if not name.startswith("linear"):  # which stops within its tolerance
        same(ours, theirs, 5e-2)


@pytest.mark.parametrize("name", LEARNERS)
def test_it_follows_products_and_single_images_that_go_and_come_back(name: str) -> None:
    x, y = drawn()
    every = np.ones(len(y), bool)
    answerer = Answerer(part(x, y, every), Settled(name))
    some = ~np.isin(y, [2, 7]) & (np.arange(len(y)) != 33)
    assert answerer.follow(part(x, y, some))
    near = 0.2 if name.startswith("linear") else 5e-2  # which stops within its tolerance
    same(answerer.answers(queries(), 3), Answerer(part(x, y, some), Settled(name)).answers(queries(), 3), near)
    kept = np.flatnonzero(some)
    shifted = Gallery.of_numbers([normalised(x[kept])], y[kept], kept, np.ones(len(kept), bool), np.linalg.norm(x[kept], axis=1))
    assert answerer.follow(shifted), "the same images in other rows"
    again = Gallery.of_numbers([normalised(x)], y, 500 + np.arange(len(y)), every, np.linalg.norm(x, axis=1).astype(np.float32))
    assert answerer.follow(again), "the same content under other ids"
    assert answerer.answers(x[y == 2], 1)[0].candidates[0].product == "2"


def test_without_norms_it_answers_and_cannot_forget() -> None:
    x, y = drawn()
    known = Answerer(part(x, y, np.ones(len(y), bool)), Settled("lda-root"))
    bare = Gallery.of_numbers([normalised(x)], y, np.arange(len(y)), np.ones(len(y), bool))
    answerer = Answerer(bare, Settled("lda-root"), taught=known.taught)
    same(answerer.answers(queries()), known.answers(queries()))
    assert not answerer.follow(Gallery.of_numbers([normalised(x)], y, np.arange(len(y)), y > 0))
    assert Answerer(bare, Settled()).follow(Gallery.of_numbers([normalised(x)], y, np.arange(len(y)), y > 0)), "a neighbour can"


def test_how_it_was_settled_decides_what_is_unknown() -> None:
    gallery = shop(20, 10, spread=0.4)
    settled = settle(gallery, AnswerSettings(learner="ncm"), images=200)
    answerer = Answerer(gallery, settled)
    assert settled.gate is not None
    far = np.abs(np.random.default_rng(0).normal(size=(30, 16))).astype(np.float32) * np.linspace(9, 0, 16, dtype=np.float32)
    assert np.mean([found.unknown for found in answerer.answers(far)]) > 0.9
    own = answerer.answers(gallery.features(gallery.alive))
    assert np.mean([found.unknown for found in own]) < 0.05
    assert all((found.ours is not None and found.ours >= settled.gate.threshold) != found.unknown for found in own)


@pytest.mark.parametrize("name", ["neighbour", "lda-root", "ncm"])
def test_a_shop_of_one_product_and_of_one_image_a_product(name: str) -> None:
    one = Answerer(Gallery(np.ones((1, 16)), ["a"], np.arange(1)), Settled(name)).answers(queries()[:1])[0]
    assert [(c.product, c.probability) for c in one.candidates] == [("a", 1.0)]
    assert not one.unknown and one.ours is None
    x, _ = drawn(12, 1)
    single = Answerer(Gallery(x, named(np.arange(12)), np.arange(12)), Settled(name)).answers(x, 1)
    assert [found.candidates[0].product for found in single] == named(np.arange(12))


def test_an_empty_gallery_knows_nothing() -> None:
    x, y = drawn()
    empty = part(x, y, np.zeros(len(y), bool))
    answerer = Answerer(empty, Settled("lda"))
    assert answerer.answers(queries()[:2]) == [Found(unknown=True, ours=None, candidates=())] * 2
    assert answerer.follow(part(x, y, np.ones(len(y), bool)))
    assert answerer.answers(x[:1], 1)[0].candidates[0].product == "0"
    assert answerer.follow(empty)
    assert answerer.answers(x[:1])[0].unknown


def test_what_does_not_fit_is_refused() -> None:
    gallery = shop()
    answerer = Answerer(gallery, Settled("ncm"))
    with pytest.raises(UserError, match="3 dimensions"):
        answerer.answers(np.ones((1, 3)))
    with pytest.raises(UserError, match="other products"):
        Answerer(shop(5), Settled("ncm"), taught=answerer.taught)
