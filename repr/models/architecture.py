"""What an architecture is called, and what must be known of it, whichever library it is from.

An architecture is a text, so that weights, indexes, learners and configs carry it alike: a name of `repr.models.backbones`, one of timm's,
or `LIBRARY:NAME{…}` with the library's own config as JSON where the name alone does not say all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from repr.errors import UserError
from repr.records import Json

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # torchvision.transforms._presets.ImageClassification
IMAGENET_STD = (0.229, 0.224, 0.225)
HEAD = "classifier"  # of networks whose library has no name for one
Config = Mapping[str, Json]
PATTERN = re.compile(r"(?:(timm|open_clip|transformers):)?([^{}:]*)(\{.*\})?", re.DOTALL)


@dataclass(frozen=True)
class Backbone:
    """One network: its library, the width of its pooled features, the name of its head, its usual image size.

    least: pixels a side that its layers need. step: what the side must be a multiple of. fixed: whether its usual size is the only one.
    mean, std: the normalisation of images in 0..1 that its published weights were trained with, which is not the same for all. depthwise:
    whether most of its convolutions are depthwise, which are slow to train in bfloat16 on a CPU.
    """

    library: str
    dim: int
    head: str
    size: int
    least: int = 16
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    depthwise: bool = False
    step: int = 1
    fixed: bool = False


@dataclass(frozen=True)
class Name:
    """An architecture's name taken apart. library: "" where it is not said."""

    library: str
    name: str
    config: Config

    def __str__(self) -> str:
        config = json.dumps(self.config, sort_keys=True, separators=(",", ":")) if self.config else ""
        return f"{self.library}:{self.name}{config}" if self.library else f"{self.name}{config}"


def parsed(arch: str) -> Name:
    """An architecture's name taken apart. Raises UserError when it is none."""
    match = PATTERN.fullmatch(arch)
    try:
        assert match is not None
        return Name(match[1] or "", match[2], cast(Config, json.loads(match[3])) if match[3] else {})
    except (AssertionError, ValueError):
        raise UserError(f"no such architecture: {arch}", "", "Give a name, such as resnet18") from None


def called(arch: str) -> str:
    """An architecture's name in words: without its config."""
    return arch.partition("{")[0]
