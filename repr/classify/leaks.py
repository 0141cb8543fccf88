"""Leaks of rows: which of their weights have seen the test images."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from repr.catalog.table import Catalog
from repr.classify.settings import Settings
from repr.errors import UserError
from repr.models.leaks import leaks
from repr.models.provenance import Leak
from repr.models.weights import known_weights


def leaks_of(rows: Iterable[Settings], catalog: Catalog) -> list[Leak]:
    """Which of the weights that rows name have seen the catalog's test images, or may have. Those that cannot be read are passed over."""
    weights = []
    for named in dict.fromkeys(row.weights for row in rows if row.weights and "image" in row.modality):
        with suppress(UserError):
            weights.append(known_weights(named))
    return leaks(weights, catalog.in_split("test"))
