"""The losses and adjustments of lwf, icarl, wa and bic against the papers' formulas, written out with loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from repr.errors import UserError
from repr.learners.bic import BiC, fit_bias
from repr.learners.icarl import ICaRL
from repr.learners.lwf import LwF
from repr.learners.memory import herd
from repr.learners.wa import WA, align
from repr.training.finetune import EncoderWithHead

Array = np.ndarray[Any, Any]
Small = Callable[[], Any]
KNOWN, ALL, BATCH = 3, 5, 6


class Teacher(EncoderWithHead):
    """An old network that gives the logits it was made with."""

    def __init__(self, logits: Array) -> None:
        torch.nn.Module.__init__(self)
        self.logits = torch.from_numpy(logits)

    def forward(self, images: Tensor) -> Tensor:
        return self.logits


@pytest.fixture
def batch() -> tuple[Array, Array, Array]:
    """The old network's logits (6, 3), the new one's (6, 5), and columns: old and new classes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(BATCH, KNOWN)) * 2, rng.normal(size=(BATCH, ALL)) * 2, np.array([0, 3, 4, 2, 3, 4])


def softmax(z: Array) -> Array:
    return np.exp(z) / np.exp(z).sum()


def value(learner: Any, batch: tuple[Array, Array, Array]) -> float:
    old, new, labels = batch
    loss = learner._loss(Teacher(old), KNOWN)
    return float(loss(torch.zeros(BATCH, 3, 16, 16), torch.from_numpy(new), torch.from_numpy(labels)))


def distilled(old: Array, new: Array, temperature: float) -> float:
    """Mean over images of −Σ_c p_c log q_c, both at the temperature."""
    total = 0.0
    for i in range(BATCH):
        p, q = softmax(old[i] / temperature), softmax(new[i, :KNOWN] / temperature)
        total -= sum(p[c] * np.log(q[c]) for c in range(KNOWN))
    return total / BATCH


def test_lwf(small_encoder: Small, batch: tuple[Array, Array, Array]) -> None:
    old, new, labels = batch
    novel = [i for i in range(BATCH) if labels[i] >= KNOWN]
    among_new = sum(-np.log(softmax(new[i, KNOWN:])[labels[i] - KNOWN]) for i in novel) / len(novel)
    learner = LwF(small_encoder(), device="cpu", weight=3, temperature=2)
    assert value(learner, batch) == pytest.approx(3 * distilled(old, new, 2) + among_new, rel=1e-5)


def test_icarl(small_encoder: Small, batch: tuple[Array, Array, Array]) -> None:
    """Algorithm 3: new classes by their labels, old classes by what the old network gave."""
    old, new, labels = batch
    total = 0.0
    for i in range(BATCH):
        for c in range(ALL):
            g = 1 / (1 + np.exp(-new[i, c]))
            target = 1 / (1 + np.exp(-old[i, c])) if c < KNOWN else float(labels[i] == c)
            total -= target * np.log(g) + (1 - target) * np.log(1 - g)
    assert value(ICaRL(small_encoder(), device="cpu"), batch) == pytest.approx(total / BATCH, rel=1e-5)


@pytest.mark.parametrize("kind", [WA, BiC])
def test_wa_and_bic_share_a_loss(kind: Any, small_encoder: Small, batch: tuple[Array, Array, Array]) -> None:
    """(1 − λ) cross-entropy + λ distillation at T = 2, λ = 3/5."""
    old, new, labels = batch
    entropy = sum(-np.log(softmax(new[i])[labels[i]]) for i in range(BATCH)) / BATCH
    learner = kind(small_encoder(), device="cpu")
    learner._grow([0, 1, 2, 3, 4])
    assert value(learner, batch) == pytest.approx(0.4 * entropy + 0.6 * distilled(old, new, 2), rel=1e-5)


def test_bics_teacher_keeps_its_corrections(small_encoder: Small, batch: tuple[Array, Array, Array]) -> None:
    """In a second increment the old network answers with the α and β of the first, here those of its third class."""
    old, new, labels = batch
    learner = BiC(small_encoder(), device="cpu")
    learner._grow([0, 1, 2, 3, 4])
    learner.scale_[2], learner.shift_[2] = 0.5, -1.0
    old_corrected, new_corrected = (z * [1, 1, 0.5, 1, 1][: z.shape[1]] - [0, 0, 1, 0, 0][: z.shape[1]] for z in (old, new))
    entropy = sum(-np.log(softmax(new_corrected[i])[labels[i]]) for i in range(BATCH)) / BATCH
    assert value(learner, batch) == pytest.approx(0.4 * entropy + 0.6 * distilled(old_corrected, new_corrected, 2), rel=1e-5)


def test_wa_brings_new_weights_to_the_length_of_old_ones() -> None:
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(5, 4)) * np.array([1, 1, 1, 4, 4])[:, None]
    lengths = [float(np.sqrt(sum(v * v for v in row))) for row in weight]
    gamma = (sum(lengths[:3]) / 3) / (sum(lengths[3:]) / 2)
    aligned = align(torch.from_numpy(weight), 3).numpy()
    assert np.allclose(aligned[:3], weight[:3])
    assert np.allclose(aligned[3:], gamma * weight[3:])


def test_wa_aligns_after_every_later_step(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = coloured
    learner = WA(small_encoder(), device="cpu", epochs=3, lr=0.1, batch_size=12, views="plain")
    for i, step in enumerate(([5, 2, 9], [4], [7, 30])):
        learner.learn(x[np.isin(y, step)], y[np.isin(y, step)])
        lengths = learner.head_.weight.detach().norm(dim=1)
        known = (0, 3, 4)[i]
        if known:
            assert float(lengths[known:].mean()) == pytest.approx(float(lengths[:known].mean()), rel=1e-4)


def test_icarl_answers_by_the_mean_of_its_exemplars(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    """With room for two of each class and no training, by the paper: algorithm 4 picks them, algorithm 1 compares."""
    x, y, queries, _ = coloured
    learner = ICaRL(small_encoder(), device="cpu", memory=13, epochs=0).learn(x, y)
    encoder = small_encoder()
    with torch.no_grad():
        phi, query_features = (torch.nn.functional.normalize(encoder.encode(torch.from_numpy(part))).numpy() for part in (x, queries))
    means = []
    for c in learner.classes_:
        own = phi[y == c]
        mean = own[herd(own, 2)].mean(axis=0)
        means.append(mean / np.linalg.norm(mean))
    nearest = [int(np.argmin([np.linalg.norm(a - m) for m in means])) for a in query_features]
    assert learner.predict(queries).tolist() == learner.classes_[nearest].tolist()


def test_icarl_needs_a_memory(small_encoder: Small) -> None:
    with pytest.raises(UserError, match=r"memory is 0\. It takes 1 or more"):
        ICaRL(small_encoder(), memory=0)


def test_bic_finds_the_two_numbers() -> None:
    """True logits whose new classes were stretched by 2 and raised by 3: the fit undoes it, as a general optimiser does."""
    rng = np.random.default_rng(0)
    columns = rng.integers(0, ALL, size=400)
    logits = 1.5 * (rng.normal(size=(400, ALL)) + 1.5 * np.eye(ALL)[columns])  # the true log-likelihoods, up to a constant
    biased = logits.copy()
    biased[:, KNOWN:] = 2 * biased[:, KNOWN:] + 3

    def loss(pair: Array) -> float:
        z = biased.copy()
        z[:, KNOWN:] = pair[0] * z[:, KNOWN:] + pair[1]
        return float(np.mean([-np.log(softmax(z[i])[columns[i]]) for i in range(400)]))

    alpha, beta = fit_bias(biased.astype(np.float32), columns, KNOWN)
    reference = minimize(loss, [1, 0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8}).x
    assert [alpha, beta] == pytest.approx(reference.tolist(), abs=5e-3)
    assert alpha == pytest.approx(0.5, abs=0.15)
    for one_side in (columns < KNOWN, columns >= KNOWN, columns < 0):
        assert fit_bias(biased[one_side].astype(np.float32), columns[one_side], KNOWN) == (1, 0)


def test_bic_holds_out_equally_many_of_each_class_and_none_of_single_images(small_encoder: Small) -> None:
    learner = BiC(small_encoder(), device="cpu", held_out=0.2)
    y = np.repeat([3, 8, 1, 2], [10, 10, 10, 1])
    assert np.bincount(y[learner._held(y)], minlength=9)[[3, 8, 1, 2]].tolist() == [2, 2, 2, 0]
    many = np.repeat([3, 8, 1, 2], [100, 100, 10, 10])
    assert np.bincount(many[learner._held(many)], minlength=9)[[3, 8, 1, 2]].tolist() == [2, 2, 2, 2]


def test_bic_without_a_memory_corrects_nothing(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = coloured
    learner = BiC(small_encoder(), device="cpu", memory=0, epochs=1, batch_size=12, views="plain")
    learner.learn(x[y != 30], y[y != 30]).learn(x[y == 30], y[y == 30])
    assert learner.scale_.tolist() == [1] * 6 and learner.shift_.tolist() == [0] * 6


def test_bics_earlier_corrections_stay(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = coloured
    learner = BiC(small_encoder(), device="cpu", epochs=2, batch_size=12, views="plain")
    for step in ([5, 2, 9], [4, 7]):
        learner.learn(x[np.isin(y, step)], y[np.isin(y, step)])
    before = learner.scale_.clone()
    assert before[:3].tolist() == [1, 1, 1]
    assert before[3] == before[4] != 1
    learner.learn(x[y == 30], y[y == 30])
    assert torch.equal(learner.scale_[:5], before)
