"""Splits against their definition: which products are novel, and that shots and tests never meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.catalog.table import Catalog
from repr.catalog.union import with_split
from repr.errors import UserError
from rpc_transfer.draw import draw_evenly, generator, make_split, parse_increments, validation_images, with_validation

Shop = Callable[..., Catalog]
RPC_SUPERCATEGORIES = [12, 9, 9, 11, 12, 17, 15, 11, 11, 14, 12, 8, 10, 12, 10, 20, 7]  # facts: SKUs a supercategory, sum 200


@pytest.mark.parametrize("split_seed", range(5))
def test_rpc_gives_two_novel_products_of_each_supercategory(shop: Shop, split_seed: int) -> None:
    split = make_split(shop(RPC_SUPERCATEGORIES), novel=34, shots=10, seeds=[0], split_seed=split_seed)
    of_supercategory = [split.supercategories[key] for key in split.novel]
    assert sorted(of_supercategory) == sorted([f"supercategory {i}" for i in range(17)] * 2)
    assert len(split.base) == 166 and not set(split.base) & set(split.novel)
    assert split.increments == (split.novel,)


def test_another_split_seed_chooses_other_products_and_another_run_seed_does_not(shop: Shop) -> None:
    catalog = shop(RPC_SUPERCATEGORIES)
    first = make_split(catalog, novel=34, shots=5, seeds=[0])
    assert set(make_split(catalog, novel=34, shots=5, seeds=[0], split_seed=1).novel) != set(first.novel)
    second = make_split(catalog, novel=34, shots=5, seeds=[7])
    assert second.novel == first.novel
    assert any(set(second.support[7][key]) != set(first.support[0][key]) for key in first.novel)


@settings(max_examples=60, deadline=None)
@given(
    supercategories=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    share=st.floats(0, 1),
    shots=st.integers(1, 6),
    train=st.integers(7, 12),
    split_seed=st.integers(0, 5),
    test_on=st.sampled_from([None, "validation", "test"]),
    unknown=st.integers(0, 2),
)
def test_splits_keep_their_definition(
    shop: Shop, supercategories: list[int], share: float, shots: int, train: int, split_seed: int, test_on: Any, unknown: int
) -> None:
    room = sum(supercategories) - len(supercategories)
    novel = max(1, round(share * (room - unknown)))
    if novel + unknown > room:
        return
    catalog = shop(supercategories, train=train)
    arguments: dict[str, Any] = {
        "novel": novel,
        "shots": shots,
        "seeds": [0, 3],
        "split_seed": split_seed,
        "test_on": test_on,
        "unknown": unknown,
    }
    split = make_split(catalog, **arguments)
    assert len(split.novel) == novel and len(split.unknown) == unknown
    together = [*split.base, *split.novel, *split.unknown]
    assert sorted(together) == sorted(set(together)) and len(together) == sum(supercategories)
    assert {split.supercategories[key] for key in split.base} == set(split.supercategories.values())  # never a supercategory's last product
    keys, part = catalog.product_keys(), catalog.column("split")
    for seed in (0, 3):
        taken = np.concatenate(list(split.support[seed].values()))
        tests = np.concatenate(list(split.tests[seed].values()))
        assert not set(taken) & set(tests) and len(set(taken)) == len(taken)
        assert set(part[taken]) == {"train"} and set(part[tests]) == {"train" if test_on == "validation" else "test"}
        for key in split.products:
            assert len(split.support[seed][key]) == shots
            assert set(keys[split.support[seed][key]]) == {key} == set(keys[split.tests[seed][key]])
        assert not set(split.unknown) & set(split.support[seed])
    again = make_split(catalog, **arguments)
    assert again.novel == split.novel
    assert all((again.support[3][key] == split.support[3][key]).all() for key in split.products)


@given(supercategories=st.lists(st.integers(1, 9), min_size=1, max_size=8), seed=st.integers(0, 9), data=st.data())
@settings(max_examples=60, deadline=None)
def test_supercategories_give_evenly_as_far_as_they_reach(supercategories: list[int], seed: int, data: st.DataObject) -> None:
    of = {f"{m}-{i}": str(m) for m, count in enumerate(supercategories) for i in range(count)}
    n = data.draw(st.integers(0, sum(supercategories) - len(supercategories)))
    drawn = draw_evenly(list(of), of, n, generator(seed, "novel"))
    counts = [sum(of[key] == str(m) for key in drawn) for m in range(len(supercategories))]
    assert sum(counts) == n == len(set(drawn))
    # a supercategory that gave less than another by more than one had no more to give
    assert all(counts[m] >= max(counts) - 1 or counts[m] == supercategories[m] - 1 for m in range(len(supercategories)))


def test_fewer_shots_are_the_first_of_more(shop: Shop) -> None:
    catalog = shop([4, 4])
    many, few = (make_split(catalog, novel=2, shots=n, seeds=[1]) for n in (10, 3))
    assert all((many.support[1][key][:3] == few.support[1][key]).all() for key in many.products)


def test_unknown_products_do_not_move_the_novel_ones(shop: Shop) -> None:
    catalog = shop([5, 5])
    assert make_split(catalog, novel=2, shots=1, seeds=[0]).novel == make_split(catalog, novel=2, shots=1, seeds=[0], unknown=2).novel


def test_base_products_may_have_other_shots(shop: Shop) -> None:
    catalog = shop([4, 4])
    split = make_split(catalog, novel=2, shots=2, seeds=[0], base_shots="all")
    assert {len(split.support[0][key]) for key in split.base} == {12} and {len(split.support[0][key]) for key in split.novel} == {2}
    with pytest.raises(UserError, match="none is left to test on"):
        make_split(catalog, novel=2, shots=2, seeds=[0], base_shots="all", test_on="validation")


def test_a_scene_with_a_shot_is_no_test(shop: Shop) -> None:
    """Four products share each test image; with shots from that part, no box of a shot's image may be a test."""
    catalog = shop([4], test=10, boxes=4)
    catalog = type(catalog)(
        catalog.table.set_column(5, "split", [["val" if s == "test" else s for s in catalog.column("split")]]),
        catalog.classes,
        catalog.sources,
    )
    split = make_split(catalog, novel=1, shots=1, seeds=[0], shots_from="val", test_on="val")
    paths = catalog.column("path")
    shots = {paths[row] for rows in split.support[0].values() for row in rows}
    assert shots and not shots & {paths[row] for rows in split.tests[0].values() for row in rows}


def test_too_few_images_names_the_products(shop: Shop) -> None:
    with pytest.raises(UserError, match=r"4 products have fewer train images than the 10 shots asked for: 1 \(product 0\) has 3") as caught:
        make_split(shop([2, 2], train=3), novel=1, shots=10, seeds=[0])
    assert "at most 3 shots" in caught.value.remedy


def test_too_many_novel_products_is_an_error(shop: Shop) -> None:
    with pytest.raises(UserError, match="leave 3"):
        make_split(shop([3, 1, 2]), novel=4, shots=1, seeds=[0])


def test_a_part_that_is_not_there_is_an_error(shop: Shop) -> None:
    with pytest.raises(UserError, match=r"no val images \(its parts: test, train\)"):
        make_split(shop([3]), novel=1, shots=1, seeds=[0], shots_from="val")


def test_validation_without_an_image_left_is_an_error(shop: Shop) -> None:
    with pytest.raises(UserError, match="no test images of base"):
        make_split(shop([3], train=2), novel=1, shots=2, seeds=[0], test_on="validation")


def test_increment_plans(shop: Shop) -> None:
    assert parse_increments("", 34) == (34,)
    assert parse_increments("17x2", 34) == (2,) * 17
    assert parse_increments("10,12x2", 34) == (10, *(2,) * 12)
    with pytest.raises(UserError, match="adds up to 30 products, not to the 34"):
        parse_increments("15x2", 34)
    with pytest.raises(UserError, match="adds up to 99999999999999 products"):
        parse_increments("99999999999999x1", 34)  # counted, not written out
    for wrong in ("x2", "a", "0x3", "3x0", "1,,2"):
        with pytest.raises(UserError, match="no increment plan"):
            parse_increments(wrong, 34)
    split = make_split(shop([5, 5]), novel=4, shots=1, seeds=[0], increments="2x2")
    assert [len(step) for step in split.increments] == [2, 2] and sum(split.increments, ()) == split.novel


def test_an_image_that_stands_in_two_parts_is_no_test_of_its_own_shot(shop: Callable[..., Catalog]) -> None:
    """Every image listed once as train and once as test, as a CSV may."""
    made = shop([4, 4])
    made = made.select(np.flatnonzero(made.column("split") == "train"))
    twice = made.select(np.tile(np.arange(len(made)), 2))
    catalog = with_split(twice, np.repeat(["train", "test"], len(made)))
    split = make_split(catalog, novel=2, shots=2, seeds=[0, 1], test_on="test")
    paths = catalog.column("path")
    for seed in (0, 1):
        shots, tests = ({paths[row] for rows in of[seed].values() for row in rows} for of in (split.support, split.tests))
        assert shots and tests and not shots & tests


def test_no_threshold_is_chosen_on_a_photograph_of_the_shots(shop: Callable[..., Catalog]) -> None:
    """Two products on every checkout image: what is left of one beside the shots lies on the other's shots' images."""
    made = shop([4, 4], test=6, boxes=2)
    catalog = with_split(made, np.where(made.column("split") == "test", "val", "train"))
    split = make_split(catalog, novel=2, shots=2, seeds=[0], shots_from="val", test_on="val")
    with pytest.raises(UserError, match="no threshold can be chosen"):
        validation_images(catalog, split, 0)


def test_a_kind_of_products_without_validation_images_is_noted(shop: Callable[..., Catalog]) -> None:
    catalog = shop([4, 4])
    split = with_validation(catalog, make_split(catalog, novel=2, shots=2, seeds=[0], base_shots="all"))
    assert split.notes[-1] == "no base product has an image to choose the rejection threshold by"


def test_the_option_that_asks_too_much_is_named(shop: Callable[..., Catalog]) -> None:
    for option, words in (("unknown", "unknown: 50 products"), ("base_shots", "base_shots: 6 products have fewer")):
        with pytest.raises(UserError, match=words):
            make_split(shop([4, 4]), novel=2, shots=2, seeds=[0], **{option: 50})
