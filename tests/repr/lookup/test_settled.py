"""How an index answers, as it stands in its file: told in words, settled anew when it is outgrown, and forgotten with its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import UserError
from repr.lookup import settled as module
from repr.lookup.info import described, recorded
from repr.lookup.keeping import accept_of, info, search_info
from repr.lookup.refused import Refused
from repr.lookup.settings import AUTO, AnswerSettings
from repr.lookup.settled import Gate, Settled, Trial, settled_of, table
from repr.lookup.store import Store
from repr.lookup.weights import made_with
from repr.models.weights import fresh
from repr.records import to_json

GATE = Gate((1.0, 0.5, -2.0), 0.25, 0.7, -1.5, 0.95, 0.051, 0.223, 0.93)
TRIALS = (Trial("neighbour", 0.701, 0.9, 0.02, 0.0, None), Trial("lda", 0.815, 0.952, 0.018, 0.11, 0.03))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path, {"weights": made_with(fresh("resnet18", 32, 0)), "root": str(tmp_path)})


@given(st.lists(st.tuples(*[st.floats(-5, 5, width=32)] * 3), min_size=1, max_size=6))
def test_scores_of_the_gate_are_a_weighted_sum(signals: list[tuple[float, float, float]]) -> None:
    expected = [1.0 * a + 0.5 * b - 2.0 * c + 0.25 for a, b, c in signals]
    np.testing.assert_allclose(GATE.scores(np.array(signals)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "products", "outgrown"),
    [(100, 10, False), (199, 10, False), (200, 10, True), (51, 10, False), (50, 10, True), (100, 20, True), (100, 5, True), (0, 0, False)],
)
def test_twice_or_half_of_what_it_was_settled_with_is_too_much(images: int, products: int, outgrown: bool) -> None:
    assert Settled(images=100, products=10).outgrown(images, products) == outgrown


def test_in_words() -> None:
    lines = Settled("lda", AUTO, gate=GATE, trials=TRIALS, measured=1234, seconds=7.4).lines()
    assert lines == [
        "Held out: 1,234 stored images; first right and among five, means over products, per cent",
        "  neighbour   70.1 ± 2.0    90.0",
        "* lda         81.5 ± 1.8    95.2",
        "Called unknown: 5.1 % of known photographs; not so: 22.3 % of products left out (AUROC 0.93)",
        "Settled on stored images in 7 s",
    ]
    assert Settled("ncm", "ncm").lines() == [
        "Nothing is called unknown: the images are too few to tell strangers by",
        "Settled on stored images in 0 s",
    ], "who was named was not chosen: there is no table"
    assert table("neighbour", (), 0) == ["The nearest image answers: no product has two images to choose a learner by"]


def test_it_is_read_back_as_it_was_and_forgotten_with_other_weights(store: Store) -> None:
    assert settled_of(store) == Settled()
    written = Settled("lda:shrinkage=0.5", AUTO, 0.9, 1.7, GATE, 100, 40, TRIALS, 3.5, module.made_with(store), 10)
    with store.change("settle") as change:
        change.settings({module.SETTING: to_json(written)})
    assert settled_of(store) == written
    with store.change("reindex") as change:
        change.settings({"weights": {**recorded(store), "crops": [1.0, 0.5]}})
    assert settled_of(store) == Settled(asked=AUTO, accept=0.9), "what was asked for stays, what was measured does not"


@pytest.mark.parametrize("content", [{"learner": 3}, {"learner": "lda", "extra": 1}, [], "lda"])
def test_what_was_written_by_somebody_else_is_an_error(store: Store, content: object) -> None:
    with store.change("settle") as change:
        change.settings({module.SETTING: content})
    with pytest.raises(UserError, match="a missing or wrong field"):
        settled_of(store)


@pytest.mark.parametrize("weights", [None, [], {"identity": "abc"}])
def test_an_index_that_does_not_say_what_it_was_made_with(tmp_path: Path, weights: object) -> None:
    store = Store.create(tmp_path, {"weights": weights})
    with pytest.raises(Refused, match="of what it was made stands nowhere"):
        recorded(store)


def test_what_an_index_says_of_itself_in_words(store: Store, tmp_path: Path) -> None:
    made, search = recorded(store), search_info(None, 512, outgrown=False)
    lines = described(info(store, tmp_path, made, search))
    assert lines[0] == "0 products in 0 images" and lines[2] == "search   exact" and lines[3] == "learner  neighbour"
    assert lines[4] == "unknown  nothing: the images are too few to tell strangers by" and lines[5] == f"root     {tmp_path}"
    with store.change("settle") as change:
        settled = Settled("lda", AUTO, gate=GATE, made_with=module.made_with(store), images=9, products=3)
        leak = {"weights": "C+C", "kind": "seen", "text": "'C+C' has seen all images: a → b", "share": 1.0}
        settings = {module.SETTING: to_json(settled), "synthetic": True, "leaks": [leak], "unfinished": "repr index build --data a"}
        change.settings(settings)
    content = info(store, tmp_path, made, {**search, "kind": "ivf8", "probes": 4, "lists": 64, "recall_at_10": 0.971, "outgrown": True})
    text = "\n".join(described(content))
    assert "0 products in 0 images - synthetic: not real products" in text and "note     'C+C' has seen all images: a → b" in text
    assert "ivf8, 4 of 64 lists, recall@10 97.1% - outgrown: compacting the index chooses anew" in text
    assert "unknown  5.1% of known photographs; 22.3% of products left out pass as known" in text
    assert f"UNFINISHED, or still at work: repr index build --data a --out {tmp_path}" in text and not content["complete"]
    assert content["accept"] == accept_of(settled) == {"threshold": -1.5, "known_rejected": 0.051, "strangers_accepted": 0.223}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"learner": "ldda"}, "lda"),
        ({"learner": "lda:shrinkag=0.5"}, "shrinkage"),
        ({"learner": "finetune"}, "finetune trains an encoder"),
        ({"accept": 1.0}, "accept is 1"),
        ({"accept": float("nan")}, "accept is nan"),
    ],
)
def test_settings_of_answers(asked: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        AnswerSettings(**asked).checked()  # type: ignore[arg-type]


def test_settings_that_are_right_are_themselves() -> None:
    for learner in (AUTO, "lda", "lda:shrinkage=0.5", "lda-root"):
        wanted = AnswerSettings(learner=learner)
        assert wanted.checked() is wanted and replace(wanted, accept=0.5).checked().accept == 0.5
