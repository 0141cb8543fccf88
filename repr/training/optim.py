"""Optimisers and rates: SGD or LARS, no decay on norms and biases, warm-up, then cosine or steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

Group = dict[str, Any]  # of parameters, as torch has them: "params", "weight_decay", "scaled" (by LARS) and "faster"

# Where the step schedule divides the rate by ten, as shares of the run: epochs 30 and 60 of 90 in torchvision's reference training.
STEP_DROPS = (1 / 3, 2 / 3)


def factor(step: int, total: int, *, warmup: int = 0, schedule: str = "cosine", final: float = 0.0) -> float:
    """What the base rate is multiplied by at `step` of `total` (both counted in optimiser steps, the first is 0).

    The first `warmup` steps rise linearly to 1 (Goyal et al. 2017, section 2.2; the first step is 1/warmup, not 0).
    "cosine" then falls to `final` (Loshchilov and Hutter 2017, equation 5, one period); "step" divides by ten at STEP_DROPS;
    "constant" stays.
    """
    if step < warmup:
        return (step + 1) / warmup
    share = (step - warmup) / max(1, total - warmup)
    if schedule == "cosine":
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    if schedule == "step":
        return 0.1 ** sum(step / total >= drop for drop in STEP_DROPS)
    assert schedule == "constant", schedule
    return 1.0


def set_rate(optimiser: torch.optim.Optimizer, multiplier: float) -> float:
    """Set every group's rate to its own base rate times `multiplier`; returns the first group's rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * multiplier
    return float(optimiser.param_groups[0]["lr"])


def learn_faster(module: nn.Module, times: float) -> None:
    """Have a module's parameters learn at so many times the rate of the others, by whatever optimiser."""
    for parameter in module.parameters():
        parameter.faster = times  # type: ignore[attr-defined]


def groups(modules: Iterable[nn.Module], weight_decay: float) -> list[Group]:
    """Two parameter groups: weights with decay; norms, biases and other vectors without (and so without LARS scaling).

    Every parameter of one dimension is a norm's scale, a shift or a bias. Parameters that need no gradient are left out,
    and a parameter shared by two modules counts once. Those that learn faster are groups of their own, "faster" times the rate.
    """
    parameters: dict[int, nn.Parameter] = {}
    for module in modules:
        parameters.update({id(p): p for p in module.parameters() if p.requires_grad})
    split: list[Group] = []
    for faster in sorted({1.0, *(float(getattr(p, "faster", 1.0)) for p in parameters.values())}):
        alike = [p for p in parameters.values() if getattr(p, "faster", 1.0) == faster]
        decayed, plain = [p for p in alike if p.ndim > 1], [p for p in alike if p.ndim <= 1]
        split.append({"params": decayed, "weight_decay": weight_decay, "scaled": True, "faster": faster})
        split.append({"params": plain, "weight_decay": 0.0, "scaled": False, "faster": faster})
    return split


def make(name: str, modules: Iterable[nn.Module], *, lr: float, momentum: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimiser "sgd", "lars", "adam", "adamw" or "adagrad" over `modules`, its groups remembering `base_lr` for `set_rate`.

    For Adam `momentum` is the first of its two betas; the second is 0.999 (Kingma and Ba 2015). Adagrad (Duchi et al. 2011) has
    none and takes sparse gradients, if nothing decays.
    """
    parts = [group for group in groups(modules, weight_decay) if group["params"]]
    optimiser: torch.optim.Optimizer
    if name == "sgd":
        optimiser = torch.optim.SGD(parts, lr=lr, momentum=momentum, fused=True)
    elif name == "adam":
        optimiser = torch.optim.Adam(parts, lr=lr, betas=(momentum, 0.999), fused=True)
    elif name == "adamw":
        optimiser = torch.optim.AdamW(parts, lr=lr, betas=(momentum, 0.999), fused=True)
    elif name == "adagrad":
        optimiser = torch.optim.Adagrad(parts, lr=lr)
    else:
        assert name == "lars", name
        optimiser = LARS(parts, lr=lr, momentum=momentum)
    for group in optimiser.param_groups:
        group["base_lr"] = lr * group["faster"]
    return optimiser


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rates (You, Gitman, Ginsburg 2017, arXiv 1708.03888, equation 6), for large-batch contrastive training.

    g := (grad + weight_decay * w) * trust * norm(w) / (norm(grad) + weight_decay * norm(w) + eps);  v := momentum * v + g;  w -= lr * v.
    Norms and biases are not scaled, as in SimCLR and BYOL: groups with "scaled": False, or without that and without weight decay.
    Constants as in lightly/utils/lars.py, with which it agrees; unlike that one it never reads a norm back from the device, so a GPU
    is not made to wait at every parameter.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        eps: float = 1e-8,
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update. closure: recomputes the loss and its gradients, as in torch.optim."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            updates = [p.grad for p in params]
            if group.get("scaled", group["weight_decay"] != 0):
                updates = self._scaled(params, updates, group)
            for p in params:
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in params]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, updates)
            torch._foreach_add_(params, buffers, alpha=-group["lr"])
        return loss

    @staticmethod
    def _scaled(params: list[Tensor], gradients: list[Tensor], group: Group) -> list[Tensor]:
        decay = group["weight_decay"]
        w_norms = torch.stack(torch._foreach_norm(params))
        g_norms = torch.stack(torch._foreach_norm(gradients))
        rates = group["trust"] * w_norms / (g_norms + decay * w_norms + group["eps"])
        moved = (w_norms != 0) & (g_norms != 0)  # a layer of zeros, or without gradient, would never move or divide by nothing
        updates = torch._foreach_add(gradients, params, alpha=decay)
        torch._foreach_mul_(updates, list(torch.where(moved, rates, 1.0).unbind()))
        # As in lightly: where a norm is zero, neither decay nor scaling is applied.
        return [torch.where(m, u, g) for m, u, g in zip(moved.unbind(), updates, gradients, strict=True)]
