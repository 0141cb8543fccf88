"""Classifiers that take in classes step by step: one file each, one small interface (`learner.Learner`): support sets in, scores out.

`taught` names their classes, saves and loads them. Adding one is adding a file and a line here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from repr import settings
from repr.errors import UserError, nearest
from repr.records import Scalar

if TYPE_CHECKING:
    from repr.learners.learner import Learner
    from repr.models.encoder import Encoder

# Of the first step of a learner that trains. Scratch and fine-tuning at 64 px then take under two minutes a seed on two cores for 200
# products with 10 shots.
UPDATES = 300

# On the features of a frozen encoder.
FROZEN = {
    "neighbour": "repr.learners.neighbour:Neighbour",
    "ncm": "repr.learners.ncm:NCM",
    "teen": "repr.learners.teen:TEEN",
    "cosine": "repr.learners.cosine:Cosine",
    "tfa": "repr.learners.tfa:TFA",
    "linear": "repr.learners.linear:Linear",
    "lda": "repr.learners.lda:LDA",
    "ranpac": "repr.learners.ranpac:RanPAC",
}

# On images: the encoder is trained.
TRAINED = {
    "finetune": "repr.learners.finetune:Finetune",
    "finetune-ncm": "repr.learners.finetune_ncm:FinetuneNCM",
    "lwf": "repr.learners.lwf:LwF",
    "icarl": "repr.learners.icarl:ICaRL",
    "wa": "repr.learners.wa:WA",
    "bic": "repr.learners.bic:BiC",
    "joint": "repr.learners.joint:Joint",
}

LEARNERS = {**FROZEN, **TRAINED}

# Other names for a learner with settings of its own; all of frozen ones.
VARIANTS: dict[str, tuple[str, dict[str, Scalar]]] = {
    "ncm-plain": ("ncm", {"distance": "plain"}),
    "ncm-centred": ("ncm", {"distance": "centred"}),
    "lda-root": ("lda", {"root": True}),
}


def learner_class(name: str) -> type[Learner]:
    """The class behind a name of LEARNERS or VARIANTS, with or without settings (`read`).

    Raises UserError, with the nearest name, for an unknown one.
    """
    name = name.partition(":")[0]
    name = VARIANTS.get(name, (name,))[0]
    if name not in LEARNERS:
        raise UserError(f"there is no learner {name}", "", nearest(name, [*LEARNERS, *VARIANTS]), argument="learner")
    module, attribute = LEARNERS[name].split(":")
    cls: type[Learner] = getattr(importlib.import_module(module), attribute)
    return cls


def method_of(learner: Learner) -> str:
    """The name in LEARNERS of a learner."""
    place = f"{type(learner).__module__}:{type(learner).__qualname__}"
    return next(name for name, where in LEARNERS.items() if where == place)


def explained(name: str) -> list[str]:
    """A line for each setting of a learner that is its own, for help and documents; its module is imported."""
    cls = learner_class(name)
    return settings.explained(cls, without=cls.takes)


def read(typed: str) -> tuple[type[Learner], dict[str, Any]]:
    """A learner as typed, "lda" or "lda:shrinkage=0.3,root=true": its class and its settings, those of a variant among them.

    Raises UserError for an unknown learner or setting, for one that is the same for all learners of a run (`Learner.takes`), and for a
    value of another kind or beyond its limits.
    """
    cls = learner_class(typed)
    name, _, values = typed.partition(":")
    where = f"`learner` {typed}"
    for part in values.split(","):
        if (setting := part.partition("=")[0].strip()) in cls.takes:
            remedy = f"Give `{'epochs' if setting == 'updates' else setting}`"
            raise UserError(f"{setting} is the same for all learners of a run", where, remedy)
    return cls, {**VARIANTS.get(name, ("", {}))[1], **settings.parse(cls, values, where, without=cls.takes)}


def make(name: str, *, encoder: Encoder | None = None, **values: Any) -> Learner:
    """A fresh learner by its name (with settings, as `read` takes them), and with further settings, those of a run among them.

    encoder: the starting encoder of a learner that takes images; it is copied, not changed. Others take none.
    Raises UserError for an unknown name or setting, with the nearest one, for a value beyond its limits, and for a missing encoder.
    """
    cls, typed = read(name)
    values = {**typed, **settings.from_mapping(cls, values)}
    if cls.input == "features":
        return cls(**values)
    if encoder is None:
        raise UserError(f"the learner {name} trains an encoder and was given none", "", "Give weights", argument="learner")
    return cls(encoder, **values)  # type: ignore[call-arg]  # learners of images take the encoder first
