from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from repr.catalog.table import Catalog
from repr.classify.data import Data, Features, hold_out
from repr.classify.opening import limited
from repr.errors import UserError


def test_rows_of_the_parts(shop: Catalog) -> None:
    problem = Data(shop).problem(2)
    assert problem.test.tolist() == list(range(120, 160))
    assert sorted([*problem.train, *problem.validation]) == list(range(120))
    assert 0 < len(problem.validation) <= 12
    assert problem.counts.tolist() == [30, 30, 30, 30]


def test_a_limit_drops_the_other_training_rows_before_anything_is_looked_at(shop: Catalog) -> None:
    few = limited(shop, 50, 0)
    split = few.column("split").astype(str)
    assert (split == "train").sum() == 50 and (split == "test").sum() == 40
    assert limited(shop, 50, 1).column("path").tolist() != few.column("path").tolist() == limited(shop, 50, 0).column("path").tolist()
    assert limited(shop, 0, 0) is limited(shop, 500, 0) is shop


def test_levels_that_cannot_be_learnt(shop: Catalog) -> None:
    with pytest.raises(UserError, match="no test row has a label on level 2"):
        Data(shop.select(np.arange(120))).problem(2)
    with pytest.raises(UserError, match="no labels on level 3"):
        Data(shop).problem(3)
    with pytest.raises(UserError, match="of one class on level 1"):
        Data(shop.select(shop.column("class_1") == 0)).problem(1)
    bare = replace(shop, table=shop.table.set_column(2, "class_1", pa.array([-1] * 160, pa.int32())))
    with pytest.raises(UserError, match="no labels on level 1"):
        Data(bare).problem(1)


def test_twins_are_held_out_together_and_no_class_is_emptied() -> None:
    labels, groups = np.array([0] * 30 + [1]), np.array([*np.repeat(np.arange(10), 3), -1])
    for seed in range(20):
        train, held = hold_out(np.arange(31), labels, groups, np.random.default_rng(seed))
        assert not set(groups[train]) & set(groups[held]) and 30 in train
        assert sorted([*train, *held]) == list(range(31))


def test_identity_follows_what_is_learnt_from(shop: Catalog) -> None:
    same = Data(shop.select(np.arange(160)))
    assert Data(shop).identity == same.identity
    assert Data(shop.select(np.arange(159))).identity != same.identity


def test_strange_titles(shop: Catalog) -> None:
    titles = ["", "😀😀", "x" * 10_000, "مرحبا", "  a   b ", None]
    table = shop.table.slice(0, 6).set_column(shop.table.schema.get_field_index("title"), "title", pa.array(titles))
    texts = Data(replace(shop, table=table)).texts
    found = texts.take(np.arange(6))
    assert [bool(text) for text in found] == [False, False, True, True, True, False]
    assert found[4] == "a b" and texts.present(np.arange(6)).tolist() == [bool(text) for text in found]


def test_training_rows_with_nothing_to_see_are_one_line() -> None:
    features = Features(np.zeros((3, 2), np.float32), np.array([False, False, True]), "imagenet (48 px)")
    assert features.known(np.arange(3)).tolist() == [2]
    with pytest.raises(UserError, match=r"imagenet .*no training row has anything"):
        features.known(np.arange(2))
