"""Fine to coarse: the finest level comes first, and each coarser one builds on it."""

from __future__ import annotations

from torch import Tensor, nn

from repr.classify.hierarchy.blocks import HIDDEN, chain, states


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
        return [head(state) for head, state in zip(self.heads, states(self.up, features), strict=True)][::-1]
