"""What can be set of each pretraining method, declared once; where a default departs from the paper, the method's file says why.

Loads nothing heavy: the command line asks it for its help.
"""

from __future__ import annotations

from dataclasses import dataclass

from repr.settings import check, setting


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """Of a method: none. Checked when made; raises UserError for a value beyond its limits."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings(MethodSettings):
    """Of `supervised`."""

    label_smoothing: float = setting(0.1, "share of the target that is spread over all classes", low=0, high=1, below=True)
    projector: bool = setting(False, "an MLP before the head, thrown away afterwards")


@dataclass(frozen=True, kw_only=True)
class SimCLRSettings(MethodSettings):
    """Of `simclr`."""

    temperature: float = setting(0.1, "of the contrastive loss", low=1e-4)
    decoupled: bool = setting(False, "the decoupled contrastive loss, which helps small batches")


@dataclass(frozen=True, kw_only=True)
class MoCoSettings(MethodSettings):
    """Of `moco`. queue: None until the number of images is known (`MoCo.fitted`)."""

    temperature: float = setting(0.2, "of the contrastive loss", low=1e-4)
    queue: int | None = setting(None, "keys kept", low=1, usual="4096, at most half the images")


@dataclass(frozen=True, kw_only=True)
class SupConSettings(MethodSettings):
    """Of `supcon`."""

    temperature: float = setting(0.1, "of the contrastive loss", low=1e-4)


@dataclass(frozen=True, kw_only=True)
class JointSettings(SupervisedSettings):
    """Of `joint`: those of its two parts, and their weights."""

    temperature: float = setting(0.1, "of the contrastive part", low=1e-4)
    contrast: float = setting(0.5, "weight of the contrastive part", low=0, high=1)
