"""The comparison: every level has a net of its own, and none knows of the others."""

from __future__ import annotations

from torch import Tensor, nn

from repr.classify.hierarchy.blocks import HIDDEN, block


class Flat(nn.Module):
    """Features (b, dim) → logits of each level, coarse first, by one block and one linear layer a level; nothing is shared."""

    def __init__(self, dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(block(dim) for _ in widths)
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, width) for width in widths)

    def forward(self, features: Tensor) -> list[Tensor]:
        """One (b, width) a level."""
        return [head(own(features)) for own, head in zip(self.blocks, self.heads, strict=True)]
