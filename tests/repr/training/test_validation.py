"""Accuracy on held-out images: of the method's classifier, else of nearest class means as scikit-learn has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize
from torch import Tensor, nn

from repr.images.views import Views
from repr.methods.method import Method
from repr.methods.settings import MethodSettings
from repr.models.encoder import Encoder
from repr.training.validation import accuracy, features, nearest_mean

CPU = torch.device("cpu")
SIZE = 16


class Colours(Method):
    """The features are an image's mean colours; the classifier, where it has one, answers with the strongest of them."""

    def __init__(self, classifies: bool) -> None:
        network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        encoder = Encoder(network, "resnet18", SIZE, mean=(0.0,) * 3, std=(1.0,) * 3)
        super().__init__(encoder, 3, no_views, MethodSettings())
        self.classifies = classifies

    def logits(self, features: Tensor) -> Tensor | None:
        """The features themselves."""
        assert not self.training, "batch norms are asked for their running statistics"
        return features if self.classifies else None


def no_views(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Nobody asks for any."""
    raise AssertionError


_: Views = no_views


def squares(labels: list[int], rest: int = 60) -> Any:
    """One-coloured images, 200 in the channel of their label and `rest` in the others."""
    pixels = np.full((len(labels), SIZE, SIZE, 3), rest, np.uint8)
    pixels[np.arange(len(labels)), :, :, labels] = 200
    return pixels


def nothing() -> None:
    """A check that never breaks off."""


@pytest.mark.parametrize("held", ["array", "tensor"])
def test_of_the_classifier(held: str) -> None:
    pixels = squares([0, 1, 2, 2])
    images = torch.from_numpy(pixels) if held == "tensor" else pixels
    method = Colours(classifies=True).train()
    share = accuracy(method, images, (np.array([0]), np.array([0])), (np.array([3, 1, 2]), np.array([2, 1, 0])), CPU, nothing)
    assert share == {"val_acc": pytest.approx(2 / 3)} and method.training, "it is left in the mode in which it was"


def test_nothing_held_out_or_no_labels() -> None:
    none = np.zeros(0, np.int64)
    pixels = squares([0, 1])
    assert accuracy(Colours(True), pixels, (np.array([0]), np.array([0])), (none, none), CPU, nothing) == {}
    unlabelled = (np.array([0]), np.array([-1]))
    assert accuracy(Colours(False), pixels, unlabelled, (np.array([1]), np.array([1])), CPU, nothing) == {}


def test_of_class_means_where_there_is_no_classifier() -> None:
    """A held-out image whose class no training image has is wrong; training images without a label teach nothing."""
    pixels = squares([0, 1, 2, 0, 1, 2])
    train = np.array([0, 1, 2]), np.array([0, 1, -1])
    share = accuracy(Colours(False), pixels, train, (np.array([3, 4, 5]), np.array([0, 1, 2])), CPU, nothing)
    assert share == {"val_ncm": pytest.approx(2 / 3)}


def test_the_check_breaks_off_and_the_mode_comes_back() -> None:
    method = Colours(True).train()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accuracy(method, squares([0]), (np.array([0]), np.array([0])), (np.array([0]), np.array([0])), CPU, stop)
    assert method.training


def test_features_come_in_the_order_that_was_asked_for_whatever_the_batch() -> None:
    pixels, positions = squares([0, 1, 2, 0, 1]), np.array([4, 0, 2, 2, 1])
    calls: list[int] = []
    whole = features(Colours(True), pixels, positions, CPU, nothing)
    parts = features(Colours(True), pixels, positions, CPU, lambda: calls.append(1), batch=2)
    torch.testing.assert_close(parts, whole)
    assert len(calls) == 3 and whole.argmax(dim=1).tolist() == [1, 0, 2, 2, 1] and whole.dtype == torch.float32


def test_nearest_mean_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y, truth = rng.integers(0, 4, 40), rng.integers(0, 4, 30)
    centres = 2 * np.eye(4, 6)
    x, queries = centres[y] + rng.normal(size=(40, 6)), centres[truth] + rng.normal(size=(30, 6))
    means = NearestCentroid().fit(normalize(x), y).centroids_
    expected = float(((normalize(queries) @ normalize(means).T).argmax(axis=1) == truth).mean())
    x, queries = x.astype(np.float32), queries.astype(np.float32)
    share = nearest_mean(*(torch.from_numpy(part) for part in (x, y, queries, truth)))
    assert share == pytest.approx(expected) and 0.4 < share < 1
