from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from repr.errors import UserError
from repr.models.backbones import backbone, build
from repr.models.encoder import Encoder


def test_it_resizes_normalises_and_pools() -> None:
    network = build("resnet18", seed=torch.Generator().manual_seed(0))
    encoder = Encoder(network, "resnet18", 48, name="a", identity="b", synthetic=True).eval()
    batch = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    resized = F.resize(batch.permute(0, 3, 1, 2).float() / 255, [48, 48], antialias=True)
    with torch.no_grad():
        expected = network(F.normalize(resized, list(backbone("resnet18").mean), list(backbone("resnet18").std)))
        torch.testing.assert_close(encoder.encode(batch), expected)
        torch.testing.assert_close(encoder(resized), expected)
    assert (encoder.dim, encoder.size, encoder.arch, encoder.name, encoder.identity, encoder.synthetic) == (
        512,
        48,
        "resnet18",
        "a",
        "b",
        True,
    )


def test_crops_are_averaged() -> None:
    encoder = Encoder(build("resnet18", seed=torch.Generator().manual_seed(0)), "resnet18", 32, crops=(0.5, 1, 0.3)).eval()
    assert encoder.side == 107  # 0.3 of it are 32
    batch = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    pixels = batch.permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        parts = [encoder(F.resize(F.center_crop(pixels, [side, side]), [32, 32], antialias=True)) for side in (64, 32, 19)]
        torch.testing.assert_close(encoder.encode(batch), (parts[0] + parts[1] + parts[2]) / 3)
        closer = Encoder(encoder.network, "resnet18", 32, crops=(0.5,)).eval()
        torch.testing.assert_close(closer.encode(batch), parts[1])
    with pytest.raises(UserError, match="make no sense"):
        Encoder(encoder.network, "resnet18", 32, crops=(1.5,))


def test_its_state_is_the_networks_alone() -> None:
    encoder = Encoder(build("resnet18"), "resnet18", 48, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert all(name.startswith("network.") for name in encoder.state_dict())
    assert encoder.mean == (0.5, 0.5, 0.5)
