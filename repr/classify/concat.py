"""Fusion by concatenation: both vectors side by side, one hidden layer, the classes (MEP-3M's VGG + BiLSTM row)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class Concat(nn.Module):
    """(b, width), (b, width) → (b, classes)."""

    WIDTH: ClassVar[int] = 512

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, classes))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.layers(torch.cat([image, text], dim=1))
        return logits
