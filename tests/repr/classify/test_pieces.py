"""Word pieces and batches of fixed shapes: whatever stands beside a text, its answer is the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from repr.classify.pieces import ROWS, STEP, ask_texts, tokens
from repr.classify.texts import PAIR

words = st.lists(st.sampled_from(["tea", "box", "a", "long", "word"]), max_size=30).map(" ".join)


def tokenizer(
    first: Sequence[str], second: Sequence[str] | None = None, *, truncation: bool, max_length: int
) -> dict[str, list[list[int]]]:
    """A piece a word, by its length; 99 between the two of a pair, both cut together as transformers cuts the longer one."""
    assert truncation
    numbers = []
    for n, text in enumerate(first):
        one = [len(word) for word in text.split()]
        other = [len(word) for word in second[n].split()] if second is not None else []
        while len(one) + len(other) + bool(other) > max_length:
            (one if len(one) > len(other) else other).pop()
        numbers.append([*one, *([99, *other] if other else [])])
    return {"input_ids": numbers}


def test_numbers_stand_in_the_order_of_the_texts_with_minus_one_behind() -> None:
    made = tokens(tokenizer, ["tea", f"long word{PAIR}box", "", "a a a"], 8)
    assert made.tolist() == [[3, -1, -1, -1], [4, 4, 99, 3], [0, -1, -1, -1], [1, 1, 1, -1]]


def test_pairs_are_cut_together() -> None:
    made = tokens(tokenizer, [f"{'a ' * 9}{PAIR}{'tea ' * 3}", "a " * 9], 6)
    assert made.tolist() == [[1, 1, 1, 99, 3, 3], [1, 1, 1, 1, 1, 1]]


class Rows(nn.Module):
    """Something of every row alone, and of its width: what a real network's last bits follow."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(128, 5)
        self.shapes: set[tuple[int, ...]] = set()

    def forward(self, numbers: Tensor) -> Tensor:
        self.shapes.add(tuple(numbers.shape))
        mask = (numbers >= 0).float()[..., None]
        return (self.table(numbers.clamp(min=0)) * mask).sum(dim=1) / mask.sum(dim=1) + 0.1 * numbers.shape[1]


@given(st.lists(words, min_size=1, max_size=40), st.integers(4, 20))
@settings(max_examples=40, deadline=None)
def test_a_text_alone_has_the_answer_that_it_has_among_others(texts: list[str], longest: int) -> None:
    network = Rows().eval()
    numbers = tokens(tokenizer, texts, longest)
    every = ask_texts(network, numbers, longest)
    for row in {0, len(texts) // 2, len(texts) - 1}:
        alone = ask_texts(network, tokens(tokenizer, [texts[row]], longest), longest)
        np.testing.assert_array_equal(every[row], alone[0])
    order = np.random.default_rng(0).permutation(len(texts))
    np.testing.assert_array_equal(ask_texts(network, numbers[torch.from_numpy(order)], longest), every[order])
    assert all(rows == ROWS and (width % STEP == 0 or width == longest) and width <= longest for rows, width in network.shapes)


def test_no_batch_is_wider_than_its_longest_text_needs() -> None:
    network = Rows().eval()
    ask_texts(network, tokens(tokenizer, ["a", "a " * 9, "a " * 30], 32), 32)
    assert network.shapes == {(ROWS, 8), (ROWS, 16), (ROWS, 32)}


@pytest.mark.parametrize("count", [1, ROWS, ROWS + 1, 3 * ROWS])
def test_every_row_has_its_answer(count: int) -> None:
    texts = [f"{'a ' * (n % 5)}tea" for n in range(count)]
    network = Rows().eval()
    got = ask_texts(network, tokens(tokenizer, texts, 16), 16)
    assert got.shape == (count, 5) and got.dtype == np.float32
    with torch.inference_mode():
        for n in range(count):
            row = torch.full((1, 8), -1)
            own = [1] * (n % 5) + [3]
            row[0, : len(own)] = torch.tensor(own)
            np.testing.assert_allclose(got[n], network(row)[0].numpy(), atol=1e-6)
