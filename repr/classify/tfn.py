"""Tensor fusion: the outer product of both vectors, each with a 1 appended, so that single and joint terms are all there.

Zadeh et al., Tensor Fusion Network for Multimodal Sentiment Analysis, EMNLP 2017, its tensor fusion layer, for two modalities.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


def tensor_fusion(image: Tensor, text: Tensor) -> Tensor:
    """(b, m), (b, n) → (b, (m + 1) (n + 1)): z = [image; 1] ⊗ [text; 1], flattened."""
    return torch.bmm(pad(image, (0, 1), value=1.0)[:, :, None], pad(text, (0, 1), value=1.0)[:, None, :]).flatten(1)


class TensorFusion(nn.Module):
    """(b, width), (b, width) → (b, classes). The width is small, for the product is square in it."""

    WIDTH: ClassVar[int] = 64
    HIDDEN: ClassVar[int] = 256

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        hidden = nn.Linear((width + 1) ** 2, self.HIDDEN)
        self.layers = nn.Sequential(hidden, nn.ReLU(), nn.Dropout(0.3), nn.Linear(self.HIDDEN, classes))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.layers(tensor_fusion(image, text))
        return logits
