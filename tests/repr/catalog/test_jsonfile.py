"""Streaming against json.loads, at any block size, and the record that each kind of damage is found in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repr.catalog import jsonfile
from repr.errors import UserError


class Item(msgspec.Struct):
    title: str
    n: int


class Whole(msgspec.Struct):
    images: list[Item]
    annotations: list[Item]


NASTY = st.text(alphabet=st.sampled_from('ab}{],[": \\\n商品'), max_size=12)
ITEMS = st.lists(st.fixed_dictionaries({"title": NASTY, "n": st.integers(0, 9)}), min_size=1, max_size=30)


def stream(path: Path) -> list[dict[str, Any]]:
    found, expected = [], 1
    for first, records in jsonfile.stream_array(path, Item):
        assert first == expected
        expected += len(records)
        found += [msgspec.to_builtins(record) for record in records]
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(items=ITEMS, block=st.integers(20, 400), indent=st.sampled_from([None, 0, 4]), ascii_only=st.booleans(), bom=st.booleans())
def test_streams_what_json_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: list[Any], block: int, indent: int | None, ascii_only: bool, bom: bool
) -> None:
    monkeypatch.setattr(jsonfile, "BLOCK", block)
    path = tmp_path / "a.json"
    text = json.dumps(items, ensure_ascii=ascii_only, indent=indent)
    path.write_text(("\ufeff" if bom else "") + text, encoding="utf-8")
    assert stream(path) == items


def test_reads_the_real_sample_in_small_blocks(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Title(msgspec.Struct):
        title: str

    path = shared / "mep3m" / "annotations-1k.json"
    monkeypatch.setattr(jsonfile, "BLOCK", 5000)
    titles = [record.title for _, records in jsonfile.stream_array(path, Title) for record in records]
    assert titles == [record["title"] for record in json.loads(path.read_bytes())]


def damaged(path: Path, text: bytes) -> Path:
    path.write_bytes(text)
    return path


GOOD = [{"title": f"t{n}", "n": n} for n in range(9)]


@pytest.mark.parametrize("block", [40, 1 << 20])
@pytest.mark.parametrize(
    ("text", "record", "words"),
    [
        (json.dumps(GOOD).encode()[:-30], 8, "ends before"),
        (json.dumps(GOOD).encode()[:-1], 10, "ends before"),
        (json.dumps(GOOD).replace("t4", "t\xff").encode("latin-1"), 5, "not UTF-8"),
        (json.dumps([*GOOD[:3], {"title": "x"}, *GOOD]).encode(), 4, "no field n"),
        (json.dumps([*GOOD[:3], {"title": 7, "n": 1}, *GOOD]).encode(), 4, "title: expected"),
        (json.dumps(GOOD).replace('"t5"', "t5").encode(), 6, "not JSON"),
        (json.dumps(GOOD).replace('"n": 2}, ', '"n": 2} ').encode(), 4, "comma"),
    ],
)
def test_names_the_record_at_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, text: bytes, record: int, words: str
) -> None:
    monkeypatch.setattr(jsonfile, "BLOCK", block)
    with pytest.raises(UserError, match=words) as caught:
        stream(damaged(tmp_path / "a.json", text))
    assert caught.value.where.endswith(f"a.json, record {record}")
    assert caught.value.remedy


@pytest.mark.parametrize("text", [b"", b"{}", b"hello", b'"[]"'])
def test_refuses_what_is_no_array(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(UserError, match="not a JSON array"):
        stream(damaged(tmp_path / "a.json", text))


def test_an_empty_array_has_no_records(tmp_path: Path) -> None:
    assert stream(damaged(tmp_path / "a.json", b" [ ] ")) == []


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        stream(tmp_path / "none.json")
    with pytest.raises(UserError, match="no such file"):
        jsonfile.read_object(tmp_path / "none.json", Whole)


WHOLE = json.dumps({"info": {}, "images": GOOD, "annotations": GOOD})


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (WHOLE.encode()[:-20], "record 9 of annotations", "ends before"),
        (WHOLE.encode()[:120], "record 4 of images", "ends before"),
        (WHOLE.replace("t3", "t\xff", 1).encode("latin-1"), "record 4 of images", "not UTF-8"),
        (WHOLE.replace('"t3"', "t3", 1).encode(), "record 4 of images", "not JSON"),
        (json.dumps({"images": [*GOOD, {"n": 1}], "annotations": []}).encode(), "record 10 of images", "no field title"),
        (json.dumps({"images": []}).encode(), "top level", "no field annotations"),
        (b'{"info": ' + b"[" * 100_000, "at its start", "ends before"),
    ],
)
def test_names_the_list_and_record_of_an_object(tmp_path: Path, text: bytes, place: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        jsonfile.read_object(damaged(tmp_path / "a.json", text), Whole)
    assert caught.value.where.endswith(place)


def test_reads_an_object_with_a_bom(tmp_path: Path) -> None:
    whole = jsonfile.read_object(damaged(tmp_path / "a.json", b"\xef\xbb\xbf" + WHOLE.encode()), Whole)
    assert [item.n for item in whole.annotations] == list(range(9))
