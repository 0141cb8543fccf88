"""The classes of a catalog as a tree, with the images of each: MEP-3M's three levels, or as many as there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from repr.catalog.table import Catalog


@dataclass(frozen=True)
class Node:
    """A class: its id and name, its images, those of its sub-classes included, and these, the largest first."""

    id: str
    name: str
    samples: int
    below: tuple[Node, ...] = ()


def class_tree(catalog: Catalog) -> tuple[Node, ...]:
    """The classes of the first level that has any, the largest first, each with those below it. Rows without a class do not count.

    A row of a class that has further levels, without one itself, counts for its class alone: so sums may stay below.
    """
    columns = [catalog.column(f"class_{level}").tolist() for level in (1, 2, 3)]
    first = next((level for level, column in enumerate(columns) if any(code >= 0 for code in column)), None)
    if first is None:
        return ()
    counts = Counter(tuple(codes) for codes in zip(*columns[first:], strict=True) if codes[0] >= 0)
    return _nodes(catalog, first, counts)


def _nodes(catalog: Catalog, level: int, counts: Counter[tuple[int, ...]]) -> tuple[Node, ...]:
    """counts: rows by their codes on `level` (from 0) and those below it."""
    inside: dict[int, Counter[tuple[int, ...]]] = {}
    for codes, n in counts.items():
        inside.setdefault(codes[0], Counter())[codes[1:]] += n
    nodes = []
    for code, rest in inside.items():
        deeper = Counter({codes: n for codes, n in rest.items() if codes and codes[0] >= 0})
        entry = catalog.classes[level][code]
        nodes.append(Node(entry.id, entry.name, rest.total(), _nodes(catalog, level + 1, deeper) if deeper else ()))
    return tuple(sorted(nodes, key=lambda node: (-node.samples, node.id)))
