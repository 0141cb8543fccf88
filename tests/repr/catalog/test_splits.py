"""Splits against their definition: whole groups on one side, every class tested, 8:2, and no chaining on real images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from repr.catalog import folders, mep3m, splits
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError


def catalog(titles: Sequence[str | None], names: Sequence[str], labels: Sequence[int], root: Path = Path("/nowhere")) -> Catalog:
    paths = [f"{n}.jpg" for n in range(len(titles))]
    columns = {"path": paths, "product": paths, "title": titles, "class_1": labels}
    first = tuple(ClassName(str(n), name) for n, name in enumerate(names))
    return build(columns, classes=(first, (), ()), sources=(Source("s", "mep3m", root),), default_level=1)


def brute_components(n: int, edges: list[tuple[int, int]]) -> list[int]:
    """Union-find by repeated relabelling."""
    label = list(range(n))
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            low = min(label[a], label[b])
            if label[a] != low or label[b] != low:
                label[a] = label[b] = low
                changed = True
    return label


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_groups_are_the_connected_components(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 20))
    ids = st.lists(st.integers(-1, 6), min_size=n, max_size=n)
    title, content = data.draw(ids), data.draw(ids)
    near = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=6))
    edges = list(near)
    for values in (title, content):
        edges += [(a, b) for a in range(n) for b in range(a) if values[a] == values[b] >= 0]
    links = splits.Links(np.array(title), np.array(content), np.array(near, np.int64).reshape(-1, 2), 0)
    _, expected = np.unique(brute_components(n, edges), return_inverse=True)
    found = links.groups()
    assert (found[:, None] == found).tolist() == (expected[:, None] == expected).tolist()


def test_an_overgrown_chain_of_look_alikes_is_let_go() -> None:
    n = 1000
    title = np.full(n, -1)
    title[:4] = 0
    chain = np.stack([np.arange(199), np.arange(1, 200)], axis=1)
    pair = np.array([[500, 501]])
    groups = splits.Links(title, np.full(n, -1), np.concatenate([chain, pair]), 0).groups()
    sizes = np.sort(np.bincount(groups))
    assert sizes[-2:].tolist() == [2, 4]  # identical titles and the short chain stay


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_assignment_keeps_groups_whole_and_tests_every_class(data: st.DataObject) -> None:
    n_classes = data.draw(st.integers(1, 6))
    group_class = data.draw(st.lists(st.integers(0, n_classes - 1), min_size=1, max_size=40))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(group_class), max_size=len(group_class)))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    fine = np.repeat(group_class, sizes)
    coarse = fine // 2
    test = splits.assign(groups, [coarse, fine], np.random.default_rng(data.draw(st.integers(0, 9))))
    for group in range(len(sizes)):
        assert len(set(test[groups == group])) == 1
    for label in (coarse, fine):
        for code in set(label):
            tested = set(test[label == code])
            if len(set(groups[label == code])) > 1 and (label is coarse or len(set(groups[coarse == code // 2])) > 2):
                assert tested == {True, False}


def test_a_class_of_one_group_stays_in_training_and_is_reported(tmp_path: Path) -> None:
    titles = ["same", "same", "same", "a", "b", "c", "d", "e"]
    divided = splits.divide(catalog(titles, ["lonely", "other"], [0, 0, 0, 1, 1, 1, 1, 1], tmp_path), "grouped", 0)
    assert divided.split[:3].tolist() == ["train"] * 3
    assert (divided.split[3:] == "test").sum() == 1
    assert divided.report.untested == ("lonely",)
    assert any("lonely" in line for line in divided.report.lines())


def test_titles_are_compared_without_case_width_and_blanks_and_not_when_they_name_a_class(tmp_path: Path) -> None:
    titles = ["Red  Shoe ", "ＲＥＤ shoe", "Shoes", "shoes", None, None, "", ""]
    ids = splits.title_ids(catalog(titles, ["Shoes"], [0] * 8))
    assert ids[0] == ids[1] >= 0
    assert ids[2:].tolist() == [-1] * 6


@pytest.mark.parametrize(
    "nothing",
    ["N/A", "n.a.", "#N/A", "<NA>", "(none)", "--None--", "[null]", "no_title", "Not available", "TBD.", "-", "…", "?", "暂无标题"],
)
def test_what_stands_for_no_title_ties_nothing(nothing: str) -> None:
    ids = splits.title_ids(catalog([nothing, nothing, "Nantucket tea", "Nantucket tea"], ["Shoes"], [0] * 4))
    assert ids[:2].tolist() == [-1, -1] and ids[2] == ids[3] >= 0


def test_random_is_eight_to_two_and_follows_its_seed(tmp_path: Path) -> None:
    data = catalog([str(n) for n in range(100)], ["a"], [0] * 100, tmp_path)
    first = splits.divide(data, "random", 1)
    assert (first.split == "test").sum() == 20
    assert (splits.divide(data, "random", 1).split == first.split).all()
    assert (splits.divide(data, "random", 2).split != first.split).any()


def test_a_random_split_needs_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = catalog([f"title {n // 2}" for n in range(10)], ["a"], [0] * 10, tmp_path)
    looked = splits.divide(data, "random", 0)
    monkeypatch.setattr(splits.fingerprints, "fingerprints", lambda *_: pytest.fail("looked at the images"))
    found = splits.divide(data, "random", 0, look=False)
    assert (found.split == looked.split).all() and found.report.twins == looked.report.twins > 0


def test_twins_are_counted(tmp_path: Path) -> None:
    links = splits.Links(np.array([-1, -1, -1]), np.array([0, 0, 1]), np.array([[1, 2]]), 0)
    assert links.twins(np.array([True, False, True])) == 2
    assert links.twins(np.array([True, True, False])) == 1


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'groups'"):
        splits.divide(catalog(["a", "b"], ["x"], [0, 0]), "groups", 0)
    with pytest.raises(UserError, match="fewer than two"):
        splits.divide(catalog(["a"], ["x"], [0]), "random", 0)


def test_images_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "0.jpg")
    (tmp_path / "1.jpg").write_bytes(b"broken")
    assert splits.divide(catalog(["a", "b", "c"], ["x"], [0, 0, 0], tmp_path), "grouped", 0).report.unreadable == 2


def test_freiburg_keeps_its_fourteen_doubles_together(shared: Path, tmp_path: Path) -> None:
    for name in ("COFFEE", "SPICES"):  # they hold all of them
        (tmp_path / name).symlink_to(shared / "freiburg" / name)
    data = folders.read(tmp_path)
    report = splits.divide(data, "grouped", 0).report
    assert (report.groups, report.largest, report.twins, report.untested) == (len(data) - 14, 2, 0, ())
    assert report.test / len(data) == pytest.approx(0.2, abs=0.01)


@pytest.mark.slow
def test_fashion_does_not_chain(shared: Path) -> None:
    data = mep3m.read(shared / "fashion")
    report = splits.divide(data, "grouped", 0).report
    assert report.largest <= 0.05 * len(data)
    assert report.twins == 0
    assert report.test / len(data) == pytest.approx(0.2, abs=0.01)
    assert set(report.untested) == {"Perfumes", "Vouchers", "Home Furnishing"}  # one or two records of one title each
    assert splits.divide(data, "random", 0).report.twins > 1000
    assert 50 < len(splits.find_links(data).near) < 200  # the same hash without thumbnails ties 13,000
