from __future__ import annotations

import numpy as np
import pytest

from repr.errors import UserError
from repr.evaluation.statistics import half_width
from repr.lookup import choose as module
from repr.lookup import gallery as gallery_module
from repr.lookup.choose import choose
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import held_out
from repr.lookup.settled import table
from tests.repr.lookup.galleries import named, shop


def striped(products: int = 30, images: int = 8) -> Gallery:
    """Products that differ in the first eight numbers by little, and all of whose images vary in the next eight by much: LDA's case."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(products), images)
    own = rng.normal(size=(products, 8))[y] + 0.15 * rng.normal(size=(len(y), 8))
    return Gallery(np.hstack([own, 3 * rng.normal(size=(len(y), 8))]), named(y), np.arange(len(y)))


def test_it_takes_what_is_best_on_the_stored_images() -> None:
    choice = choose(striped(), candidates=("neighbour", "ncm", "lda"))
    assert choice.learner == "lda"
    assert choice.images == 240
    by_name = {trial.learner: trial for trial in choice.trials}
    assert by_name["lda"].top1 == max(trial.top1 for trial in choice.trials)
    assert table(choice.learner, choice.trials, choice.images)[3].startswith("* lda")


def test_the_table_is_of_products_with_their_interval() -> None:
    gallery = striped()
    trial = choose(gallery, candidates=("ncm",)).trials[1]
    shares, plain = (list(held_out(gallery, name).by_product().values()) for name in ("ncm", "neighbour"))
    assert trial.top1 == pytest.approx(np.mean(shares))
    assert trial.ci95 == half_width(shares)
    assert trial.gain == pytest.approx(np.mean(shares) - np.mean(plain))
    assert trial.gain_ci95 == pytest.approx(half_width(list(np.subtract(shares, plain))))


def test_where_nothing_is_surely_better_the_neighbour_answers() -> None:
    """Images as good as equal: every learner is always right, and none better."""
    choice = choose(shop(8, 4, spread=0.001), candidates=("neighbour", "ncm", "lda"))
    assert [trial.top1 for trial in choice.trials] == [1.0, 1.0, 1.0]
    assert choice.learner == "neighbour"


def test_with_one_image_a_product_there_is_nothing_to_choose_by() -> None:
    choice = choose(shop(10, 1))
    assert (choice.learner, choice.trials, choice.held) == ("neighbour", (), None)
    assert "no product has two images" in table(choice.learner, choice.trials, choice.images)[0]


def test_in_a_big_shop_what_trains_anew_at_each_addition_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAVY", 10)
    assert [trial.learner for trial in choose(shop(6, 4), candidates=("ncm", "linear")).trials] == ["neighbour", "ncm"]


def test_a_big_gallery_is_measured_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_module, "MOST", 40)
    assert choose(shop(30, 4), candidates=("ncm",)).images == 40


def test_an_unknown_candidate_is_an_error() -> None:
    with pytest.raises(UserError, match="no learner ncn"):
        choose(shop(4, 3), candidates=("ncn",))
