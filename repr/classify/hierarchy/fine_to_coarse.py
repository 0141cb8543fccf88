"""Fine to coarse: the finest level comes first, and each coarser one builds on it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.classify.hierarchy.blocks import HIDDEN, chain


class FineToCoarse(nn.Module):
    """Features (b, dim) → logits of each level, coarse first.

    h_L = block(x), h_l = block([x, h_{l+1}]), logits_l = linear(h_l). x reaches every level directly: the skip connection.
    Our design, after the name and text of Fig. 10.
    """

    def __init__(self, dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.up = chain(dim, len(widths))
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, width) for width in reversed(widths))

    def forward(self, features: Tensor) -> list[Tensor]:
        """One (b, width) a level."""
        logits: list[Tensor] = []
        given = features
        for step, head in zip(self.up, self.heads, strict=True):
            state = step(given)
            logits.append(head(state))
            given = torch.cat([features, state], dim=1)
        return logits[::-1]
