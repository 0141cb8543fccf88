"""Ways to take in new products: one file each, one small interface (`learner.Learner`): support sets in, predictions out.

Adding one is adding a file and a line here.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from repr.errors import UserError, nearest

if TYPE_CHECKING:
    from repr.models.encoder import Encoder
    from rpc_transfer.learners.learner import Learner

# On the features of a frozen encoder.
FROZEN = {
    "ncm": "rpc_transfer.learners.ncm:NCM",
    "teen": "rpc_transfer.learners.teen:TEEN",
    "cosine": "rpc_transfer.learners.cosine:Cosine",
    "tfa": "rpc_transfer.learners.tfa:TFA",
    "linear": "rpc_transfer.learners.linear:Linear",
    "lda": "rpc_transfer.learners.lda:LDA",
    "ranpac": "rpc_transfer.learners.ranpac:RanPAC",
}

# On pictures: the encoder is trained.
TRAINED = {
    "finetune": "rpc_transfer.learners.finetune:Finetune",
    "finetune-ncm": "rpc_transfer.learners.finetune_ncm:FinetuneNCM",
    "lwf": "rpc_transfer.learners.lwf:LwF",
    "icarl": "rpc_transfer.learners.icarl:ICaRL",
    "wa": "rpc_transfer.learners.wa:WA",
    "bic": "rpc_transfer.learners.bic:BiC",
    "joint": "rpc_transfer.learners.joint:Joint",
}

LEARNERS = {**FROZEN, **TRAINED}

# Other names for a learner with settings of its own; all of frozen ones.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "ncm-plain": ("ncm", {"distance": "plain"}),
    "ncm-centred": ("ncm", {"distance": "centred"}),
    "lda-root": ("lda", {"root": True}),
}


def learner_class(name: str) -> type[Learner]:
    """The class behind a name of LEARNERS or VARIANTS. Raises UserError, with the nearest name, for an unknown one."""
    if name in VARIANTS:
        name = VARIANTS[name][0]
    if name not in LEARNERS:
        raise UserError(f"there is no learner {name}", "--learner", nearest(name, [*LEARNERS, *VARIANTS]))
    module, attribute = LEARNERS[name].split(":")
    found: type[Learner] = getattr(importlib.import_module(module), attribute)
    return found


def make(name: str, *, encoder: Encoder | None = None, **settings: Any) -> Learner:
    """A fresh learner by its name, with settings of its constructor.

    encoder: the starting encoder of a learner that takes pictures; it is copied, not changed. Others take none.
    Raises UserError for an unknown name or setting, with the nearest one, and for a missing encoder.
    """
    cls = learner_class(name)
    known = [p for p in inspect.signature(cls).parameters if p != "encoder"]
    for setting in settings:
        if setting not in known:
            remedy = nearest(setting, known) if known else "It has no settings"
            raise UserError(f"the learner {name} has no setting {setting}", "--learner", remedy)
    settings = {**VARIANTS.get(name, ("", {}))[1], **settings}
    if cls.input == "features":
        return cls(**settings)
    if encoder is None:
        raise UserError(f"the learner {name} trains an encoder and was given none", "--learner", "Give weights")
    return cls(encoder, **settings)  # type: ignore[call-arg]  # learners of pictures take the encoder first
