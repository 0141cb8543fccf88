"""A recurrent net over the levels, after Guo et al."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.classify.hierarchy.blocks import HIDDEN, block


class Recurrent(nn.Module):
    """Features (b, dim) → logits of each level, coarse first, by one LSTM cell that takes a step a level.

    Guo, Liu, Bakker, Guo and Lew, CNN-RNN: a large-scale hierarchical image classification framework, Multimedia Tools and
    Applications 77 (2018): image features go into an LSTM that emits the labels coarse to fine and reads its last label.
    Here every step reads the projected features again (a skip connection) and, in place of one label, the mean label vector under
    the last level's probabilities, so that training and predicting do the same and rows without a coarse label need no care.
    """

    def __init__(self, dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = block(dim)
        self.cell = nn.LSTMCell(2 * HIDDEN, HIDDEN)
        self.labels = nn.ModuleList(nn.Linear(width, HIDDEN, bias=False) for width in widths[:-1])  # columns are label vectors
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, width) for width in widths)

    def forward(self, features: Tensor) -> list[Tensor]:
        """One (b, width) a level."""
        stem = self.stem(features)
        state = (torch.zeros_like(stem), torch.zeros_like(stem))
        label = torch.zeros_like(stem)
        logits: list[Tensor] = []
        for level, head in enumerate(self.heads):
            state = self.cell(torch.cat([stem, label], dim=1), state)
            logits.append(head(state[0]))
            if level < len(self.labels):
                label = self.labels[level](logits[-1].softmax(dim=1))
        return logits
