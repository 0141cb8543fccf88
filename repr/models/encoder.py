"""The encoder: a backbone without its head, together with all that must be known to use it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from repr.crops import WHOLE, checked
from repr.images.frames import Frame
from repr.images.views import middle, plain
from repr.models.backbones import backbone


class Encoder(nn.Module):
    """Images in 0..1 → pooled features.

    network: the backbone with an Identity head; arch, dim, depthwise: its architecture, feature width, and whether most of its
    convolutions are depthwise; size: the side in pixels it sees; crops: the shares of the image that it sees of that size and averages
    when it embeds (`repr.crops`); mean, std: its normalisation, by default the architecture's usual; frame: how images are made square
    before, None for our way; name, identity, synthetic: of the weights it was made from.
    """

    def __init__(
        self,
        network: nn.Module,
        arch: str,
        size: int,
        *,
        crops: tuple[float, ...] = WHOLE,
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        name: str = "none",
        identity: str = "",
        synthetic: bool = False,
        frame: Frame | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.arch = arch
        self.dim, self.depthwise = backbone(arch).dim, backbone(arch).depthwise
        self.size = size
        self.crops = checked(crops)
        self.mean = tuple(mean) or backbone(arch).mean
        self.std = tuple(std) or backbone(arch).std
        self.name = name
        self.identity = identity
        self.synthetic = synthetic
        self.frame = frame
        # Not in the state dict: they belong to the weights' metadata.
        self.register_buffer("_shift", torch.tensor(self.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_scale", torch.tensor(self.std).view(1, 3, 1, 1), persistent=False)
        self._shift: Tensor
        self._scale: Tensor

    @property
    def side(self) -> int:
        """Side in pixels of the squares that hold enough for its closest crop."""
        return math.ceil(self.size / min(self.crops))

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, s, s) float in 0..1, any side s → (b, dim). Normalises by mean and std inside."""
        features: Tensor = self.network((images - self._shift) / self._scale)
        return features

    def encode(self, batch: Tensor) -> Tensor:
        """(b, h, h, 3) uint8 → (b, dim), averaged over the crops, which go through the network together."""
        looks = self.centre_crops(batch)
        if len(looks) == 1:
            return self.forward(looks[0])
        return self.forward(torch.cat(looks)).reshape(len(looks), len(batch), self.dim).mean(dim=0)

    def centre_crops(self, batch: Tensor) -> list[Tensor]:
        """What the network sees of (b, h, h, 3) uint8 when it embeds: (b, 3, size, size) a crop, through the transform `plain`."""
        return [plain(middle(batch, crop), self.size) for crop in self.crops]
