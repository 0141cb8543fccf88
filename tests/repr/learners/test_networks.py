"""Networks among a learner's arrays: what was described is made again, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from repr.errors import UserError
from repr.images.frames import Frame
from repr.learners.heads import DROPOUT, layered
from repr.learners.networks import described, network_arrays, rebuilt, restore_network
from repr.learners.stored import Stored
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    weights = replace(fresh("resnet18", 32, 0), crops=(1.0, 0.5), name="C+C", frame=Frame("shortest", "bicubic", 0.9))
    return load_encoder(weights).eval()


def test_an_encoder_is_made_again_to_the_same_bits(encoder: Encoder) -> None:
    arrays = network_arrays(encoder.network)
    again = rebuilt(described(encoder), Stored(arrays))
    squares = torch.randint(0, 256, (2, encoder.side, encoder.side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.encode(squares), encoder.encode(squares)) and not again.training
    for name in ("arch", "size", "side", "crops", "mean", "std", "name", "identity", "synthetic", "frame"):
        assert getattr(again, name) == getattr(encoder, name), name


@pytest.mark.parametrize(
    "changed",
    [
        {"arch": "resnet19"},
        {"arch": "resnet34"},
        {"size": 8},
        {"size": None},
        {"crops": [2.0]},
        {"mean": "much"},
        {"std": None},
        {"frame": "{"},
        {"frame": '{"side": "left"}'},
        {"more": 1},
    ],
)
def test_what_does_not_describe_it_is_refused(encoder: Encoder, changed: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"shop\.safetensors: .*Fetch the file again, or teach the learner again"):
        rebuilt({**described(encoder), **changed}, Stored(network_arrays(encoder.network), "shop.safetensors"))


@pytest.mark.parametrize("about", [None, [], "resnet18", {}])
def test_what_describes_nothing_is_refused(encoder: Encoder, about: object) -> None:
    with pytest.raises(UserError, match="does not say what its encoder is"):
        rebuilt(about, Stored(network_arrays(encoder.network)))


def test_the_layout_of_convolutions_is_kept() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    again = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    restore_network(again, Stored(network_arrays(network)))
    assert again[0].weight.is_contiguous(memory_format=torch.channels_last) and not again[0].weight.is_contiguous()
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in again.state_dict().items())
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    restore_network(plain, Stored(network_arrays(plain)))
    assert plain[0].weight.is_contiguous()


def test_tensors_of_another_network_are_refused() -> None:
    arrays = network_arrays(nn.Linear(3, 2))
    with pytest.raises(UserError, match=r"the array weight is float32 \(2, 3\), not float32 \(2, 4\)"):
        restore_network(nn.Linear(4, 2), Stored(arrays))
    with pytest.raises(UserError, match="there is no array bias"):
        restore_network(nn.Linear(3, 2), Stored({name: array for name, array in arrays.items() if name != "bias"}))
    halved = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in arrays.items()}
    with pytest.raises(UserError, match=r"is float16 \(2, 3\), not float32"):
        restore_network(nn.Linear(3, 2), Stored(halved))


@pytest.mark.parametrize("widths", [[5, 3], [5, 7, 3], [5, 7, 6, 3]])
def test_layers_are_of_the_widths_with_dropout_between(widths: list[int]) -> None:
    network = layered(nn.Identity(), widths)
    linear = [(layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)]
    assert linear == list(pairwise(widths))
    assert [layer.p for layer in network if isinstance(layer, nn.Dropout)] == [DROPOUT] * (len(widths) - 2)
    assert network(torch.zeros(2, 5)).shape == (2, 3) and isinstance(network[-1], nn.Linear), "nothing behind the scores"
