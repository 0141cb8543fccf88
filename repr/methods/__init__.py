"""Pretraining methods, one file each. Adding one is adding a file and a line to METHODS."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repr.methods.method import Method

METHODS = {
    "supervised": "repr.methods.supervised:Supervised",
    "simclr": "repr.methods.simclr:SimCLR",
    "moco": "repr.methods.moco:MoCo",
    "byol": "repr.methods.byol:BYOL",
    "vicreg": "repr.methods.vicreg:VICReg",
    "supcon": "repr.methods.supcon:SupCon",
    "joint": "repr.methods.joint:Joint",
}


def load(name: str) -> type[Method]:
    """The class of a method by its name in METHODS."""
    module, attribute = METHODS[name].split(":")
    method: type[Method] = getattr(importlib.import_module(module), attribute)
    return method
