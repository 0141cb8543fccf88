"""Every combination of models, weights, nets, shares and levels: rows, one `Settings` each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from repr.classify import MODELS
from repr.classify.settings import NETWORKS, Settings
from repr.models.weights import known_weights


def combine(
    base: Settings,
    *,
    models: Sequence[str],
    levels: Sequence[int],
    hierarchies: Sequence[str] = ("",),
    weights: Sequence[str] = (),
    shares: Sequence[float] = (1.0,),
) -> list[Settings]:
    """The rows, varied from `base`. weights: `encoder` and fusion rows for each, the papers' networks those of their kind.

    Raises UserError for names that are in no table.
    """
    return [
        replace(base, model=model, level=level, hierarchy=hierarchy, weights=named, fine_share=share)
        for model in models
        for named in _weights_of(model, weights)
        for hierarchy in hierarchies
        for share in shares
        for level in levels
    ]


def _weights_of(model: str, weights: Sequence[str]) -> list[str]:
    """Which of the named weights a model is run with."""
    if model in MODELS and "image" not in MODELS[model].modality:
        return [""]
    if model in NETWORKS:  # "none" is their own start, from scratch
        return ["" if named == "none" else named for named in weights if named == "none" or known_weights(named).arch == model] or [""]
    return list(weights) or [""]
