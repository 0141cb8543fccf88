"""Low-rank fusion: tensor fusion followed by a linear layer whose weight tensor is a sum of `rank` outer products.

Liu et al., Efficient Low-rank Multimodal Fusion with Modality-Specific Factors, ACL 2018, with two modalities:
h = Σ_i (W_i [image; 1]) ∘ (V_i [text; 1]), without ever making the tensor.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


def low_rank_fusion(image: Tensor, text: Tensor, image_factors: Tensor, text_factors: Tensor) -> Tensor:
    """(b, m), (b, n) with factors (rank, m + 1, h), (rank, n + 1, h) → (b, h)."""
    image_part = torch.matmul(pad(image, (0, 1), value=1.0), image_factors)
    text_part = torch.matmul(pad(text, (0, 1), value=1.0), text_factors)
    return (image_part * text_part).sum(dim=0)


class LowRankFusion(nn.Module):
    """(b, width), (b, width) → (b, classes)."""

    WIDTH: ClassVar[int] = 512
    HIDDEN: ClassVar[int] = 256
    RANK: ClassVar[int] = 4  # not searched for

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.image_factors = nn.Parameter(torch.empty(self.RANK, width + 1, self.HIDDEN))
        self.text_factors = nn.Parameter(torch.empty(self.RANK, width + 1, self.HIDDEN))
        for factors in (self.image_factors, self.text_factors):
            for factor in factors:
                nn.init.xavier_normal_(factor)
        self.bias = nn.Parameter(torch.zeros(self.HIDDEN))
        self.head = nn.Linear(self.HIDDEN, classes)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """The logits."""
        fused = low_rank_fusion(image, text, self.image_factors, self.text_factors) + self.bias
        logits: Tensor = self.head(torch.relu(fused))
        return logits
