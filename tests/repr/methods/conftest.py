"""Small encoders, so that a step takes milliseconds."""

from __future__ import annotations

import pytest
import torch

from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder

torch.set_num_threads(1)  # on a busy machine two threads wait for each other


@pytest.fixture
def encoder() -> Encoder:
    """A fresh ResNet-18 for 32 px, in training mode."""
    return load_encoder(fresh("resnet18", 32, 0)).train()
