"""The supercategory of each product: the level above it, from which novel products are drawn evenly."""

from __future__ import annotations

import numpy as np

from repr.arrays import Texts
from repr.catalog.table import Catalog


def supercategories(catalog: Catalog) -> Texts:
    """The supercategory of every product label of `catalog.product_labels()`: (c,) text.

    The name of the product's level-1 class, when every product has exactly one; "" for all where there are none, where a
    product stands in several, or where supercategories and products are one to one (then the level is the product itself).
    Where two supercategories have one name, as in a union, all go by their ids, which there begin with "<source>:".
    """
    labels, products = catalog.product_labels()
    codes = catalog.column("class_1").astype(np.int64)
    pairs = np.unique(np.stack([labels, codes], 1), axis=0)
    none = np.full(len(products), "", dtype=np.str_)
    if len(pairs) != len(products) or (pairs[:, 1] < 0).any() or len(np.unique(pairs[:, 1])) == len(products):
        return none
    entries = catalog.classes[0]
    names = [entries[code].name for code in pairs[:, 1]]
    twice = len({entries[code].name for code in set(pairs[:, 1])}) < len(set(pairs[:, 1]))
    if twice:
        names = [entries[code].id for code in pairs[:, 1]]
    return np.array(names, dtype=np.str_)
