"""A network as inference wants it: batch norms folded into the convolutions before them, and channels last.

On 2 cores with AVX-512, EfficientNet-Lite0 at 160 px in float32: 26 images a second as it comes in batches of 64, 73 channels
last, 110 folded too, 236 in pieces of 8 (medians of 6 turns in one process, 2026-11-21).
"""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from repr.models.backbones import BACKBONES

if TYPE_CHECKING:
    from repr.models.encoder import Encoder

PIXELS = 8 * 160 * 160  # that the network sees at a time on a processor: its widest layers then fit the cache; see above


def prepared(encoder: Encoder, device: torch.device) -> Encoder:
    """A copy of the encoder on `device`, in eval mode, folded: its features are equal but for float32's rounding."""
    fast = copy.deepcopy(encoder).to(device).eval()
    if encoder.arch in BACKBONES or _folds(fast):
        fold(fast.network)
    fast.network.to(memory_format=torch.channels_last)  # up to twice as fast on every device
    return fast


def _folds(encoder: Encoder) -> bool:
    """Whether folding leaves the features of an encoder as they are: networks that we do not know may use their layers in another order."""
    if not any(isinstance(module, _BatchNorm) for module in encoder.network.modules()):
        return True
    network = copy.deepcopy(encoder.network)
    try:
        fold(network)
    except (RuntimeError, ValueError):  # shapes that do not fit
        return False
    images = torch.rand((1, 3, encoder.size, encoder.size), generator=torch.Generator().manual_seed(0)).to(encoder._shift.device)
    with torch.inference_mode():
        before, after = encoder.network(images), network(images)
    return bool(torch.allclose(before, after, rtol=1e-3, atol=1e-4 * float(before.abs().max())))


def piece(encoder: Encoder, device: torch.device) -> int:
    """How many images to put through at a time; 0 for as many as there are."""
    return max(1, PIXELS // (len(encoder.crops) * encoder.size**2)) if device.type == "cpu" else 0


def fold(network: nn.Module) -> None:
    """Fold, in place, each batch norm that is registered right after a convolution into it; what a norm did beside (timm's acts) stays.

    Those of BACKBONES register them in the order of use; a test compares each before and after. Of others one image is asked (`_folds`).
    """
    names = list(network._modules)
    for first, second in itertools.pairwise(names):
        convolution, norm = network._modules[first], network._modules[second]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, _BatchNorm):
            network._modules[first] = fuse_conv_bn_eval(convolution, norm)
            network._modules[second] = getattr(norm, "act", nn.Identity())
    for child in network.children():
        fold(child)
