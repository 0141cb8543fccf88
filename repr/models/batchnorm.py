"""Batch norm's statistics measured anew, which an interpolation of weights does not have right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from repr.errors import UserError
from repr.models.provenance import STATISTICS, Learned, Provenance, Record, versions
from repr.models.weights import Weights, load_encoder


def reestimate_batchnorm(weights: Weights, batches: Iterable[Tensor], learned: Learned, *, device: str | torch.device = "cpu") -> Weights:
    """The same weights with batch-norm means and variances measured on images: (b, h, h, 3) uint8 batches, seen as they are
    embedded, in all crops. learned: what these images are, for the record (`learned_from`): they leave their mark on the weights.

    The statistics are the plain averages over the batches (as in stochastic weight averaging, Izmailov et al., UAI 2018,
    section 3.2), so give batches of one size. Raises UserError when there are no images, or one in a batch.
    """
    encoder = load_encoder(weights, device=device)
    norms = [module for module in encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    images = 0
    with torch.inference_mode():
        for batch in batches:
            if norms and len(batch) == 1:
                raise UserError("one image has no batch statistics to measure", weights.name, "Give two training images or more")
            looks = [encoder.look(batch.to(device), crop) for crop in encoder.crops]
            encoder.forward(torch.cat(looks))  # at once: the variance between crops is part of it
            images += len(batch)
    if norms and not images:
        raise UserError("no images to measure batch-norm statistics on", weights.name, "Give training images with `data`")
    measured = {name: tensor.to("cpu", copy=True) for name, tensor in encoder.network.state_dict().items()}
    record = Record(STATISTICS, (weights.as_parent(),), learned.data, {"images": images}, versions=versions())
    provenance = Provenance.of(record, weights.provenance, hashes=learned.hashes)
    return replace(weights, tensors={**weights.tensors, **measured}, provenance=provenance)
