"""Fusion by attention: a weight for each modality of each row, from both vectors, softmax over the two; their weighted sum, the classes.

The attention of Bahdanau, Cho and Bengio, ICLR 2015, equations 5 and 6, over two "positions": score = v · tanh(W x). Bi, Wang and Fan
(SIGIR eCom 2020, section 3.3.1) tried "an attention mechanism" and do not say which.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """(b, width), (b, width) → (b, classes)."""

    WIDTH: ClassVar[int] = 512

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.hidden, self.score = nn.Linear(width, width), nn.Linear(width, 1, bias=False)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, classes))

    def weights(self, image: Tensor, text: Tensor) -> Tensor:
        """(b, 2) that sum to one."""
        both = torch.stack([image, text], dim=1)
        return torch.softmax(self.score(torch.tanh(self.hidden(both)))[..., 0], dim=1)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """The logits."""
        weights = self.weights(image, text)
        logits: Tensor = self.head(weights[:, :1] * image + weights[:, 1:] * text)
        return logits
