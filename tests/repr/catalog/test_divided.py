"""Which folders are parts of the data."""

from __future__ import annotations

import pytest

from repr.catalog.divided import parts_of, split_of


@pytest.mark.parametrize(
    ("word", "split"),
    [
        *(
            (word, "train")
            for word in ("train", "Train", "TRAIN", "training", " Training ", "train_set", "trainset", "train-images", "train2017")
        ),
        *((word, "val") for word in ("val", "valid", "Validation", "dev", "eval", "EVAL", "val2019", "valid_data")),
        *((word, "test") for word in ("test", "Testing", "testset", "test images")),
        *((word, "") for word in ("trains", "tests of tea", "developer", "set", "images", "2019", "apple", "", "evaluate this")),
    ],
)
def test_words(word: str, split: str) -> None:
    assert split_of(word) == split


def test_usual_parts_need_no_word() -> None:
    parts = parts_of({"train": {"a"}, "valid": {"a"}, "test": {"b"}})
    assert parts.splits == {"train": "train", "valid": "val", "test": "test"} and not parts.note


def test_others_are_said() -> None:
    parts = parts_of({"Training": {"a"}, "Dev": {"a"}, "unlabelled": {""}})
    assert parts.splits == {"Training": "train", "Dev": "val"} and parts.beside == ("unlabelled",)
    assert "Training is train" in parts.note and "Dev is val" in parts.note


def test_parts_without_one_for_training_are_said() -> None:
    parts = parts_of({"val": {"a"}, "test": {"a"}})
    assert parts.splits == {"val": "val", "test": "test"} and "no part for training" in parts.note


def test_a_single_part_divides_nothing() -> None:
    parts = parts_of({"train": {"a", "b"}})
    assert parts.splits == {"train": ""} and "nothing is divided" in parts.note


def test_classes_beside_a_part_that_holds_them_again_are_for_training() -> None:
    parts = parts_of({"apple": {""}, "pear": {""}, "val": {"apple", "pear"}})
    assert parts.splits == {"apple": "train", "pear": "train", "val": "val"} and parts.classes == {"apple", "pear"}
    assert "taken for training" in parts.note


@pytest.mark.parametrize("other", ["test", "unlabelled", "Unlabeled"])
def test_a_flat_folder_beside_the_training_part_is_no_class(other: str) -> None:
    parts = parts_of({"train": {"a", "b"}, other: {""}})
    assert parts.splits == {"train": ""} and parts.beside == (other,)


@pytest.mark.parametrize(
    "tops", [{"train": {""}, "test": {""}, "apple": {""}}, {"train": {""}, "bus": {""}}, {"train": {"red"}, "bus": {"blue"}}]
)
def test_classes_that_are_called_so_stay_classes_and_are_said(tops: dict[str, set[str]]) -> None:
    parts = parts_of(tops)
    assert not parts.splits and "taken for a class" in parts.note


def test_other_classes_need_no_word() -> None:
    assert parts_of({"apple": {""}, "pear": {"small"}}) == parts_of({})


def test_folders_of_the_same_names_are_said() -> None:
    """A gallery and its queries, or folds: parts by other names, perhaps."""
    parts = parts_of({"gallery": {"tea", "jam"}, "query": {"jam", "tea"}})
    assert not parts.splits and "gallery, query hold folders of the same names" in parts.note
    assert parts_of({"men": {"shoes", "hats"}, "women": {"shoes", "bags"}}) == parts_of({})
    assert parts_of({"men": {"shoes"}, "women": {"shoes"}}) == parts_of({}), "one name says little"
