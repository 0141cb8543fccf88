"""Networks among the arrays of a saved learner: every tensor, the memory layout, and what the encoder is made of."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import nn

from repr.errors import UserError
from repr.images.frames import Frame
from repr.learners.stored import Arrays, Stored, Value
from repr.models.backbones import check_size, empty
from repr.models.encoder import Encoder
from repr.records import from_json, to_json
from repr.training.precision import laid_out

DESCRIBED = ("arch", "size", "crops", "mean", "std", "name", "identity", "synthetic")  # arguments of `Encoder`, and its frame, as text


def described(encoder: Encoder) -> dict[str, Value]:
    """What an encoder is beside its tensors, JSON-able."""
    values = {name: getattr(encoder, name) for name in DESCRIBED}
    frame = json.dumps(to_json(encoder.frame)) if encoder.frame else ""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()} | {"frame": frame}


def rebuilt(about: object, stored: Stored) -> Encoder:
    """The encoder of `described` and `network_arrays`, in eval mode on the CPU. Raises UserError for what does not fit."""
    if not isinstance(about, dict) or about.keys() != {*DESCRIBED, "frame"}:
        raise stored.misfit("it does not say what its encoder is")
    try:
        check_size(about["arch"], about["size"])
        tuples = {name: tuple(map(float, about[name])) for name in ("crops", "mean", "std")}
        frame = from_json(Frame, json.loads(about["frame"])) if about["frame"] else None
        encoder = Encoder(empty(about["arch"]), **{**about, **tuples, "frame": frame})
    except (TypeError, ValueError, UserError) as error:
        raise stored.misfit(f"it does not say rightly what its encoder is ({error})") from None
    restore_network(encoder.network, stored)
    return encoder.eval()


def network_arrays(network: nn.Module) -> Arrays:
    """The tensors of a network by their names, and whether its convolutions lie in channels-last order, on which their rounding hangs."""
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    return {**tensors, "channels_last": np.array(_channels_last(network))}


def restore_network(network: nn.Module, stored: Stored) -> None:
    """Set the tensors of a network, where it is. Raises UserError for arrays that are not this network's."""
    if stored.take("channels_last", np.bool_):
        laid_out(network)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            array = stored.take(name, np.dtype(str(tensor.dtype).removeprefix("torch.")).type, *tensor.shape)
            tensor.copy_(torch.from_numpy(np.array(array)))


def _channels_last(network: nn.Module) -> bool:
    maps = [p for p in network.parameters() if p.ndim == 4]
    return any(p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous() for p in maps)
