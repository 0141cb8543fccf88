"""Accuracy on the images held out, while training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from repr.arrays import Ints, Pixels
from repr.methods.method import Method
from repr.training.precision import autocast

SHOWN = 1000  # training images from which class means are taken

Check = Callable[[], None]


@torch.inference_mode()
def features(method: Method, pixels: Pixels | Tensor, positions: Ints, device: torch.device, check: Check, *, batch: int = 256) -> Tensor:
    """(n, dim) float32 features of images at `positions`, the evaluation transform, network in its present mode.

    check: called between batches; may raise to break off.
    """
    parts = []
    for first in range(0, len(positions), batch):
        check()
        chosen = positions[first : first + batch]
        part = pixels[torch.from_numpy(chosen).to(pixels.device)] if isinstance(pixels, Tensor) else torch.from_numpy(pixels[chosen])
        with autocast(device, method.encoder):
            parts.append(method.encoder.encode(part.to(device)).float())
    return torch.cat(parts)


def accuracy(
    method: Method,
    pixels: Pixels | Tensor,
    train: tuple[Ints, Ints],
    val: tuple[Ints, Ints],
    device: torch.device,
    check: Check,
) -> dict[str, float]:
    """Shares of the held-out images that are right: {"val_acc"} of the method's classifier, or {"val_ncm"} of nearest class means.

    train, val: positions and labels. Class means (cosine, of at most SHOWN training images) speak for methods without a
    classifier; a held-out image whose class is not among them counts as wrong. Empty when nothing is held out.
    """
    if not len(val[0]):
        return {}
    was_training = method.training
    method.eval()
    try:
        x = features(method, pixels, val[0], device, check)
        y = torch.from_numpy(val[1]).to(device)
        with torch.inference_mode():
            logits = method.logits(x)
        if logits is not None:
            return {"val_acc": float((logits.argmax(dim=1) == y).double().mean())}
        labelled = np.flatnonzero(train[1] >= 0)
        if not len(labelled):
            return {}
        chosen = labelled[np.linspace(0, len(labelled) - 1, min(SHOWN, len(labelled))).astype(np.int64)]
        shown = features(method, pixels, train[0][chosen], device, check)
        return {"val_ncm": nearest_mean(shown, torch.from_numpy(train[1][chosen]).to(device), x, y)}
    finally:
        method.train(was_training)


def nearest_mean(x: Tensor, y: Tensor, queries: Tensor, truth: Tensor) -> float:
    """Share of queries (m, d) whose nearest class mean of x (n, d), by cosine, is the true one; y, truth: int64 labels."""
    unit = torch.nn.functional.normalize(x, dim=1)
    means = torch.zeros(int(max(y.max(), truth.max())) + 1, x.shape[1], device=x.device).index_add_(0, y, unit)
    scores = queries @ torch.nn.functional.normalize(means, dim=1).T
    scores[:, means.abs().sum(dim=1) == 0] = -torch.inf
    return float((scores.argmax(dim=1) == truth).double().mean())
