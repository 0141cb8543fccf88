"""The small loop: it learns, repeats, leaves alone what it should, and takes a loss of the caller's."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from repr.errors import UserError
from repr.images.views import preset
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder
from repr.training.finetune import fit_classifier, fit_network

pytestmark = pytest.mark.usefixtures("thin")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def encoder() -> Encoder:
    return load_encoder(fresh("resnet18", 16, 0))


@pytest.fixture(scope="module")
def squares() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """33 noisy squares of three colours, 16 px."""
    rng = np.random.default_rng(0)
    labels = np.arange(33) % 3
    pixels = np.eye(3)[labels][:, None, None] * 120 + rng.normal(60, 30, (33, 16, 16, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), labels.astype(np.int64)


def new_head(classes: int = 3, width: int = 512) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(width, classes)


def test_it_learns(encoder: Encoder, squares: tuple[np.ndarray, np.ndarray]) -> None:  # type: ignore[type-arg]
    (pixels, labels), head = squares, new_head()
    fit_classifier(encoder, pixels, labels, classes=3, head=head, epochs=4, batch_size=16, generator=generator())
    assert not encoder.training and not head.training
    with torch.no_grad():
        right = head(encoder.encode(torch.from_numpy(pixels))).argmax(dim=1).numpy() == labels
    assert right.mean() > 0.9


def test_the_generator_decides(squares: tuple[np.ndarray, np.ndarray]) -> None:  # type: ignore[type-arg]
    def weights(seed: int) -> Tensor:
        encoder = load_encoder(fresh("resnet18", 16, 0))
        before = torch.random.get_rng_state()
        head = new_head()
        fit_classifier(encoder, *squares, classes=3, head=head, epochs=1, views=preset("product", 16), generator=generator(seed))
        assert torch.equal(before, torch.random.get_rng_state())
        return head.weight.detach()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_no_epochs_change_nothing(encoder: Encoder, squares: tuple[np.ndarray, np.ndarray]) -> None:  # type: ignore[type-arg]
    before = copy.deepcopy(encoder.state_dict())
    head = nn.Linear(512, 3)
    weight = head.weight.detach().clone()
    fit_classifier(encoder, *squares, classes=3, head=head, epochs=0, generator=generator())
    assert torch.equal(head.weight, weight)
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_a_loss_of_the_callers(encoder: Encoder, squares: tuple[np.ndarray, np.ndarray]) -> None:  # type: ignore[type-arg]
    """It sees the very inputs that gave the logits; three batches of 33 at most 16 become 16 and 17."""
    seen: list[tuple[tuple[int, ...], int]] = []

    def loss(inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        seen.append((tuple(inputs.shape), len(labels)))
        assert float(inputs.min()) >= 0 and float(inputs.max()) <= 1 and logits.shape == (len(labels), 3)
        return cross_entropy(logits, labels) + logits.square().mean()

    fit_classifier(encoder, *squares, classes=3, head=new_head(), epochs=1, batch_size=16, loss=loss, generator=generator())
    assert seen == [((16, 3, 16, 16), 16), ((17, 3, 16, 16), 17)]


def test_a_single_image(encoder: Encoder, squares: tuple[np.ndarray, np.ndarray]) -> None:  # type: ignore[type-arg]
    head = new_head()
    fit_classifier(encoder, squares[0][:1], squares[1][:1], classes=3, head=head, epochs=2, generator=generator())
    assert all(parameter.isfinite().all() for parameter in [*encoder.parameters(), *head.parameters()])


def test_bad_input(encoder: Encoder, squares: tuple[np.ndarray, np.ndarray]) -> None:  # type: ignore[type-arg]
    with pytest.raises(UserError, match="no images"):
        fit_classifier(encoder, squares[0][:0], squares[1][:0], classes=3, head=new_head(), generator=generator())
    with pytest.raises(UserError, match="labels from 0 to 2 for 2 classes"):
        fit_classifier(encoder, *squares, classes=2, head=new_head(2), generator=generator())
    with pytest.raises(UserError, match="not a finite number in epoch 1"):
        fit_classifier(encoder, *squares, classes=3, head=new_head(), loss=lambda _, x, __: x.sum() * torch.nan, generator=generator())


def test_a_linear_layer_by_sgd_against_scikit_learn() -> None:
    """Long training with decay (on the weights, not the biases) minimises what logistic regression does: C = 1 / (n · decay)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    features = (rng.normal(size=(4, 10))[labels] + rng.normal(size=(300, 10))).astype(np.float32)
    head = fit_network(
        new_head(4, 10), torch.from_numpy(features), torch.from_numpy(labels), loss=lambda _, logits, y: cross_entropy(logits, y),
        optimiser="sgd", epochs=400, lr=1.0, batch_size=300, weight_decay=1e-2, generator=generator(),
    )  # fmt: skip
    reference = LogisticRegression(C=1 / (1e-2 * 300), max_iter=2000).fit(features, labels)
    with torch.no_grad():
        probabilities = head(torch.from_numpy(features)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, reference.predict_proba(features), atol=0.02)


def test_any_network_with_adam_halved_as_torch_does() -> None:
    """MEP-3M's protocol: Adam, the rate halved every 2 epochs, against torch.optim.Adam and StepLR; one batch an epoch, so no order."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(16, 3, generator=generator), torch.randn(16, 2, generator=generator)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())

    def squared(_: Tensor, output: Tensor, truth: Tensor) -> Tensor:
        return (output - truth).square().mean()

    settings = {"epochs": 5, "lr": 0.05, "batch_size": 16, "halve_every": 2}
    fitted = fit_network(ours, inputs, targets, loss=squared, generator=generator, **settings)  # type: ignore[arg-type]
    adam = torch.optim.Adam(theirs.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.StepLR(adam, 2, 0.5)
    for _ in range(5):
        adam.zero_grad()
        squared(inputs, theirs(inputs), targets).backward()  # type: ignore[no-untyped-call]
        adam.step()
        schedule.step()
    assert fitted is ours and not ours.training
    torch.testing.assert_close(ours.weight, theirs.weight)
    with pytest.raises(UserError, match="nothing to train on"):
        fit_network(ours, inputs[:0], targets[:0], loss=squared, generator=generator, epochs=1, lr=0.1)
