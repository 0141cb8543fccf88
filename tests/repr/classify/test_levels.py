"""Levels that a net can answer on, against a plain reading of the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.hierarchy.tree import Tree
from repr.classify.levels import finest, level_labels
from repr.errors import UserError


def with_fine(shop: Catalog, fine: np.ndarray) -> Catalog:
    return replace(shop, table=shop.table.set_column(shop.table.schema.get_field_index("class_2"), "class_2", pa.array(fine)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 1))
def test_whatever_is_known_the_labels_make_a_tree(shop: Catalog, seed: int, share: float) -> None:
    fine = shop.column("class_2").astype(np.int32)
    fine[np.random.default_rng(seed).random(160) > share] = -1
    try:
        found = level_labels(Data(with_fine(shop, fine)))
    except UserError as error:
        assert "no level has two classes" in str(error)
        return
    assert found.labels.shape == (160, len(found.levels)) and [len(names) for names in found.names] == sorted(map(len, found.names))
    whole = (found.labels >= 0).all(axis=1)
    if whole.any() and len(found.levels) == 2:
        assert Tree.of(found.labels[whole]).sizes == tuple(map(len, found.names))
        stand_ins = found.labels[:, 1] >= found.real[1]
        assert (found.own[stand_ins, 1] == -1).all() and (found.own[~stand_ins] == found.labels[~stand_ins]).all()
        assert [found.names[1][code] for code in found.labels[stand_ins, 1]] == [
            found.names[0][code] for code in found.labels[stand_ins, 0]
        ]


def test_finest_is_the_deepest_known_class() -> None:
    labels = np.array([[0, 0], [0, 1], [0, -1], [1, 2], [1, -1]])
    assert finest(labels).tolist() == [2, 3, 0, 4, 1]
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 3, 200), rng.integers(-1, 9, 200)], axis=1)
    known = [(level, row[level]) for row in labels for level in [1 if row[1] >= 0 else 0]]
    codes = finest(labels)
    assert len(set(zip(codes.tolist(), known, strict=True))) == len(set(known)) == codes.max() + 1


def test_one_class_alone_parts_nothing(shop: Catalog) -> None:
    with pytest.raises(UserError, match="no level has two classes"):
        level_labels(Data(shop.select(shop.column("class_2") == 0)))
