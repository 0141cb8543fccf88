from __future__ import annotations

import json

import numpy as np
import pytest

from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature
from repr.lookup.held_out import held_out, held_out_arrays, scattered
from repr.lookup.settings import AnswerSettings
from repr.lookup.settled import Settled
from repr.lookup.settling import settle
from repr.lookup.strangers import fit_gate
from repr.records import from_json, to_json
from tests.repr.lookup.galleries import shop


def test_learner_temperature_and_gate_come_from_held_out_images() -> None:
    gallery = shop(20, 10, spread=0.4)
    settled = settle(gallery, AnswerSettings(accept=0.9), images=200, candidates=("neighbour", "lda"))
    assert settled.asked == "auto" and settled.learner in ("neighbour", "lda") and len(settled.trials) == 2
    x, y = gallery.taught()
    one_by_one = held_out_arrays(x, y, settled.learner, scattered(y))
    logits = np.concatenate([held_out(gallery, settled.learner).logits(), one_by_one.logits()])
    assert settled.temperature == pytest.approx(fit_temperature(logits, np.zeros(len(logits), dtype=np.int64)))
    assert settled.gate == fit_gate(gallery, settled.learner, settled.temperature, accept=0.9)
    assert settled.gate is not None and settled.gate.known_rejected == pytest.approx(0.1, abs=0.01)
    lines = settled.lines()
    assert sum(line.startswith(("*", "  ")) for line in lines) == 2, "the table it chose by"
    assert f"{100 * settled.gate.known_rejected:.1f} % of known photographs" in lines[-2]


def test_a_learner_that_is_named_is_taken_and_calibrated() -> None:
    settled = settle(shop(20, 10), AnswerSettings(learner="ncm:scale=20"), images=200)
    assert (settled.learner, settled.asked, settled.trials) == ("ncm:scale=20", "ncm:scale=20", ())
    assert settled.measured == 200 and settled.temperature != 1


def test_what_was_settled_comes_back_from_json() -> None:
    settled = settle(shop(20, 10), AnswerSettings(), images=200, candidates=("neighbour", "ncm"))
    assert from_json(Settled, json.loads(json.dumps(to_json(settled)))) == settled


@pytest.mark.parametrize(("products", "images"), [(0, 0), (1, 1), (1, 6), (9, 1)])
def test_of_few_images_the_neighbour_answers_and_nothing_is_unknown(products: int, images: int) -> None:
    settled = settle(shop(products, images), AnswerSettings(), images=products * images)
    assert (settled.learner, settled.gate) == ("neighbour", None)
    assert "Nothing is called unknown" in settled.lines()[-2]


def test_it_is_outgrown_by_twice_or_half_the_images_or_products() -> None:
    settled = Settled(images=100, products=10)
    assert [settled.outgrown(n, 10) for n in (0, 50, 51, 199, 200)] == [False, True, False, False, True]
    assert [settled.outgrown(100, n) for n in (5, 6, 19, 20)] == [True, False, False, True]
    assert Settled().outgrown(1, 1) and not Settled().outgrown(0, 0)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"learner": "neighbor"}, "Did you mean neighbour"),
        ({"learner": "finetune"}, "trains an encoder"),
        ({"accept": 1.0}, "accept is 1"),
        ({"accept": 0.0}, "accept is 0"),
    ],
)
def test_what_cannot_be_asked_for(asked: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        AnswerSettings(**asked).checked()  # type: ignore[arg-type]
