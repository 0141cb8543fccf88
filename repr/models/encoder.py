"""The encoder: a backbone without its head, together with all that must be known to use it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.models.backbones import backbone
from repr.pictures.views import plain


class Encoder(nn.Module):
    """Pictures in 0..1 → pooled features.

    network: the backbone with an Identity head; arch, dim: its architecture and feature width; size: the side in pixels it
    sees; mean, std: its normalisation, by default the architecture's usual; name, identity, sample: of the weights it was made from.
    """

    def __init__(
        self,
        network: nn.Module,
        arch: str,
        size: int,
        *,
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        name: str = "none",
        identity: str = "",
        sample: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.arch = arch
        self.dim = backbone(arch).dim
        self.size = size
        self.mean = tuple(mean) or backbone(arch).mean
        self.std = tuple(std) or backbone(arch).std
        self.name = name
        self.identity = identity
        self.sample = sample
        # Not in the state dict: they belong to the weights' metadata.
        self.register_buffer("_shift", torch.tensor(self.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_scale", torch.tensor(self.std).view(1, 3, 1, 1), persistent=False)
        self._shift: Tensor
        self._scale: Tensor

    def forward(self, pictures: Tensor) -> Tensor:
        """(b, 3, s, s) float in 0..1, any side s → (b, dim). Normalises by mean and std inside."""
        features: Tensor = self.network((pictures - self._shift) / self._scale)
        return features

    def encode(self, batch: Tensor) -> Tensor:
        """(b, h, h, 3) uint8 → (b, dim), through the evaluation transform `plain`."""
        return self.forward(plain(batch, self.size))
