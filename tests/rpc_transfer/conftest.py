"""A made-up set that the tests of the protocol share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repr.catalog.table import Catalog, ClassName, Source, build


@pytest.fixture(scope="session")
def shop() -> Callable[..., Catalog]:
    """Makes a set in RPC's form; see `_shop`."""
    return _shop


def _shop(supercategories: list[int], train: int = 12, test: int = 3, root: Path = Path("shop"), boxes: int = 1) -> Catalog:
    """A set in RPC's form: `supercategories[i]` products in supercategory i, as many images each; `boxes` products share a test image."""
    columns: dict[str, list[Any]] = {name: [] for name in ("path", "product", "class_1", "class_2", "split", "box", "name")}
    product = 0
    for supercategory, count in enumerate(supercategories):
        for _ in range(count):
            for part, n in (("train", train), ("test", test)):
                for i in range(n):
                    path = f"{part}/{product // boxes if part == 'test' else product}_{i}.jpg"
                    row = (path, str(product + 1), supercategory, product, part, [10 * product, 0, 5, 5], f"product {product}")
                    for column, value in zip(columns.values(), row, strict=True):
                        column.append(value)
            product += 1
    classes = (
        tuple(ClassName(str(i), f"supercategory {i}") for i in range(len(supercategories))),
        tuple(ClassName(str(i + 1), f"sku {i}") for i in range(product)),
        (),
    )
    return build(columns, classes=classes, sources=(Source("shop", "rpc", root),))
