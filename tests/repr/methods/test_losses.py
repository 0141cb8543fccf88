"""Every contrastive loss against a slow version written from the paper, over a grid of sizes, and at a value known by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from lightly.loss import NTXentLoss, VICRegLoss
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor
from torch.nn.functional import normalize

from repr.methods.method import Method
from repr.methods.moco import info_nce
from repr.methods.supcon import supcon_loss
from repr.methods.vicreg import covariance, vicreg_loss

Bare = Callable[..., Method]
GRID = [(b, d, t) for b in (2, 3, 8) for d in (2, 7) for t in (0.07, 0.5)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_contrastive(first: Tensor, second: Tensor, temperature: float, *, decoupled: bool) -> float:
    """SimCLR algorithm 1; decoupled: the positive pair is not in the denominator."""
    z = normalize(torch.stack([first, second], dim=1).flatten(0, 1), dim=1)  # 2k and 2k + 1 are a pair
    total = 0.0
    for i in range(len(z)):
        j = i ^ 1
        others = [math.exp(float(z[i] @ z[k]) / temperature) for k in range(len(z)) if k != i and not (decoupled and k == j)]
        total -= float(z[i] @ z[j]) / temperature - math.log(sum(others))
    return total / len(z)


@pytest.mark.parametrize(("b", "d", "t"), GRID)
def test_nt_xent_and_its_decoupled_form(bare: Bare, b: int, d: int, t: float) -> None:
    first, second = random(b, d), random(b, d, seed=1)
    for decoupled in (False, True):
        loss, _ = bare("simclr", temperature=t, decoupled=decoupled).loss((first, second), torch.zeros(b))
        assert float(loss) == pytest.approx(slow_contrastive(first, second, t, decoupled=decoupled), rel=1e-5)


@pytest.mark.parametrize(("decoupled", "terms"), [(False, 9), (True, 8)])
def test_nt_xent_when_all_are_the_same(bare: Bare, decoupled: bool, terms: int) -> None:
    same = torch.ones(5, 3)
    method = bare("simclr", decoupled=decoupled)
    assert float(method.loss((same, same), torch.zeros(5))[0]) == pytest.approx(math.log(terms), rel=1e-5)
    assert method.trivial(5) == pytest.approx(math.log(terms))


@pytest.mark.parametrize(("b", "d", "t"), GRID)
def test_info_nce(b: int, d: int, t: float) -> None:
    queries, keys, negatives = (normalize(random(n, d, seed=s), dim=1) for s, n in enumerate((b, b, 9)))
    total = 0.0
    for q, k in zip(queries, keys, strict=True):
        top = math.exp(float(q @ k) / t)
        total -= math.log(top / (top + sum(math.exp(float(q @ n) / t) for n in negatives)))
    assert float(info_nce(queries, keys, negatives, t)) == pytest.approx(total / b)


def test_info_nce_at_right_angles() -> None:
    """Positive 1, three negatives at right angles, T = 1: log(1 + 3 / e)."""
    q = torch.tensor([[1.0, 0.0]])
    assert float(info_nce(q, q, torch.tensor([[0.0, 1.0]] * 3), 1.0)) == pytest.approx(math.log(1 + 3 / math.e))


def slow_supcon(z: Tensor, labels: list[int], temperature: float) -> float:
    """Khosla et al., equation 2, one anchor and one positive at a time."""
    z = normalize(z, dim=1)
    losses = []
    for i in range(len(z)):
        positives = [p for p in range(len(z)) if p != i and labels[p] == labels[i]]
        if positives:
            bottom = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in range(len(z)) if a != i)
            losses.append(-sum(math.log(math.exp(float(z[i] @ z[p]) / temperature) / bottom) for p in positives) / len(positives))
    return sum(losses) / len(losses) if losses else 0.0


LABELS = [[0, 0, 1, 1], [0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 1, 2, 2], [0, 1, 2]]  # the last two with lone anchors


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("d", [2, 16])
@pytest.mark.parametrize("t", [0.07, 0.5])
def test_supcon(labels: list[int], d: int, t: float) -> None:
    z = random(len(labels), d).requires_grad_()
    loss = supcon_loss(z, torch.tensor(labels), t)
    assert float(loss.detach()) == pytest.approx(slow_supcon(z.detach(), labels, t))
    loss.backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None and z.grad.isfinite().all()


@pytest.mark.parametrize("labels", LABELS[:3])
@pytest.mark.parametrize("t", [0.07, 0.5])
def test_supcon_and_its_gradient_against_pytorch_metric_learning(labels: list[int], t: float) -> None:
    ours, theirs = (random(len(labels), 8).requires_grad_() for _ in range(2))
    a, b = supcon_loss(ours, torch.tensor(labels), t), SupConLoss(temperature=t)(theirs, torch.tensor(labels))
    torch.testing.assert_close(a, b)
    a.backward()  # type: ignore[no-untyped-call]
    b.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_supcon_when_all_are_the_same() -> None:
    assert float(supcon_loss(torch.ones(6, 3), torch.tensor([0, 0, 0, 1, 1, 1]), 0.1)) == pytest.approx(math.log(5), rel=1e-5)


def test_supcon_with_two_views_and_no_shared_class_is_nt_xent() -> None:
    first, second = random(5, 4), random(5, 4, seed=1)
    labels = torch.arange(5).repeat(2)
    expected = NTXentLoss(temperature=0.2)(first, second)
    torch.testing.assert_close(supcon_loss(torch.cat([first, second]), labels, 0.2), expected)


def test_byol_between_agreement_and_opposition(bare: Bare) -> None:
    x = random(3, 4)
    for second, value in ((2 * x, 0.0), (-x, 8.0), (torch.flip(x, dims=[1]) * torch.tensor([1, 1, -1, -1]), 4.0)):  # at right angles
        assert float(bare("byol").loss((x, second), torch.zeros(3))[0]) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(("b", "d"), [(2, 2), (3, 7), (16, 5)])
def test_vicreg(b: int, d: int) -> None:
    """Bardes et al., equations 1 to 6, by loops; the invariance term per number, as the authors' code (mse_loss)."""
    za, zb = random(b, d), random(b, d, seed=1)
    invariance = sum(float((za[i, j] - zb[i, j]) ** 2) for i in range(b) for j in range(d)) / (b * d)
    variance, covariance = 0.0, 0.0
    for z in (za, zb):
        mean = [sum(float(z[i, j]) for i in range(b)) / b for j in range(d)]
        c = [[sum((float(z[i, j]) - mean[j]) * (float(z[i, k]) - mean[k]) for i in range(b)) / (b - 1) for k in range(d)] for j in range(d)]
        variance += 0.5 * sum(max(0.0, 1 - math.sqrt(c[j][j] + 1e-4)) for j in range(d)) / d
        covariance += sum(c[j][k] ** 2 for j in range(d) for k in range(d) if j != k) / d
    assert float(vicreg_loss(za, zb)) == pytest.approx(25 * invariance + 25 * variance + covariance)


@pytest.mark.parametrize(("b", "d"), [(2, 3), (8, 9), (8, 8), (9, 8), (16, 300)])
def test_vicreg_and_its_gradient_are_lightlys(b: int, d: int) -> None:
    """Embeddings of unlike scales, off the origin; fewer rows than columns, as many, and more."""
    za, zb = (random(b, d, seed=seed) * torch.linspace(0.1, 3, d) + 2 for seed in (0, 1))
    ours, theirs = ([z.clone().requires_grad_() for z in (za, zb)] for _ in range(2))
    losses = vicreg_loss(*ours), VICRegLoss()(*theirs)
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("b", "d"), [(4, 40), (40, 4)])
def test_covariance_of_numbers_that_say_nothing_of_each_other_is_nothing(b: int, d: int) -> None:
    z = torch.zeros(b, d)
    z[0, 0], z[1, 0] = 3, -3  # one number varies, so nothing does together
    assert float(covariance(z)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("copies", [1, 4])
def test_covariance_by_hand(copies: int) -> None:
    """Rows (1, 2, 0) and (-1, -2, 0), 2 or 8 of them: variances 2 and 8, covariance 4, so 2 · 4² / 3 for two rows (n - 1 = 1)."""
    z = torch.tensor([[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0]]).repeat(copies, 1) + 5
    n = 2 * copies
    assert float(covariance(z)) == pytest.approx(2 * (2 * n / (n - 1)) ** 2 / 3, rel=1e-5)


@pytest.mark.parametrize("shapes", [((1, 4), (1, 4)), ((2, 4), (2, 1))])
def test_vicreg_refuses_one_image_and_unlike_views(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="at least two images"):
        vicreg_loss(*(torch.ones(shape) for shape in shapes))
