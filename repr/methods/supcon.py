"""SupCon: images of one class attract each other, all others of the batch repel.

Khosla et al. 2020, Supervised Contrastive Learning, https://arxiv.org/abs/2004.11362, equation 2 (the mean over the positives
outside the logarithm), without the factor T / T_base of HobbitLong/SupContrast, which is 1 at its defaults.
"""

from __future__ import annotations

import math

import torch
from lightly.utils.dist import gather, world_size
from torch import Tensor
from torch.nn.functional import normalize

from repr.images.views import Views
from repr.methods import heads
from repr.methods.method import Method, in_float32
from repr.methods.recipe import Recipe
from repr.methods.settings import SupConSettings
from repr.models.encoder import Encoder


class SupCon(Method):
    """temperature: 0.1, as the paper (section 4.4) and SupContrast's README; positives and negatives come from all processes.

    A class of a single training image would have its own two views alone for positives, which teaches nothing of its class: it is
    refused before the run.
    """

    needs_labels = True
    needs_pairs = True
    # HobbitLong/SupContrast main_supcon.py: SGD 0.05 at a batch of 256, momentum 0.9, decay 1e-4, cosine, warm-up for large batches
    # (10 epochs), which does not hurt small ones. From weights: the same, a fine-tuning rate already.
    recipe = Recipe("sgd", lr=0.05, lr_from_weights=0.05, lr_rule="linear", weight_decay=1e-4, warmup=10)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: SupConSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.head = heads.moco(encoder.dim)  # SupContrast networks/resnet_big.py: the same two layers without batch norm
        self.temperature = settings.temperature

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """SupCon over the two views' projections, 2 b anchors."""
        features = [self.encoder(view) for view in views]
        projections = torch.cat([self.head(feature).float() for feature in features])
        with in_float32(projections):
            loss = supcon_loss(projections, labels.repeat(2), self.temperature)
        return loss, {"features": features[0].detach()}

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """All similarities equal: log of the number of others."""
        return math.log(2 * batch_size - 1)


def supcon_loss(projections: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over anchors i of -1/|P(i)| sum over p in P(i) of log( exp(z_i·z_p/T) / sum over a ≠ i of exp(z_i·z_a/T) ).

    projections: (n, d), normalised here; labels: int64 (n,). P(i): the other rows with i's label. Anchors without any are left
    out of the mean; without any anchor the loss is 0. Under distributed training the rows of all processes are compared with
    the own anchors, and the mean is taken so that the average over processes is the loss of the whole batch.
    """
    own = normalize(projections, dim=1)
    everyone, their_labels, first = own, labels, 0
    if world_size() > 1:
        everyone = torch.cat(gather(own))
        their_labels = torch.cat(gather(labels))
        first = torch.distributed.get_rank() * len(own)
    places = torch.arange(len(own), device=own.device) + first
    itself = places[:, None] == torch.arange(len(everyone), device=own.device)
    logits = (own @ everyone.T / temperature).masked_fill(itself, -torch.inf)
    positive = (labels[:, None] == their_labels) & ~itself
    log_share = logits - logits.logsumexp(dim=1, keepdim=True)
    n_positive = positive.sum(dim=1)
    each = -torch.where(positive, log_share, 0.0).sum(dim=1) / n_positive.clamp(min=1)
    anchors = (n_positive > 0).sum()
    if world_size() > 1:
        torch.distributed.all_reduce(anchors)
    loss: Tensor = each.sum() * world_size() / anchors.clamp(min=1)
    return loss
