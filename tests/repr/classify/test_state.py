"""What a trained model is kept as: pieces under their names, taken back by them, and refused where they do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from repr.classify.state import Restored, State, into_network, of_network
from repr.errors import UserError


def restored(state: State) -> Restored:
    return Restored(state, "models/ngram")


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_pieces_of_two_models_do_not_meet() -> None:
    one = State({"weight": np.ones(2, np.float32)}, {"terms": ("a", "b")}, {"name": "one"})
    two = State({"weight": np.zeros(3, np.float32)}, {"terms": ("c",)}, {"name": "two"})
    both = restored(one.under("image") | two.under("text").under("towers"))
    image, text = both.below("image"), both.below("towers").below("text")
    assert (image.fact("name"), text.fact("name")) == ("one", "two")
    assert (image.words("terms", 2), text.words("terms", 1)) == (("a", "b"), ("c",))
    assert image.arrays.floats("weight", 2).tolist() == [1, 1] and text.arrays.floats("weight", 3).tolist() == [0, 0, 0]


def test_of_two_pieces_of_one_name_the_later_counts() -> None:
    later = State({"a": np.zeros(1)}, {"w": ("x",)}, {"f": 1}) | State({"a": np.ones(1)}, {"w": ("y",)}, {"f": 2})
    assert later.arrays["a"].tolist() == [1] and later.words == {"w": ("y",)} and later.facts == {"f": 2}


@pytest.mark.parametrize(
    ("terms", "columns", "message"),
    [
        (("a",), 2, "the vocabulary terms has 1 terms, not 2"),
        (("a", "a"), 2, "the vocabulary terms has 1 terms, not 2"),
        (("a", "b", "c"), 2, "the vocabulary terms has 3 terms, not 2"),
        ((), 1200, "the vocabulary terms has 0 terms, not 1,200"),
    ],
)
def test_a_vocabulary_that_was_cut_or_repeats(terms: tuple[str, ...], columns: int, message: str) -> None:
    with pytest.raises(UserError) as raised:
        restored(State(words={"terms": terms})).words("terms", columns)
    assert raised.value.message == message and raised.value.where == "models/ngram" and "train again" in raised.value.remedy


def test_what_is_not_said_is_named_with_where_it_belongs() -> None:
    with pytest.raises(UserError, match=r"models/ngram: nothing is said of image/name\."):
        restored(State()).below("image").fact("name")


def test_a_network_comes_back_to_the_bit_in_eval_mode() -> None:
    made = network(1)
    made(torch.randn(8, 3))  # running statistics that are not 0 and 1
    state = of_network(made)
    again = into_network(network(2).train(), restored(state).arrays)
    assert not again.training
    rows = torch.randn(5, 3)
    assert torch.equal(again(rows), made.eval()(rows))


@pytest.mark.parametrize("change", ["missing", "shape", "kind"])
def test_a_network_is_not_filled_with_what_does_not_fit(change: str) -> None:
    arrays = dict(of_network(network()).arrays)
    if change == "missing":
        del arrays["2.bias"]
    elif change == "shape":
        arrays["2.bias"] = arrays["2.bias"][:1]
    else:
        arrays["2.bias"] = arrays["2.bias"].astype(np.float64)
    made = network(3)
    before = made[2].bias.detach().clone()
    with pytest.raises(UserError, match=r"2\.bias"):
        into_network(made, restored(State(arrays)).arrays)
    assert torch.equal(made[2].bias, before), "nothing is half filled"
