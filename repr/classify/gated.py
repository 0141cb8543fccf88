"""Gated fusion, today's simple baseline: a gate, seen from both vectors, weighs them number by number.

The gated multimodal unit of Arevalo et al., Gated Multimodal Units for Information Fusion, ICLR 2017 workshop, for two modalities.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class Gated(nn.Module):
    """(b, width), (b, width) → (b, classes): z = σ(G [image; text]), h = z ∘ tanh(A image) + (1 - z) ∘ tanh(B text)."""

    WIDTH: ClassVar[int] = 512

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.image, self.text = nn.Linear(width, width), nn.Linear(width, width)
        self.gate = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, classes)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """The logits."""
        gate = torch.sigmoid(self.gate(torch.cat([image, text], dim=1)))
        fused = gate * torch.tanh(self.image(image)) + (1 - gate) * torch.tanh(self.text(text))
        logits: Tensor = self.head(fused)
        return logits
