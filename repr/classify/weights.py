"""Weights that rows begin from: read and checked once a process, for every row and every check of a row asks for them."""

from __future__ import annotations

from functools import cache

from repr.models.weights import Weights, read_weights


@cache
def known_weights(spec: str) -> Weights:
    """`read_weights`, each once a process."""
    return read_weights(spec)
