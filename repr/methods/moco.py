"""MoCo v2: an image's view is told from a queue of earlier images' views, which a slowly following encoder made.

He et al. 2020, https://arxiv.org/abs/1911.05722; Chen et al. 2020, https://arxiv.org/abs/2003.04297. The queue is lightly's
memory bank by its meaning, kept here as a buffer so that a checkpoint carries it. Not the paper's: the batch is not shuffled
between devices before the key encoder (section 3.3). On GPUs batch norm is synchronised instead; processes on a CPU normalise
each over its own part of the batch.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch
from lightly.models.utils import concat_all_gather, update_momentum
from lightly.utils.dist import world_size
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from repr.errors import UserError
from repr.images.views import Views
from repr.methods import heads
from repr.methods.method import Method, in_float32
from repr.methods.recipe import Recipe
from repr.methods.settings import MethodSettings, MoCoSettings
from repr.models.encoder import Encoder

DIM = 128  # of the projections
QUEUE = 4096  # keys, where there are images enough


class MoCo(Method):
    """temperature: 0.2 (v2). queue: keys kept; 65,536 in the paper for 1.3 million images, here 4,096 for sets of thousands
    (by default at most half the images there are, so that few keys are of the query's own image; more than there are is refused).

    The key encoder follows with momentum 0.999 (the paper's). The queue starts with random directions, as the paper's code.
    """

    # lightly benchmarks/imagenet/resnet50/moco_v2.py and the paper: SGD 0.03 B/256, decay 1e-4, no warm-up.
    recipe = Recipe("sgd", lr=0.03, lr_from_weights=0.03, lr_rule="linear", weight_decay=1e-4, warmup=0)
    momentum = 0.999

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: MoCoSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.temperature = settings.temperature
        self.head = heads.moco(encoder.dim)
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.key_head = copy.deepcopy(self.head).requires_grad_(False)
        self.queue: Tensor
        self.register_buffer("queue", normalize(torch.randn(settings.queue or QUEUE, DIM), dim=1))
        self.place: Tensor
        self.register_buffer("place", torch.zeros((), dtype=torch.long))  # of the oldest key

    @classmethod
    def fitted(cls, settings: MethodSettings, images: int, batch: int) -> MethodSettings:
        """With a queue of QUEUE keys, or of half the images where there are fewer, unless one was chosen.

        Raises UserError for a longer one than there are images.
        """
        assert isinstance(settings, MoCoSettings)
        if settings.queue is None:
            return replace(settings, queue=min(QUEUE, max(batch, images // 2)))
        if settings.queue > max(batch, images):
            few = f"a queue of {settings.queue:,} for {images:,} images would hold each of them several times"
            raise UserError(few, "", f"Give queue={images // 2} or less, or leave it out", argument="method")
        return settings

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """InfoNCE of the first view's query against the second view's key and the queue; the keys then enter the queue."""
        features = self.encoder(views[0])
        queries = normalize(self.head(features).float(), dim=1)
        with torch.no_grad():
            keys = normalize(self.key_head(self.key_encoder(views[1])).float(), dim=1)
        with in_float32(queries):
            loss = info_nce(queries, keys, self.queue.clone(), self.temperature)
        self.enqueue(keys)
        return loss, {"features": features.detach()}

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Put the (b, 128) keys of every process in place of the oldest."""
        if world_size() > 1:
            keys = concat_all_gather(keys)
        keys = keys[-len(self.queue) :]
        self.queue[(self.place + torch.arange(len(keys), device=keys.device)) % len(self.queue)] = keys
        self.place.copy_((self.place + len(keys)) % len(self.queue))

    def after_step(self, progress: float) -> None:
        """The key encoder follows by 1 - momentum; its batch-norm statistics are its own."""
        update_momentum(self.encoder, self.key_encoder, self.momentum)
        update_momentum(self.head, self.key_head, self.momentum)

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """All similarities equal: log of the positive and the keys."""
        return math.log(1 + len(self.queue))


def info_nce(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Mean over i of -log( exp(q_i·k_i/T) / (exp(q_i·k_i/T) + sum_j exp(q_i·n_j/T)) ): He et al. 2020, equation 1.

    queries, keys: (b, d), negatives: (n, d), all L2-normalised. Without negatives the loss is 0.
    """
    positive = (queries * keys).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, queries @ negatives.T], dim=1) / temperature
    return cross_entropy(logits, torch.zeros(len(queries), dtype=torch.long, device=queries.device))
