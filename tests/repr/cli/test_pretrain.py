from __future__ import annotations

from repr.cli.pretrain import ARCHS
from repr.models.backbones import BACKBONES


def test_every_network_can_be_pretrained() -> None:
    assert tuple(BACKBONES) == ARCHS  # spelled out there, so that --help need not wait for PyTorch
