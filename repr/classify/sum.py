"""Fusion by summation: both vectors, projected to one width, added; one hidden layer, the classes."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Sum(nn.Module):
    """(b, width), (b, width) → (b, classes)."""

    WIDTH: ClassVar[int] = 512

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, classes))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.layers(image + text)
        return logits
