"""Small encoders, so that a step takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from repr.images.views import preset
from repr.methods import METHODS, load
from repr.methods.method import Method
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder

torch.set_num_threads(1)  # on a busy machine two threads wait for each other


@pytest.fixture
def encoder() -> Encoder:
    """A fresh ResNet-18 for 32 px, in training mode."""
    return load_encoder(fresh("resnet18", 32, 0)).train()


@pytest.fixture
def bare(encoder: Encoder) -> Callable[..., Method]:
    """A function (method, **settings) that makes it with networks that pass everything through: its loss is of the very views."""

    def make(name: str, **settings: Any) -> Method:
        torch.manual_seed(0)  # of MoCo's queue
        method = load(name)(encoder, 16, preset("supervised", 32), METHODS[name].settings(**settings))
        for part, _ in list(method.named_children()):
            if part != "criterion":
                setattr(method, part, nn.Identity())
        return method

    return make
