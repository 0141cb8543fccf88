"""What is noticed while training: a loss that says nothing, embeddings that collapse, a loop that waits for images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# All ours. The project's own runs (resnet18, batches of 64, 4 to 40 epochs) had spreads of 0.43 to 0.90 and ranks of 40 to 61.
STARVED = 0.05  # share of the time: the project's bar for the data path
STUCK = 0.02  # share by which the loss must be below its trivial value: more than views and batches move the mean of many steps
# After the warm-up a loss may stay there for three epochs, in which every image is seen three times; where epochs are long for as many
# steps as a few epochs of some ten thousand images have; in a short run for a third of it, but not for fewer steps than tell anything.
STUCK_EPOCHS, STUCK_STEPS, STUCK_SHARE, STUCK_LEAST = 3, 2000, 1 / 3, 10
COLLAPSED_STD = 0.05  # of a spread of 1 for vectors that point everywhere: an eighth of the least seen in a healthy run
COLLAPSED_RANK = 1.5  # between one direction and two equal ones; of a few rows at most half of the most they could have


def spread(features: Tensor) -> float:
    """Standard deviation of the L2-normalised features (n, d), mean over the d numbers, times sqrt(d).

    1 for directions spread evenly over the sphere, 0 when all are the same (the measure of SimSiam, Chen and He 2020, section 4.1).
    """
    unit = torch.nn.functional.normalize(features.float(), dim=1)
    return float(unit.std(dim=0, unbiased=False).mean() * math.sqrt(features.shape[1]))


def effective_rank(features: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred features (n, d): 1 to min(n - 1, d).

    Roy and Vetterli, The effective rank, 2007. 0 when all rows are the same.
    """
    centred = features.float() - features.float().mean(dim=0)
    if len(centred) > 2 * centred.shape[1]:  # many rows: the eigenvalues of their products, in a third of the time, are the squares
        centred = centred.double()
        values = torch.linalg.eigvalsh(centred.T @ centred).clamp(min=0).sqrt()
    else:
        values = torch.linalg.svdvals(centred)
    total = values.sum()
    if float(total) <= 1e-6 * math.sqrt(features.numel()):
        return 0.0
    share = values / total
    return float(torch.exp(-(share * share.clamp(min=1e-12).log()).sum()))


def patience(total: int, an_epoch: int) -> int:
    """Steps after the warm-up from which a loss is judged to be stuck. total, an_epoch: steps of the run and of an epoch."""
    return max(STUCK_LEAST, min(STUCK_EPOCHS * an_epoch, STUCK_STEPS, round(STUCK_SHARE * total)))


def judge(
    *, settled: bool, loss: float, trivial: float | None, std: float, rank: float, rows: int, data_wait: float, seconds: float
) -> dict[str, str]:
    """Sentences for the person at the terminal by their kind: "stuck", "collapsed", "waiting"; none when all is well.

    settled: whether warm-up and `patience` are over. loss: mean of the epoch so far. trivial: that of a network that tells nothing
    apart. std, rank: `spread` and `effective_rank` of a batch of `rows`. data_wait: share of `seconds`, the epoch's time so far.
    """
    alarms = {}
    if settled and trivial is not None and loss > (1 - STUCK) * trivial:
        alarms["stuck"] = (
            f"the loss ({loss:.3f}) is stuck, no better than {trivial:.3f}, which a network that tells nothing apart has: "
            "try a lower learning rate, weaker views or `init` imagenet"
        )
    if std < COLLAPSED_STD or rank < min(COLLAPSED_RANK, (rows - 1) / 2):
        alarms["collapsed"] = (
            f"the embeddings collapse (spread {std:.3f} of 1, effective rank {rank:.1f}): lower the learning rate, raise the batch size "
            "or take another method"
        )
    if data_wait > STARVED and seconds > 2:
        alarms["waiting"] = (
            f"the loop waits for images {data_wait:.0%} of the time: the disk is slow; put the cache ($REPR_CACHE) on a faster one"
        )
    return alarms
