"""Which device to run on, and in which precision it gains."""

from __future__ import annotations

import re

import torch

from repr.errors import UserError


def pick_device(name: str) -> torch.device:
    """The device for "auto" (the first GPU, else the CPU), "cpu", "cuda" or "cuda:N". Raises UserError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if not match:
        raise UserError(f"no such device: {name}", "", "Choose auto, cpu, cuda or cuda:N", argument="device")
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = torch.version.cuda is not None
        reason = "PyTorch finds no GPU" if built else "this PyTorch is built without CUDA"
        raise UserError(f"{name} was asked for and {reason}", "", "Use `device` cpu, or mend the driver", argument="device")
    count = torch.cuda.device_count()
    if match[1] and int(match[1]) >= count:
        raise UserError(
            f"there is no {name}: {count} GPU{'s' if count > 1 else ''} here", "", f"Choose cuda:0 to cuda:{count - 1}", argument="device"
        )
    return torch.device(name)


def autocast_dtype(device: torch.device, *, depthwise: bool) -> torch.dtype | None:
    """The precision in which training a network gains on this device: bfloat16, or None for plain float32.

    depthwise: whether most of its convolutions are depthwise. On a CPU bfloat16 is for units made for it
    (AMX or AVX512-BF16): without them ResNet-18 at 64 px takes twice the time of float32, with them 0.5 to 0.6 of it
    (ResNet-18 and 50); EfficientNet-Lite0 then takes 1.4 of it, for its depthwise convolutions.
    """
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 else None  # Ampere is the first with bfloat16 units
    if device.type == "cpu" and not depthwise and (_cpu_has("_is_amx_tile_supported") or _cpu_has("_is_avx512_bf16_supported")):
        return torch.bfloat16
    return None


def _cpu_has(probe: str) -> bool:
    """Ask one of torch.cpu's probes; they are not public, so an absent one means no."""
    function = getattr(torch.cpu, probe, None)
    return bool(function and function())
