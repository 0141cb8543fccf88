from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature
from repr.learners import make
from repr.lookup.answers import Answerer, Found
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import held_out
from repr.vectors import normalised
from tests.repr.lookup.galleries import drawn, named, shop

LEARNERS = ["neighbour", "ncm", "lda-root", "linear:steps=30"]


def same(ours: list[Found], theirs: list[Found], tolerance: float = 1e-4) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.unknown == other.unknown
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
    answerer = Answerer(gallery, name, temperature=2.0)
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
    for query, found in zip(directions, Answerer(gallery, name).answers(queries(), 12), strict=True):
        assert len(found.candidates) == 12
        for candidate in found.candidates:
            of_product = np.flatnonzero(gallery.columns == gallery.number(candidate.product))
            cosines = vectors[of_product] @ query
            assert candidate.image == gallery.ids[of_product[cosines.argmax()]]
            assert candidate.cosine == pytest.approx(cosines.max(), abs=1e-5)


@pytest.mark.parametrize("name", LEARNERS)
def test_added_image_by_image_it_answers_as_built_at_once(name: str) -> None:
    x, y = drawn()
    answerer = Answerer(Gallery(x[:40], named(y[:40]), np.arange(40)), name)
    answerer.answers(queries())
    for row in range(40, len(y)):
        answerer.add(x[row : row + 1], named(y[row : row + 1]), np.array([row]))
    built = Answerer(Gallery(x, named(y), np.arange(len(y))), name)
    ours, theirs = answerer.answers(queries(), 1), built.answers(queries(), 1)
    assert [one.candidates[0].product for one in ours] == [one.candidates[0].product for one in theirs]
    if not name.startswith("linear"):  # which stops within its tolerance
        same(ours, theirs, 5e-2)


@pytest.mark.parametrize("name", LEARNERS)
def test_removed_products_are_as_never_stored_and_can_come_back(name: str) -> None:
    x, y = drawn()
    answerer = Answerer(Gallery(x, named(y), np.arange(len(y))), name)
    answerer.answers(queries())
    answerer.remove(["p02", "p07"])
    rest = ~np.isin(y, [2, 7])
    fresh = Answerer(Gallery(x[rest], named(y[rest]), np.flatnonzero(rest)), name)
    same(answerer.answers(queries(), 3), fresh.answers(queries(), 3), 5e-2)
    answerer.add(x[y == 2], named(y[y == 2]), np.arange(900, 908))
    assert answerer.answers(x[y == 2], 1)[0].candidates[0].product == "p02"


@pytest.mark.parametrize("name", LEARNERS)
def test_saved_and_loaded_it_answers_the_same_and_goes_on(name: str, tmp_path: Path) -> None:
    x, y = drawn()

    def gallery() -> Gallery:
        return Gallery(x, named(y), np.arange(len(y)))

    answerer, _ = Answerer.build(gallery(), name, weights="w1")
    answerer.save(tmp_path)
    loaded = Answerer.load(tmp_path, gallery(), weights="w1")
    assert loaded.gate == answerer.gate
    same(loaded.answers(queries()), answerer.answers(queries()), 1e-6)
    extra = drawn(2, 3, seed=8)[0]
    for one in (answerer, loaded):
        one.add(extra, ["new"] * 6, np.arange(700, 706))
    same(loaded.answers(queries()), answerer.answers(queries()), 1e-6)


def test_build_chooses_calibrates_and_sets_the_gate() -> None:
    gallery = shop(20, 10, spread=0.4)
    answerer, choice = Answerer.build(gallery, candidates=("neighbour", "lda"))
    assert answerer.learner == choice.learner
    logits = held_out(gallery, choice.learner).logits()
    assert answerer.temperature == pytest.approx(fit_temperature(logits, np.zeros(len(logits), dtype=np.int64)))
    assert answerer.gate is not None
    far = np.abs(np.random.default_rng(0).normal(size=(30, 16))).astype(np.float32) * np.linspace(9, 0, 16, dtype=np.float32)
    unknown = [found.unknown for found in answerer.answers(far)]
    assert np.mean(unknown) > 0.9
    own = answerer.answers(gallery.features(gallery.alive))
    assert np.mean([found.unknown for found in own]) < 0.05
    assert all((found.ours is not None and found.ours >= answerer.gate.threshold) != found.unknown for found in own)


def test_without_a_gate_nothing_is_unknown() -> None:
    answerer, choice = Answerer.build(shop(10, 1))
    assert (answerer.learner, answerer.gate, choice.trials) == ("neighbour", None, ())
    found = answerer.answers(queries()[:1])[0]
    assert not found.unknown
    assert found.ours is None


def test_an_empty_gallery_knows_nothing() -> None:
    answerer = Answerer(Gallery(np.zeros((0, 16)), [], np.zeros(0)), "lda")
    assert answerer.answers(queries()[:2]) == [Found(unknown=True, ours=None, candidates=())] * 2
    x, y = drawn()
    answerer.add(x, named(y), np.arange(len(y)))
    assert answerer.answers(x[:1], 1)[0].candidates[0].product == "p00"
    answerer.remove(sorted(set(named(y))))
    assert answerer.answers(x[:1])[0].unknown


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    gallery = shop()
    answerer = Answerer(gallery, "ncm", weights="w1")
    with pytest.raises(UserError, match="3 dimensions"):
        answerer.answers(np.ones((1, 3)))
    with pytest.raises(UserError, match="no product 'p99'"):
        answerer.remove(["p01", "p99"])
    with pytest.raises(UserError, match="trains an encoder"):
        Answerer(gallery, "finetune")
    with pytest.raises(UserError, match="Did you mean neighbour"):
        Answerer.build(gallery, "neighbor")
    answerer.save(tmp_path)
    with pytest.raises(UserError, match="weights w1, not w2"):
        Answerer.load(tmp_path, gallery, weights="w2")
    with pytest.raises(UserError, match="other products"):
        Answerer.load(tmp_path, shop(5))


@pytest.mark.parametrize("text", ["[]", '{"schema": 99}', '{"schema": 1, "learner": "ncm"}', "{"])
def test_a_broken_file_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(UserError):
        Answerer.load(tmp_path, shop())


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    Answerer.build(shop(20, 10), "ncm")[0].save(tmp_path)
    content = json.loads((tmp_path / "answers.json").read_text())
    assert content["learner"] == "ncm"
    assert content["gate"]["accept"] == 0.95
