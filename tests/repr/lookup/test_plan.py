"""What has to be done so that an index holds some images, case by case, and for any folder."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from repr.lookup.plan import Incoming, plan
from repr.lookup.store import StoredImage


def come(path: str, content: str | None, product: str = "p", box: tuple[float, ...] | None = None) -> Incoming:
    return Incoming(product, path, content.encode() if content else None, Path(path), box)


def kept(id_: int, path: str, content: str, product: str = "p", box: tuple[float, ...] | None = None) -> StoredImage:
    return StoredImage(id_, product, path, content.encode(), box)


def no(_: str) -> bool:
    return False


def test_what_is_there_is_left_and_what_is_not_is_new() -> None:
    made = plan([come("a", "A"), come("b", "B"), come("c", "A", "q"), come("a", "A", box=(0, 0, 1, 1))], [kept(1, "a", "A")], no)
    assert (made.unchanged, made.new, made.moved, made.removed, made.replaces) == (1, [1, 2, 3], {}, [], {})


def test_a_changed_file_replaces_its_image_and_a_moved_one_gets_its_path() -> None:
    made = plan([come("a", "A2"), come("x/b", "B")], [kept(1, "a", "A"), kept(2, "b", "B")], no)
    assert (made.new, made.replaces, made.moved, made.unchanged) == ([0], {0: 1}, {2: "x/b"}, 0)


def test_a_copy_is_no_move_and_swapped_files_are_two() -> None:
    made = plan([come("copy", "A")], [kept(1, "a", "A")], lambda path: path == "a")
    assert (made.moved, made.unchanged) == ({}, 1)
    made = plan([come("a", "B"), come("b", "A")], [kept(1, "a", "A"), kept(2, "b", "B")], lambda _: True)
    assert (made.moved, made.new, made.replaces) == ({2: "a", 1: "b"}, [], {})


def test_the_same_image_twice_is_one() -> None:
    assert plan([come("a", "A"), come("b", "A")], [], no).new == [0]
    made = plan([come("a", "A"), come("b", "A")], [kept(1, "a", "A")], no)
    assert (made.unchanged, made.new, made.moved) == (1, [], {})


def test_the_whole_takes_out_what_is_gone_but_not_what_cannot_be_read_now() -> None:
    stored = [kept(1, "a", "A"), kept(2, "b", "B"), kept(3, "c", "C")]
    made = plan([come("a", "A"), come("b", None)], stored, no, whole=True)
    assert (made.removed, made.unreadable, made.unchanged) == ([3], [1], 1)
    assert plan([come("a", "A"), come("b", None)], stored, no).removed == []


def test_what_lies_in_the_index_alone_stays() -> None:
    stored = [kept(1, "a", "A"), kept(2, "index:b.png", "B"), kept(3, "index:c.png", "C")]
    made = plan([come("x/b", "B")], stored, lambda path: path.startswith("index:"), whole=True)
    assert (made.removed, made.kept, made.unchanged, made.moved) == ([1], 1, 1, {})


@given(
    st.dictionaries(st.integers(0, 6), st.integers(0, 6), max_size=7),
    st.dictionaries(st.integers(0, 6), st.integers(0, 6), max_size=7),
)
def test_done_as_planned_an_index_holds_the_folder_and_then_nothing_is_left_to_do(before: dict[int, int], after: dict[int, int]) -> None:
    """Folders of one product: path → content."""
    stored = {content: kept(content + 1, f"{path}", f"{content}") for path, content in before.items()}
    incoming = [come(f"{path}", f"{content}") for path, content in after.items()]
    made = plan(incoming, stored.values(), lambda path: int(path) in after, whole=True)
    now = {image.id: image for image in stored.values() if image.id not in [*made.removed, *made.replaces.values()]}
    assert len(now) == len(stored) - len(made.removed) - len(made.replaces), "nothing goes twice"
    now |= {id_: kept(id_, path, now[id_].content.decode()) for id_, path in made.moved.items()}
    now |= {100 + row: kept(100 + row, incoming[row].path, f"{list(after.values())[row]}") for row in made.new}
    assert sorted(image.content for image in now.values()) == sorted({one.content for one in incoming if one.content})
    again = plan(incoming, now.values(), lambda path: int(path) in after, whole=True)
    assert not (again.new or again.moved or again.removed or again.replaces) and again.unchanged == len(now)
