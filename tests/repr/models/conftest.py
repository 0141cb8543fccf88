"""Weights as training leaves them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repr.models.provenance import Data, Images, Provenance, Record
from repr.models.weights import Weights, fresh, load_encoder, weights_of

CLASSES = ("tea", "茶", "coffee")


@pytest.fixture(scope="session")
def trained() -> Weights:
    """A resnet18 with a head, batch-norm statistics that are not those of the start, and a record of a training on the synthetic shop."""
    encoder = load_encoder(fresh("resnet18", 32, 0))
    encoder.train()
    encoder.encode(torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))
    torch.manual_seed(3)
    head = nn.Linear(512, len(CLASSES))
    record = Record("supervised", data=(Data("shop", Images(8), Images(10), synthetic=True),), settings={"lr": 0.1}, seed=0)
    return weights_of(encoder, head=head, classes=CLASSES, provenance=Provenance.of(record), name="first")
