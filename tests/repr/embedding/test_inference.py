"""A network made ready for inference: folded, it gives the same features; the one it was made from stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from repr.embedding.embedder import Embedder
from repr.embedding.inference import piece, prepared
from repr.models.backbones import BACKBONES, build
from repr.models.encoder import Encoder


def shaken(network: nn.Module, seed: int) -> nn.Module:
    """Batch norms as after some training: nothing in them is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
            ):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high, generator=generator)
    return network


@pytest.mark.parametrize("arch", [arch for arch in BACKBONES if arch not in ("resnet34", "resnet101", "resnet152", "vgg19")])
def test_folding_changes_no_feature(arch: str) -> None:
    size = 75 if arch == "inception_v3" else 32
    encoder = Encoder(shaken(build(arch, seed=torch.Generator().manual_seed(0)), 1), arch, size).eval()
    batch = torch.randint(0, 256, (5, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = encoder.encode(batch)
    fast = prepared(encoder, torch.device("cpu"))
    with torch.inference_mode():
        features = fast.encode(batch)
    folded = [module for module in fast.network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(folded) < len([module for module in encoder.network.modules() if isinstance(module, nn.BatchNorm2d)])
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_the_encoder_stays_as_it_was_and_pieces_are_joined_in_order() -> None:
    encoder = Encoder(build("resnet18", seed=torch.Generator().manual_seed(0)), "resnet18", 224).train()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    batch = torch.randint(0, 256, (9, 224, 224, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    assert piece(encoder) == 4, "9 images of this size are three pieces"
    embedder = Embedder(encoder, device="cpu")
    np.testing.assert_allclose(embedder.features(batch.numpy())[7:8], embedder.features(batch[7:8].numpy()), rtol=1e-4, atol=1e-5)
    assert encoder.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


def test_of_big_images_a_piece_is_one() -> None:
    encoder = Encoder(build("resnet18", seed=torch.Generator().manual_seed(0)), "resnet18", 2000)
    assert piece(encoder) == 1
