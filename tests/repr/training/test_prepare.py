"""Which images are held out to watch, and what labels do not do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.catalog.table import Catalog
from repr.catalog.union import with_split
from repr.errors import UserError
from repr.images.contents import Sketch, image_hashes
from repr.images.pack import open_pack
from repr.training.prepare import check_labels, hold_out, prepare
from repr.training.settings import Settings


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 8)), min_size=1, max_size=40), st.floats(0, 1), st.integers(0, 99))
def test_groups_stay_whole_and_a_class_keeps_two_images(rows: list[tuple[int, int]], share: float, seed: int) -> None:
    labels, groups = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    train, held = hold_out(groups, np.arange(len(rows)), labels, share, np.random.default_rng(seed))
    assert sorted([*train, *held]) == list(range(len(rows)))
    assert not set(groups[train]) & set(groups[held])
    assert len(held) <= round(share * len(rows))
    for label in set(labels[labels >= 0]):
        assert (labels[train] == label).sum() >= min(2, (labels == label).sum())


def test_twins_are_held_out_together(make_shop: Callable[..., Catalog], tmp_path: Path) -> None:
    catalog = make_shop(tmp_path / "shop", per_class=12, twins=True)
    material = prepare(catalog, Settings(size=16, val_share=0.25))
    assert len(material.val) == 12 and len(material.train) == 36
    assert not set(material.val // 2) & set(material.train // 2)


def test_without_labels_nothing_is_held_out(make_shop: Callable[..., Catalog], tmp_path: Path) -> None:
    """Nobody could watch it."""
    catalog = make_shop(tmp_path / "shop", per_class=4)
    level = catalog.table.schema.get_field_index("class_1")
    bare = catalog.table.set_column(level, "class_1", [[-1] * len(catalog)])
    material = prepare(Catalog(bare, catalog.classes, catalog.sources), Settings(size=16, method="simclr", val_share=0.25))
    assert len(material.train) == 16 and len(material.val) == 0


def test_balancing_needs_classes() -> None:
    nothing = np.zeros(0, np.int64)
    check_labels(nothing, (), "shop", Settings(method="simclr"))
    with pytest.raises(UserError, match="no classes to balance"):
        check_labels(nothing, (), "shop", Settings(method="simclr", balanced=True))


def test_test_images_are_neither_learned_from_nor_watched(make_shop: Callable[..., Catalog], tmp_path: Path) -> None:
    """Nor packed: what is not there cannot be trained on by mistake."""
    whole = make_shop(tmp_path / "shop", per_class=8)
    split = np.where(np.arange(len(whole)) % 4 == 0, "test", "train").astype(object)
    catalog = with_split(whole, split)
    material = prepare(catalog, Settings(size=16, val_share=0.25))
    n = int((split == "train").sum())
    assert len(material.train) + len(material.val) == n == len(open_pack(material.pack))
    (data,) = material.learned.data
    trained = Sketch.read(data.trained.n, material.learned.hashes[data.trained.key])
    tests = image_hashes([catalog.file(row) for row in np.flatnonzero(split == "test")])
    assert data.trained.n == len(material.train) and trained.overlap(tests).within == 0
