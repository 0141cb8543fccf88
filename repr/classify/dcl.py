"""Destruction and construction learning for fine-grained images: tiles shuffled, seen through, and put back.

Chen, Bai, Zhang and Mei, Destruction and Construction Learning for Fine-Grained Image Recognition, CVPR 2019 (no relation to the decoupled
contrastive loss). Beside each image its shuffled copy: both are classified (their equation 2), a head tells them apart (equation 4; in the
authors' code over 2 × classes, or over 2), and a 1 × 1 convolution says where each tile came from (equations 5 to 7). The target is the
permutation that was drawn; the authors' code guesses it from the tiles' colours, which are all alike on white grounds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, interpolate

from repr.errors import UserError
from repr.models.encoder import Encoder
from repr.training.optim import learn_faster
from repr.training.precision import autocast

REACH = 2  # tiles that one is moved, at most, along its row and along its column: the authors' code
FASTER = 10  # times the rate, of the new layers: the authors' code


def permutation(grid: int, reach: int, generator: torch.Generator) -> Tensor:
    """(grid², ) where the tile at each place of the shuffled image comes from, both row by row.

    Section 3.1: in every row places are sorted by i + r, r uniform in (-reach, reach); then in every column.
    """
    places = torch.arange(grid).expand(grid, grid)
    rows = (places + reach * (2 * torch.rand(grid, grid, generator=generator) - 1)).argsort(dim=1)
    columns = (places + reach * (2 * torch.rand(grid, grid, generator=generator) - 1)).argsort(dim=1).T
    tiles = torch.arange(grid * grid).view(grid, grid)
    return tiles.gather(1, rows).gather(0, columns).reshape(-1)


def shuffled(images: Tensor, order: Tensor) -> Tensor:
    """(b, 3, s, s) with the tile at place p taken from place order[b, p]; order: (b, grid²). Sides that the grid does not divide are
    stretched to the next that it does, and back."""
    batch, _, side, _ = images.shape
    grid = round(order.shape[1] ** 0.5)
    tile = -(-side // grid)
    whole = images if tile * grid == side else interpolate(images, size=tile * grid, mode="bilinear", align_corners=False)
    tiles = whole.unfold(2, tile, tile).unfold(3, tile, tile).reshape(batch, 3, grid * grid, tile, tile)
    moved = tiles.gather(2, order.to(images.device)[:, None, :, None, None].expand_as(tiles))
    copies = moved.view(batch, 3, grid, grid, tile, tile).permute(0, 1, 2, 4, 3, 5).reshape(batch, 3, tile * grid, tile * grid)
    return copies if tile * grid == side else interpolate(copies, size=side, mode="bilinear", align_corners=False)


def coordinates(order: Tensor, grid: int) -> Tensor:
    """(b, 2, grid, grid) row and column, -1 to 1, of the place where each tile came from; order: (b, grid²)."""
    last = max(grid - 1, 1)
    both = torch.stack([torch.div(order, grid, rounding_mode="floor"), order % grid], dim=1)
    return (2 * both / last - 1).view(len(order), 2, grid, grid)


class Answers(NamedTuple):
    """Of one batch of images, or of their copies: (b, c) class logits, (b, 2c or 2) of the adversary, (b, 2, g, g) places."""

    classes: Tensor
    adversary: Tensor
    places: Tensor


class Construction(nn.Module):
    """Images (b, 3, s, s) → logits (b, c): those of the class, and where the adversary has 2c those of both its halves, summed.

    both: whether the adversary names the class too, or only which image is shuffled. generator: of the permutations, on the CPU.
    Raises UserError for a network without a map of features before its pooling.
    """

    where: nn.Conv2d
    _generator: torch.Generator

    def __init__(self, encoder: Encoder, classes: int, grid: int, *, both: bool, generator: torch.Generator) -> None:
        super().__init__()
        pools = [one for one in encoder.modules() if isinstance(one, nn.AdaptiveAvgPool2d) or type(one).__name__ == "SelectAdaptivePool2d"]
        if not pools:
            raise UserError(f"{encoder.arch} has no map of features", "", "Choose a convolutional network, or leave `method` out")
        self.encoder, self.classes, self.grid, self.both = encoder, classes, grid, both
        self.head, self.adversary = nn.Linear(encoder.dim, classes), nn.Linear(encoder.dim, 2 * classes if both else 2)
        self.maps: Tensor | None = None
        pools[-1].register_forward_pre_hook(self._keep)
        with torch.no_grad():
            encoder(torch.zeros(1, 3, encoder.size, encoder.size, device=next(encoder.parameters()).device))
        assert self.maps is not None
        self.where = nn.Conv2d(self.maps.shape[1], 2, 1)
        self._generator = generator
        for new in (self.head, self.adversary, self.where):
            learn_faster(new, FASTER)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.maps = inputs[0]

    def answers(self, images: Tensor) -> Answers:
        """What all heads say."""
        with autocast(images.device, self.encoder):
            features = self.encoder(images).float()
        assert self.maps is not None
        places = torch.tanh(adaptive_avg_pool2d(self.where(self.maps.float()), self.grid))
        return Answers(self.head(features), self.adversary(features), places)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The sum of the three losses on images and their shuffled copies."""
        batch, count = len(images), self.grid**2
        order = torch.stack([permutation(self.grid, REACH, self._generator) for _ in range(batch)])
        original = torch.arange(count).expand(batch, count)
        plain, copies = self.answers(images), self.answers(shuffled(images, order))
        return losses(plain, copies, labels, original, order, both=self.both)

    def forward(self, images: Tensor) -> Tensor:
        """The logits that are measured; in training nobody looks at them."""
        if self.training:
            return images.new_zeros(len(images), self.classes)
        answers = self.answers(images)
        if not self.both:
            return answers.classes
        return answers.classes + answers.adversary[:, : self.classes] + answers.adversary[:, self.classes :]


def losses(plain: Answers, copies: Answers, labels: Tensor, original: Tensor, order: Tensor, *, both: bool) -> Tensor:
    """Classification, destruction and construction, each with weight 1. labels: (b,); original, order: (b, grid²)."""
    classes = plain.classes.shape[1]
    destroyed = (labels, labels + classes) if both else (torch.zeros_like(labels), torch.ones_like(labels))
    total = labels.new_zeros((), dtype=torch.float32)
    for answers, truth, came in ((plain, destroyed[0], original), (copies, destroyed[1], order)):
        target = coordinates(came, answers.places.shape[-1]).to(answers.places.device)
        total = total + cross_entropy(answers.classes, labels) + cross_entropy(answers.adversary, truth)
        total = total + (answers.places - target).abs().mean()
    return total / 2
