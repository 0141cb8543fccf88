"""The words of the shop fit together: what one table names, another has."""

from __future__ import annotations

import pytest

from repr.synthetic.identity import sub_class
from repr.synthetic.motifs import MOTIFS
from repr.synthetic.vocabulary import FLAVOURS, FORMS, SUB_CLASSES, SUPERCATEGORIES, Form, SubClass, Supercategory

BY_NAME = {supercategory.name: supercategory for supercategory in SUPERCATEGORIES}


def chinese(text: str) -> bool:
    return all("一" <= character <= "鿿" for character in text)


def test_seventeen_supercategories_share_out_the_200_products() -> None:
    assert len(SUPERCATEGORIES) == len(BY_NAME) == 17
    assert sorted(number for supercategory in SUPERCATEGORIES for number in supercategory.ids) == list(range(1, 201))


@pytest.mark.parametrize("supercategory", SUPERCATEGORIES, ids=lambda s: s.name)
def test_what_a_supercategory_names_is_there(supercategory: Supercategory) -> None:
    assert set(supercategory.forms) <= set(FORMS) and set(supercategory.flavours) <= set(FLAVOURS)
    assert {motif for _, motif in supercategory.items} <= set(MOTIFS)
    words = [word for word, _ in supercategory.items]
    assert len(set(words)) == len(words) and all(map(chinese, words)) and chinese(supercategory.chinese)
    assert len(set(supercategory.flavours)) == len(supercategory.flavours) >= 6, "flavours enough to tell a brand's products apart"
    assert all(0 <= hue <= 1 for hue in supercategory.hues) and len(supercategory.hues) == len(supercategory.patterns) == 4
    assert all(0 < part <= 1 for part in supercategory.tone) and supercategory.unit in ("g", "ml", "件")


def test_no_item_is_sold_under_two_supercategories() -> None:
    words = [word for supercategory in SUPERCATEGORIES for word, _ in supercategory.items]
    assert len(words) == len(set(words))


def test_every_motif_is_used() -> None:
    assert {motif for supercategory in SUPERCATEGORIES for _, motif in supercategory.items} == set(MOTIFS)


@pytest.mark.parametrize("name", FORMS)
def test_a_package_is_a_thing_that_one_can_hold(name: str) -> None:
    form: Form = FORMS[name]
    assert form.solid in ("pillow", "box", "round", "tube") and all(1 <= side <= 30 for side in form.size)
    assert 0 <= form.gloss <= 1 and 0 <= form.crumple <= 1 and (form.crumple == 0 or form.solid == "pillow")
    if form.solid in ("round", "tube"):
        assert form.profile, "an outline"


def test_flavours_are_colours() -> None:
    assert all(0 <= part <= 1 for triple in FLAVOURS.values() for part in triple) and all(map(chinese, FLAVOURS))
    assert len(set(FLAVOURS.values())) == len(FLAVOURS), "two flavours of one colour could not be told apart"


def test_26_sub_classes_sell_every_supercategory() -> None:
    assert len(SUB_CLASSES) == len({sub.id for sub in SUB_CLASSES}) == len({sub.name for sub in SUB_CLASSES}) == 26
    assert {name for sub in SUB_CLASSES for name in sub.supercategories} == set(BY_NAME)
    assert len({sub.class_id: sub.class_name for sub in SUB_CLASSES}) == len({(sub.class_id, sub.class_name) for sub in SUB_CLASSES})


@pytest.mark.parametrize("sub", SUB_CLASSES, ids=lambda s: s.name)
def test_what_a_sub_class_names_is_there(sub: SubClass) -> None:
    assert set(sub.forms) <= set(FORMS) and sub.words
    sold = {word for name in sub.supercategories for word, _ in BY_NAME[name].items}
    assert set(sub.items) <= sold and (sub.items or sold)
    assert len({number for number, _ in sub.third}) == len(sub.third)
    assert sub_class(sub.id) is sub
