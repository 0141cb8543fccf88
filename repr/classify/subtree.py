"""Fine-grained parts: one class of the tree, and the task of telling apart what is below it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from repr.catalog.table import Catalog
from repr.errors import UserError, nearest


def subtree(catalog: Catalog, named: str) -> Catalog:
    """The rows below a class, by its id, its name or "level:id" on any level but the last; the level below becomes the default.

    Rows without a class of their own below it are left out. Raises UserError for an unknown or ambiguous name, or a class
    with fewer than two below it.
    """
    matches = [
        (level, code)
        for level in (1, 2)
        for code, entry in enumerate(catalog.classes[level - 1])
        if named in (entry.id, entry.name, f"{level}:{entry.id}") and (catalog.column(f"class_{level}") == code).any()
    ]
    if not matches:
        known = [entry.name for level in catalog.classes[:2] for entry in level]
        raise UserError(f"no class is called {named!r}", "", nearest(named, known), argument="under")
    if len(matches) > 1:
        ids = " or ".join(f"{level}:{catalog.classes[level - 1][code].id}" for level, code in matches)
        raise UserError(f"{len(matches)} classes are called {named!r}", "", f"Say which by level and id: {ids}", argument="under")
    level, code = matches[0]
    inside = (catalog.column(f"class_{level}") == code) & (catalog.column(f"class_{level + 1}") >= 0)
    below = len(np.unique(catalog.column(f"class_{level + 1}")[inside]))
    if below < 2:
        raise UserError(f"{named} has {below or 'no'} class below it", "", "Choose a class with more", argument="under")
    return replace(catalog.select(inside), default_level=level + 1)


def largest(catalog: Catalog, most: int) -> tuple[str, ...]:
    """Up to so many classes with two or more below them, those with the most rows first; as deep in the tree as there are any.

    Named as `subtree` takes them: by name, or by "level:id" where several have it.
    """
    names = [entry.name for level in catalog.classes[:2] for entry in level]
    for level in (2, 1):
        above, below = catalog.column(f"class_{level}"), catalog.column(f"class_{level + 1}")
        inside = (above >= 0) & (below >= 0)
        pairs = np.unique(np.stack([above[inside], below[inside]], axis=1), axis=0)
        several = np.flatnonzero(np.bincount(pairs[:, 0], minlength=len(catalog.classes[level - 1])) > 1)
        if len(several):
            rows = np.bincount(above[inside], minlength=len(catalog.classes[level - 1]))[several]
            chosen = [catalog.classes[level - 1][code] for code in several[np.argsort(-rows, kind="stable")][:most]]
            return tuple(entry.name if names.count(entry.name) == 1 else f"{level}:{entry.id}" for entry in chosen)
    return ()
