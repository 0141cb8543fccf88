"""Losses of partly labelled rows against slow plain versions on a tree made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from repr.classify.hierarchy.tree import Tree
from repr.classify.hierarchy.weak import (
    allowed_classes,
    children_loss,
    joint_loss,
    masked_loss,
    residual_labels,
    widths,
    without_residual,
)

# two roots; sub-classes 0, 1 under root 0 and 2 under root 1; leaves 0, 1 under sub-class 0, 2 under 1, 3 under 2
TREE = Tree((np.array([0, 0, 1]), np.array([0, 0, 1, 2])))
LEAVES_OF_ROOT = {0: [0, 1, 2], 1: [3]}
LABELS = np.array([[0, 0, 1], [0, 1, -1], [0, -1, -1], [1, -1, -1], [-1, -1, -1]])


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


@pytest.fixture
def logits() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(5, size, generator=generator, requires_grad=True) for size in TREE.sizes]


def test_masked_by_hand(logits: list[torch.Tensor]) -> None:
    plain = [-math.log(softmax(logits[1][row].tolist())[label]) for row, label in ((0, 0), (1, 1))]
    assert masked_loss(logits[1], torch.tensor(LABELS[:, 1])).item() == pytest.approx(sum(plain) / 2)
    nothing = masked_loss(logits[1], torch.full((5,), -1))
    nothing.backward()  # type: ignore[no-untyped-call]
    assert nothing.item() == 0 and logits[1].grad is not None and not logits[1].grad.any()


def test_children_by_hand(logits: list[torch.Tensor]) -> None:
    """The finest level: row 0 is known, 1 is below sub-class 1, 2 below root 0, 3 below root 1, of 4 nothing is known."""
    allowed = allowed_classes(torch.tensor(LABELS), 2, TREE)
    assert [row.nonzero().flatten().tolist() for row in allowed] == [[1], [2], [0, 1, 2], [3], []]
    plain = []
    for row, classes in enumerate([[1], [2], LEAVES_OF_ROOT[0], LEAVES_OF_ROOT[1]]):
        probabilities = softmax(logits[2][row].tolist())
        plain.append(-math.log(sum(probabilities[c] for c in classes)))
    assert children_loss(logits[2], allowed).item() == pytest.approx(sum(plain) / 4)
    assert children_loss(logits[2], torch.ones(5, 4, dtype=torch.bool)).item() == pytest.approx(0, abs=1e-6)
    assert children_loss(logits[2], torch.zeros(5, 4, dtype=torch.bool)).item() == 0


def test_children_with_huge_logits_stay_finite() -> None:
    scores = torch.tensor([[1e4, -1e4, 0.0, 0.0]], requires_grad=True)
    value = children_loss(scores, torch.tensor([[False, True, True, False]]))
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == pytest.approx(1e4) and scores.grad is not None and scores.grad.isfinite().all()


def test_residual_labels_and_widths() -> None:
    """On the finest level the residual classes of the two roots are 4 and 5, those of the three sub-classes 6 to 8."""
    assert widths(TREE, "residual") == (2, 3 + 2, 4 + 2 + 3)
    assert widths(TREE, "masked") == widths(TREE, "children") == (2, 3, 4)
    assert residual_labels(LABELS, TREE).tolist() == [[0, 0, 1], [0, 1, 4 + 2 + 1], [0, 3 + 0, 4 + 0], [1, 3 + 1, 4 + 1], [-1, -1, -1]]


def test_residual_mass_goes_to_the_children() -> None:
    given = np.array([[0.1, 0.3, 0.1, 0.1, 0.2, 0.05, 0.15, 0.0, 0.0]], dtype=np.float32)
    first = [0.1 + 0.2 * 0.1 / 0.5 + 0.15 * 0.25, 0.3 + 0.2 * 0.3 / 0.5 + 0.15 * 0.75, 0.1 + 0.2 * 0.1 / 0.5, 0.1 + 0.05]
    np.testing.assert_allclose(without_residual(given, 2, TREE)[0], first, rtol=1e-6)
    only = np.array([[0, 0, 0, 0, 1, 0, 0, 0, 0]], dtype=np.float32)  # all on a residual class, its children at nought
    np.testing.assert_allclose(without_residual(only, 2, TREE), [[1 / 3, 1 / 3, 1 / 3, 0]], atol=1e-6)
    np.testing.assert_array_equal(without_residual(np.array([[0.25, 0.75]], dtype=np.float32), 0, TREE), [[0.25, 0.75]])


@pytest.mark.parametrize("weak", ["masked", "children", "residual"])
def test_joint_loss_is_the_sum_over_levels(weak: str) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = [torch.randn(5, size, generator=generator) for size in widths(TREE, weak)]
    labels = torch.tensor(residual_labels(LABELS, TREE) if weak == "residual" else LABELS)
    plain = 0.0
    for level, scores in enumerate(logits):
        rows = []
        for row in range(5):
            probabilities = softmax(scores[row].tolist())
            if weak == "children":
                inside = allowed_classes(torch.tensor(LABELS), level, TREE)[row].tolist()
            else:
                inside = [labels[row, level] == c for c in range(len(probabilities))]
            if any(inside):
                rows.append(-math.log(sum(p for p, keep in zip(probabilities, inside, strict=True) if keep)))
        plain += sum(rows) / len(rows)
    assert joint_loss(logits, labels, TREE, weak).item() == pytest.approx(plain, rel=1e-5)


def test_fully_labelled_rows_make_all_three_the_same() -> None:
    full = np.array([[0, 0, 0], [1, 2, 3], [0, 1, 2]])
    logits = [torch.randn(3, size, generator=torch.Generator().manual_seed(2)) for size in TREE.sizes]
    values = {joint_loss(logits, torch.tensor(full), TREE, weak).item() for weak in ("masked", "children")}
    assert len(values) == 1
    assert (residual_labels(full, TREE) == full).all()
