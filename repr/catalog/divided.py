"""Which words say that images are for training, validation or testing: names of folders, and cells of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from repr.catalog.names import as_text

WORDS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing", "tst", "holdout", "hold-out", "hold_out", "heldout", "held-out", "held_out"),
}
SPLIT_OF = {word: split for split, words in WORDS.items() for word in words}
USUAL = ("train", "val", "valid", "validation", "test")  # folders that nobody needs to be told of
UNLABELLED = ("unlabelled", "unlabeled", "unlabelled_data", "unlabeled_data", "no_label", "nolabel", "unsupervised", "unsup")
BESIDE = re.compile(r"[\s_.-]*(set|data|images?|imgs?|split|part|20\d\d)$")  # trainset, test_images, val2017


def split_of(word: str) -> str:
    """ "train", "val" or "test" for a word that means it, in any capitals; "" for another."""
    word = word.strip().casefold()
    return SPLIT_OF.get(word) or SPLIT_OF.get(BESIDE.sub("", word), "")


@dataclass(frozen=True)
class Parts:
    """What the top folders are. splits: folder → split; of these the `classes` are class folders themselves, the others hold some.

    Empty when all are classes. beside: folders that are neither, and are not read. note: what had to be decided, for the user.
    """

    splits: dict[str, str]
    classes: frozenset[str] = frozenset()
    beside: tuple[str, ...] = ()
    note: str = ""


def parts_of(tops: Mapping[str, Collection[str]]) -> Parts:
    """Which top folders are splits. tops: folder → the folders with images in it ("" among them for images right in it).

    Splits are folders of such names that hold class folders: two kinds of them, or one kind and nothing else. One kind among other
    folders holds either classes of the others' names, which are then for training, or it is a class like them.
    """
    words = {top: split for top in tops if (split := split_of(top))}
    named = {top: split for top, split in words.items() if set(tops[top]) - {""}}
    kinds = set(named.values())
    others = [top for top in tops if top not in words and top.strip().casefold() not in UNLABELLED]
    beside = tuple(top for top in tops if top not in named)
    if len(kinds) >= 2:
        usual = all(top in USUAL for top in named)
        notes = [] if usual else [", ".join(f"the folder {as_text(top)} is {split}" for top, split in named.items())]
        notes += [] if "train" in kinds else [f"there is no part for training, only {_listed(sorted(kinds))}"]
        return Parts(named, beside=beside, note="; ".join(notes))
    if named and not others:
        note = f"all images with a class are in the folder {_listed(named)}: there is no other part, so nothing is divided"
        return Parts(dict.fromkeys(named, ""), beside=beside, note=note)
    if not named and not others and len(set(words.values())) >= 2:
        return Parts(words)  # without a class folder in any of them
    shared = {label for top in named for label in tops[top]} & set(others)
    if shared and "train" not in kinds:
        note = f"the classes beside the folder {_listed(named)} are taken for training"
        return Parts({**named, **dict.fromkeys(others, "train")}, frozenset(others), note=note)
    if words:
        return Parts({}, note=f"the folder {_listed(words)} is taken for a class like the others, not for a part of the data")
    return Parts({}, note=_alike(tops))


def _alike(tops: Mapping[str, Collection[str]]) -> str:
    """What is said of top folders that all hold folders of the same names, as parts do whose names nobody knows; "" of others."""
    inside = {frozenset(labels) for labels in tops.values()}
    if len(tops) < 2 or len(inside) > 1 or len(next(iter(inside)) - {""}) < 2:
        return ""
    return (
        f"the folders {_listed(tops)} hold folders of the same names and are taken for classes; if they are parts of the data, call them "
        "train, val and test"
    )


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:5]
    return ", ".join(map(as_text, shown)) + (", …" if len(names) > len(shown) else "")
