"""Coarse and fine: one pass down the levels, one up, and each level sees both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.classify.hierarchy.blocks import HIDDEN, chain, states


class CoarseAndFine(nn.Module):
    """Features (b, dim) → logits of each level, coarse first.

    Downwards d_1 = block(x), d_l = block([x, d_{l-1}]); upwards u_L = block(x), u_l = block([x, u_{l+1}]);
    logits_l = linear([d_l, u_l]). x reaches every step directly: the skip connection. Our design, after the name and text of Fig. 10.
    """

    def __init__(self, dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.down, self.up = chain(dim, len(widths)), chain(dim, len(widths))
        self.heads = nn.ModuleList(nn.Linear(2 * HIDDEN, width) for width in widths)

    def forward(self, features: Tensor) -> list[Tensor]:
        """One (b, width) a level."""
        down, up = states(self.down, features), states(self.up, features)[::-1]
        return [head(torch.cat(pair, dim=1)) for head, *pair in zip(self.heads, down, up, strict=True)]
