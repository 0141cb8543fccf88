"""Coarse to fine: what a level has worked out is handed down to the next finer one."""

from __future__ import annotations

from torch import Tensor, nn

from repr.classify.hierarchy.blocks import HIDDEN, chain, states


class CoarseToFine(nn.Module):
    """Features (b, dim) → logits of each level, coarse first.

    h_1 = block(x), h_l = block([x, h_{l-1}]), logits_l = linear(h_l). x reaches every level directly: the skip connection.
    Under the joint loss the coarse block is also trained by the finer levels' errors. Our design, after the name and text of Fig. 10.
    """

    def __init__(self, dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.down = chain(dim, len(widths))
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, width) for width in widths)

    def forward(self, features: Tensor) -> list[Tensor]:
        """One (b, width) a level."""
        return [head(state) for head, state in zip(self.heads, states(self.down, features), strict=True)]
