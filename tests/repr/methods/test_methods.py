"""Each method learns, is one function of its seed, and keeps its promises about teachers, queues, heads and settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightly.loss import NTXentLoss, VICRegLoss
from torch import Tensor, nn

from repr.errors import UserError
from repr.images.views import preset
from repr.methods import METHODS, load
from repr.methods.byol import BYOL
from repr.methods.joint import Joint
from repr.methods.method import Method, in_float32, prior_entropy
from repr.methods.moco import QUEUE, MoCo
from repr.methods.recipe import Recipe
from repr.methods.settings import JointSettings, MoCoSettings
from repr.methods.supcon import supcon_loss
from repr.methods.supervised import Supervised
from repr.models.encoder import Encoder
from repr.training import optim

VIEWS = preset("supervised", 32)


def batch() -> tuple[Tensor, Tensor]:
    """16 noisy images of 4 classes, each class a colour; uint8 (16, 32, 32, 3)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(16) % 4
    colours = torch.rand(4, 3, generator=generator)[labels] * 200
    pixels = colours[:, None, None] + 40 * torch.rand(16, 32, 32, 3, generator=generator)
    return pixels.to(torch.uint8), labels


def make(name: str, encoder: Encoder, **settings: Any) -> Method:
    torch.manual_seed(0)
    if name == "moco":
        settings = {"queue": 32} | settings
    return load(name)(encoder, 4, VIEWS, METHODS[name].settings(**settings)).train()


def steps(method: Method, n: int, lr: float) -> list[float]:
    """Losses of n steps on one batch with the views of one seed."""
    pixels, labels = batch()
    optimiser = optim.make(method.recipe.optimiser, [method], lr=lr, momentum=0.9, weight_decay=method.recipe.weight_decay)
    losses = []
    for step in range(n):
        views = method.views(pixels, torch.Generator().manual_seed(1))
        loss, watched = method.loss(views, labels)
        assert watched["features"].shape == (16, 512) and not any(value.requires_grad for value in watched.values())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        method.after_step((step + 1) / n)
        losses.append(float(loss.detach()))
    return losses


RATES = {"supervised": 0.02, "simclr": 0.5, "moco": 0.05, "byol": 0.2, "vicreg": 0.2, "supcon": 0.05, "joint": 0.02}


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_goes_down(name: str, encoder: Encoder) -> None:
    """On images it sees again and again it must; MoCo after its queue holds keys of its own (32 = two batches)."""
    losses = steps(make(name, encoder), 7, RATES[name])
    assert all(math.isfinite(loss) for loss in losses)
    begin = losses[2] if name == "moco" else losses[0]
    assert min(losses[-3:]) < begin - 0.02 * abs(begin)


def test_decoupled_goes_down_too(encoder: Encoder) -> None:
    losses = steps(make("simclr", encoder, decoupled=True), 5, 0.5)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {}) for name in METHODS), ("simclr", {"decoupled": True}), ("joint", {"contrast": 0.2}), ("supervised", {"projector": True})],
)
def test_trivial_is_the_loss_of_a_network_that_tells_nothing_apart(name: str, settings: dict[str, Any], encoder: Encoder) -> None:
    method = make(name, encoder, **settings)
    pixels, labels = batch()
    with torch.no_grad():
        for part in ("head", "key_head", "contrast_head", "projector", "teacher_projector", "predictor"):
            if hasattr(method, part):  # its last layer answers the same to everything
                last = list(getattr(method, part).modules())[-1]
                for parameter, value in zip(last.parameters(), (0.0, 1.0), strict=False):
                    parameter.fill_(value)
        if isinstance(method, MoCo):
            method.queue.fill_(128**-0.5)  # the direction of (1, …, 1)
        loss, _ = method.loss(method.views(pixels, torch.Generator().manual_seed(0)), labels)
    if name == "byol":
        assert method.trivial(16) is None and float(loss) == pytest.approx(0.0, abs=1e-5)
    else:
        assert float(loss) == pytest.approx(method.trivial(16), rel=1e-4)


def test_the_queue_holds_the_last_keys(encoder: Encoder) -> None:
    method = make("moco", encoder, queue=5)
    assert isinstance(method, MoCo)
    keys = torch.eye(128)[:7]
    method.enqueue(keys[:3])
    assert torch.equal(method.queue[:3], keys[:3])
    method.enqueue(keys[3:7])
    assert torch.equal(method.queue, keys[[5, 6, 2, 3, 4]]) and int(method.place) == 2
    assert {"queue", "place"} <= set(method.state_dict())  # so that a checkpoint carries them
    with pytest.raises(UserError, match="queue"):
        make("moco", encoder, queue=0)


@pytest.mark.parametrize("name", ["simclr", "moco", "byol", "vicreg"])
def test_the_loss_is_between_two_different_views(name: str, encoder: Encoder) -> None:
    """Written out from the parts: which head sees which view, against what, at which temperature."""
    method = make(name, encoder, **({"temperature": 0.3} if name in ("simclr", "moco") else {})).eval()
    pixels, labels = batch()
    views = method.views(pixels, torch.Generator().manual_seed(0))
    assert len(views) == 2 and not torch.equal(*views)
    with torch.no_grad():
        if isinstance(method, BYOL):
            for parameter in method.teacher.parameters():
                parameter += 0.01 * torch.randn_like(parameter)
        features = [method.encoder(view) for view in views]
        if isinstance(method, MoCo):
            queries = nn.functional.normalize(method.head(features[0]))
            keys = nn.functional.normalize(method.key_head(method.key_encoder(views[1])))
            logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ method.queue.T], 1) / 0.3
            expected = (logits.exp().sum(1).log() - logits[:, 0]).mean()
        elif isinstance(method, BYOL):
            predicted = [nn.functional.normalize(method.predictor(method.projector(x))) for x in features]
            targets = [nn.functional.normalize(method.teacher_projector(method.teacher(view))) for view in views]
            cosines = [(p * t).sum(1) for p, t in zip(predicted, reversed(targets), strict=True)]
            expected = (2 - 2 * cosines[0] + 2 - 2 * cosines[1]).mean()
        else:
            criterion = NTXentLoss(temperature=0.3) if name == "simclr" else VICRegLoss()
            expected = criterion(*(method.head(x) for x in features))
        loss, _ = method.loss(views, labels)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", METHODS)
def test_the_encoder_learns(name: str, encoder: Encoder) -> None:
    method = make(name, encoder)
    pixels, labels = batch()
    method.loss(method.views(pixels, torch.Generator().manual_seed(0)), labels)[0].backward()  # type: ignore[no-untyped-call]
    gradient = encoder.network.conv1.weight.grad
    assert gradient is not None and gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("moco", [("encoder", "key_encoder"), ("head", "key_head")]),
        ("byol", [("encoder", "teacher"), ("projector", "teacher_projector")]),
    ],
)
def test_every_part_of_a_teacher_follows(name: str, pairs: list[tuple[str, str]], encoder: Encoder) -> None:
    method = make(name, encoder)
    share = 0.001 if name == "moco" else 0.01 * (math.cos(math.pi / 4) + 1) / 2  # BYOL's rises along a cosine: here a quarter of the run
    before = {teacher: [p.clone() for p in getattr(method, teacher).parameters()] for _, teacher in pairs}
    with torch.no_grad():
        for online, _ in pairs:
            for parameter in getattr(method, online).parameters():
                parameter += 1.0
    method.after_step(0.25)
    for online, teacher in pairs:
        for old, now, own in zip(before[teacher], getattr(method, teacher).parameters(), getattr(method, online).parameters(), strict=True):
            torch.testing.assert_close(now, torch.lerp(old, own, share))


def test_a_key_is_no_negative_of_its_own_image(encoder: Encoder) -> None:
    """The keys enter the queue after the loss, which saw the older ones."""
    method = make("moco", encoder, queue=16).eval()
    assert isinstance(method, MoCo)
    pixels, labels = batch()
    views, before = method.views(pixels, torch.Generator().manual_seed(0)), method.queue.clone()
    with torch.no_grad():
        first, _ = method.loss(views, labels)
        assert not torch.equal(method.queue, before)
        method.queue.copy_(before)
        again, _ = method.loss(views, labels)
    torch.testing.assert_close(first, again)


@pytest.mark.parametrize(("name", "teacher"), [("moco", "key_encoder"), ("byol", "teacher")])
def test_teachers_follow_and_take_no_gradient(name: str, teacher: str, encoder: Encoder) -> None:
    method = make(name, encoder)
    follower = getattr(method, teacher).network.conv1.weight
    assert not follower.requires_grad
    before = follower.clone()
    with torch.no_grad():
        encoder.network.conv1.weight += 1.0
    method.after_step(0.0)
    assert float((follower - before).mean()) == pytest.approx(0.001 if name == "moco" else 0.01, rel=1e-3)
    if isinstance(method, BYOL):
        now = follower.clone()
        method.after_step(1.0)  # at the end of the run the teacher stands still
        torch.testing.assert_close(follower, now)


def test_joint_is_the_sum_of_its_parts(encoder: Encoder) -> None:
    pixels, labels = batch()
    values = {}
    for contrast in (0.0, 0.25, 1.0):
        method = make("joint", encoder, contrast=contrast).eval()
        with torch.no_grad():
            loss, watched = method.loss(method.views(pixels, torch.Generator().manual_seed(0)), labels)
        values[contrast] = float(loss)
        assert float(loss) == pytest.approx((1 - contrast) * float(watched["loss_ce"]) + contrast * float(watched["loss_supcon"]))
    assert values[0.25] == pytest.approx(0.75 * values[0.0] + 0.25 * values[1.0], rel=1e-4)


@pytest.mark.parametrize("kind", [Supervised, Joint])
def test_a_projector_takes_the_head_with_it(kind: type[Supervised | Joint], encoder: Encoder) -> None:
    plain, projected = (kind(encoder, 4, VIEWS, JointSettings(projector=projector)) for projector in (False, True))
    assert plain.classifier() is plain.head and projected.classifier() is None
    x = torch.randn(3, 512)
    torch.testing.assert_close(plain.logits(x), plain.head(x))
    assert projected.logits(x).shape == (3, 4)


@pytest.mark.parametrize(
    ("queue", "images", "batch", "fitted"),
    [(None, 100_000, 64, QUEUE), (None, 300, 64, 150), (None, 100, 64, 64), (8, 300, 64, 8), (300, 300, 64, 300)],
)
def test_a_queue_holds_at_most_half_the_images_unless_it_was_chosen(queue: int | None, images: int, batch: int, fitted: int) -> None:
    assert MoCo.fitted(MoCoSettings(queue=queue), images, batch) == MoCoSettings(queue=fitted)


def test_a_queue_of_more_keys_than_there_are_images_is_refused() -> None:
    with pytest.raises(UserError, match="would hold each of them several times"):
        MoCo.fitted(MoCoSettings(queue=301), 300, 64)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "moco"])
def test_what_depends_on_no_number_of_images_stays_as_it_is(name: str) -> None:
    settings = METHODS[name].settings()
    assert load(name).fitted(settings, 3, 2) is settings


def test_rates_follow_the_batch() -> None:
    linear = Recipe("sgd", 0.1, 0.05, "linear", 0.0, 0)
    root = Recipe("lars", 1.2, 0.24, "sqrt", 0.0, 0)
    assert linear.rate(64, from_weights=False) == pytest.approx(0.025)
    assert linear.rate(512, from_weights=True) == pytest.approx(0.1)
    assert root.rate(64, from_weights=False) == pytest.approx(0.6) == pytest.approx(0.075 * math.sqrt(64))  # lightly's rule
    for batch_size, base in ((128, 0.8), (256, 0.5), (512, 0.4)):  # lightly's table for VICReg, times B / 256
        assert load("vicreg").recipe.rate(batch_size, from_weights=False) == pytest.approx(base * batch_size / 256, rel=0.12)


def test_a_network_that_only_knows_the_shares_of_the_classes_is_stuck() -> None:
    shares = torch.tensor([0.8, 0.1, 0.1])
    drawn = torch.multinomial(shares, 20_000, replacement=True, generator=torch.Generator().manual_seed(0))
    answer = (0.9 * shares + 0.1 / 3).log().expand(len(drawn), 3)
    loss = nn.functional.cross_entropy(answer, drawn, label_smoothing=0.1)
    assert prior_entropy(3, shares, 0.1) == pytest.approx(float(loss), rel=0.01)
    assert float(loss) < 0.8 * math.log(3)


@pytest.mark.parametrize("name", ["supcon", "simclr", "vicreg", "moco", "joint"])
def test_losses_are_of_full_precision_under_autocast(name: str, bare: Callable[..., Method]) -> None:
    generator = torch.Generator().manual_seed(0)
    # Ten times as long, so that VICReg's covariance is not lost beside its other terms.
    views = tuple(10 * torch.eye(16, 128) + 0.5 * torch.randn(16, 128, generator=generator) for _ in range(2))
    expected, _ = bare(name).loss(views, torch.arange(16) % 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = bare(name).loss(views, torch.arange(16) % 8)
    torch.testing.assert_close(loss, expected)


def test_supcon_near_its_optimum_under_autocast() -> None:
    generator = torch.Generator().manual_seed(0)
    projections = torch.eye(16).repeat(2, 1) + 0.05 * torch.randn(32, 16, generator=generator)
    labels = torch.arange(16).repeat(2)
    with torch.autocast("cpu", dtype=torch.bfloat16), in_float32(projections):
        loss = supcon_loss(projections, labels, 0.1)
    torch.testing.assert_close(loss, supcon_loss(projections, labels, 0.1))
