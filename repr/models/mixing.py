"""Interpolation of weights: between a start and what further training made of it there is often a point better than both."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from repr.errors import UserError
from repr.models.architecture import called
from repr.models.encoder import Encoder
from repr.models.provenance import MIX, Provenance, Record, versions
from repr.models.weights import Weights


def mix(a: Weights, b: Weights, alpha: float) -> Weights:
    """Weights between two of one architecture: (1 - alpha) a + alpha b (WiSE-FT, Wortsman et al., CVPR 2022, equation 1).

    Batch-norm statistics are interpolated too; `repr.models.batchnorm` measures them anew. The head is kept only when both have
    the same classes. Image size: the larger one; crops: those of `a`, else of `b`; the frame is that of `a`. Raises UserError when
    architecture or normalisation differ, or alpha is not in 0..1.
    """
    if not 0 <= alpha <= 1:
        raise UserError(f"an alpha of {alpha}", "", "Give a number from 0 (all of the first) to 1 (all of the second)", argument="alpha")
    if a.arch != b.arch:
        raise UserError(f"cannot mix {called(a.arch)} with {called(b.arch)}", f"{a.name}, {b.name}", "Mix weights of one architecture")
    if a.mean != b.mean or a.std != b.std:
        raise UserError("the two normalise images differently", f"{a.name}, {b.name}", "Mix weights that share a start")
    record = Record(MIX, (a.as_parent(1 - alpha), b.as_parent(alpha)), versions=versions())
    provenance = Provenance.of(record, a.provenance, b.provenance)
    if a.classes != b.classes:
        a, b = a.headless(), b.headless()
    return Weights(
        _between(a.tensors, b.tensors, alpha),
        a.arch,
        max(a.size, b.size),
        a.mean,
        a.std,
        a.classes,
        provenance,
        name=f"{a.name}+{alpha:g} {b.name}",
        crops=a.crops or b.crops,
        frame=a.frame,
        licence=a.licence if a.licence == b.licence else "",
    )


def between(a: Encoder, b: Encoder, alpha: float) -> Encoder:
    """`mix` of two encoders of one architecture in memory: a copy of `a` whose network is (1 - alpha) a + alpha b."""
    assert a.arch == b.arch and 0 <= alpha <= 1
    mixed = copy.deepcopy(a)
    theirs = {name: tensor.to(next(a.parameters()).device) for name, tensor in b.network.state_dict().items()}
    mixed.network.load_state_dict(_between(a.network.state_dict(), theirs, alpha))
    return mixed


def _between(a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    return {name: torch.lerp(value, b[name], alpha) if value.is_floating_point() else value.clone() for name, value in a.items()}
