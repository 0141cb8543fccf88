"""Ways to take in new products: one file each, one small interface (`learner.Learner`): support sets in, predictions out.

Adding one is adding a file and a line here.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from repr.errors import UserError, nearest

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
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
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
    found: type[Learner] = getattr(importlib.import_module(module), attribute)
    return found


def read(typed: str) -> tuple[type[Learner], dict[str, Any]]:
    """A learner as typed, "lda" or "lda:shrinkage=0.3,root=true": its class and its settings, those of a variant among them.

    Raises UserError for an unknown learner or setting, and for a value of another kind than the setting's default.
    """
    cls = learner_class(typed)
    name, colon, told = typed.partition(":")
    typed_settings: dict[str, Any] = {}
    defaults = _defaults(cls)
    for part in told.split(",") if colon else ():
        key, _, text = (word.strip() for word in part.partition("="))
        if not key:
            raise UserError("a setting without a name", f"`learner` {typed}", f"Write {name}, or {name}:setting=value")
        if key in typed_settings:
            raise UserError(f"{key} is set twice", f"`learner` {typed}", "Give it once; two values are two `learner`")
        if key in cls.takes:
            raise UserError(
                f"{key} is the same for all learners of a run", f"`learner` {typed}", f"Give `{'epochs' if key == 'updates' else key}`"
            )
        if key not in defaults:
            own = sorted(defaults.keys() - cls.takes)
            remedy = nearest(key, own) if own else f"Write {name} alone: it has no settings of its own"
            raise UserError(f"the learner {name} has no setting {key!r}", f"`learner` {typed}", remedy)
        typed_settings[key] = _value(name, key, text, defaults[key])
    return cls, {**VARIANTS.get(name, ("", {}))[1], **typed_settings}


def _defaults(cls: type[Learner]) -> dict[str, Any]:
    """The keywords of a learner's constructor, with their defaults."""
    return {key: p.default for key, p in inspect.signature(cls).parameters.items() if p.kind is p.KEYWORD_ONLY}


def _value(name: str, key: str, text: str, default: Any) -> Any:
    """The text as a value of the default's kind; a default of None stands for a number that the learner chooses itself."""
    kind = float if default is None else type(default)
    truths: dict[str, Any] = {"true": True, "false": False}
    try:
        return truths[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise UserError(f"{key}={text} is not {wanted}", f"`learner` {name}", f"Write {name}:{key}=VALUE") from None


def make(name: str, *, encoder: Encoder | None = None, **settings: Any) -> Learner:
    """A fresh learner by its name (with settings, as `read` takes them), and with further settings of its constructor.

    encoder: the starting encoder of a learner that takes images; it is copied, not changed. Others take none.
    Raises UserError for an unknown name or setting, with the nearest one, and for a missing encoder.
    """
    cls, typed = read(name)
    known = _defaults(cls).keys() | cls.takes
    for setting in settings:
        if setting not in known:
            remedy = nearest(setting, sorted(known)) if known else "It has no settings"
            raise UserError(f"the learner {name} has no setting {setting}", "", remedy, argument="learner")
    settings = {**typed, **settings}
    if cls.input == "features":
        return cls(**settings)
    if encoder is None:
        raise UserError(f"the learner {name} trains an encoder and was given none", "", "Give weights", argument="learner")
    return cls(encoder, **settings)  # type: ignore[call-arg]  # learners of images take the encoder first
