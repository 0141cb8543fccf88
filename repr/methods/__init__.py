"""Pretraining methods, one file each. Adding one is adding a file, its settings in settings.py, and a line to METHODS."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repr.errors import UserError, nearest
from repr.methods.settings import JointSettings, MethodSettings, MoCoSettings, SimCLRSettings, SupConSettings, SupervisedSettings
from repr.settings import parse

if TYPE_CHECKING:
    from repr.methods.method import Method


@dataclass(frozen=True)
class Entry:
    """A method of the table: where its class is, "module:Class", and the dataclass of its settings."""

    place: str
    settings: type[MethodSettings] = MethodSettings


METHODS = {
    "supervised": Entry("repr.methods.supervised:Supervised", SupervisedSettings),
    "simclr": Entry("repr.methods.simclr:SimCLR", SimCLRSettings),
    "moco": Entry("repr.methods.moco:MoCo", MoCoSettings),
    "byol": Entry("repr.methods.byol:BYOL"),
    "vicreg": Entry("repr.methods.vicreg:VICReg"),
    "supcon": Entry("repr.methods.supcon:SupCon", SupConSettings),
    "joint": Entry("repr.methods.joint:Joint", JointSettings),
}


def entry(name: str) -> Entry:
    """The line of METHODS of a name. Raises UserError for an unknown one, with the nearest."""
    if name not in METHODS:
        raise UserError(f"no such method: {name}", "", nearest(name, METHODS), argument="method")
    return METHODS[name]


def load(name: str) -> type[Method]:
    """The class of a method by its name in METHODS."""
    module, attribute = METHODS[name].place.split(":")
    method: type[Method] = getattr(importlib.import_module(module), attribute)
    return method


def read(typed: str) -> tuple[str, MethodSettings]:
    """A method as typed, "simclr" or "simclr:temperature=0.2,decoupled=true": its name and its settings.

    Raises UserError for an unknown method or setting, with the nearest, and for values beyond their limits.
    """
    name, _, text = typed.partition(":")
    owner = entry(name).settings
    return name, owner(**parse(owner, text, f"`method` {typed}"))
