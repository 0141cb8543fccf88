"""MEP-3M's reader against the real records and class table, and records of our own in every spelling."""

from __future__ import annotations

import csv
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from repr.catalog import mep3m, sources
from repr.catalog.table import Catalog
from repr.errors import UserError

RECORD = {
    "class_id": "5",
    "class_name": "食品/酒水/生鲜/特产",
    "sub_class_id": "523",
    "sub_class_name": "水果",
    "subsub_class_id": "640",
    "subsub_class_name": "苹果",
    "img_path": "Images/523/3.jpg",
    "img_resolution": [80, 60, 3],
    "title": "红富士",
    "OCR": "新鲜",
}


def folder(path: Path, *changes: dict[str, Any], without: str = "") -> Path:
    records = [{key: value for key, value in (RECORD | change).items() if key != without} for change in changes]
    (path / "annotation.json").write_text(json.dumps(records, ensure_ascii=False, indent=4), encoding="utf-8")
    return path


def info(path: Path, *rows: tuple[Any, ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([mep3m.COLUMNS, *rows])
    return path


def test_real_records(shared: Path) -> None:
    catalog = mep3m.read(shared / "mep3m")
    records = json.loads((shared / "mep3m" / "annotations-1k.json").read_text(encoding="utf-8"))
    assert catalog.table["path"].to_pylist() == [record["img_path"] for record in records]
    assert catalog.table["title"].to_pylist() == [record["title"] for record in records]
    ocr = catalog.table["ocr"].to_pylist()
    assert ocr.count(None) == 184 and ocr.count("") == 1 and ocr[807] == ""
    assert Counter(zip(catalog.table["width"].to_pylist(), catalog.table["height"].to_pylist(), strict=True)) == {
        (220, 220): 587,
        (75, 75): 413,
    }
    assert set(catalog.column("class_3")) == {-1}
    assert catalog.labels() == (pytest.approx([0] * 1000), ("孕妈奶粉",))
    assert catalog.labels(1)[1] == ("母婴/玩具/童装",)


@pytest.mark.parametrize("name", ["dataset_info.xlsx", "dataset_info.csv"])
def test_real_class_table(shared: Path, name: str) -> None:
    first, second, third = mep3m.read_info(shared / "mep3m" / name).levels
    assert [len(first), len(second), len(third)] == [14, 599, 89]
    assert {entry.id for entry in second} == {str(n) for n in range(1, 600)}
    assert {entry.id for entry in third} == {str(n) for n in range(600, 689)}
    ids = {
        "292": 2,
        "298": 12,
        "376": 7,
        "406": 2,
        "407": 2,
        "408": 3,
        "451": 17,
        "523": 18,
        "528": 17,
        "536": 3,
        "538": 2,
        "567": 2,
        "577": 2,
    }
    assert Counter(second[entry.parent].id for entry in third) == ids
    assert {entry.name for entry in third if entry.name == second[entry.parent].name} == {"奶瓶奶嘴", "南北干货", "冲调饮品"}


def test_fashion_is_read_in_the_same_form(shared: Path) -> None:
    catalog = mep3m.read(shared / "fashion")
    assert len(catalog) == 20_000
    assert [len(level) for level in catalog.classes] == [7, 47, 145]
    assert (catalog.column("class_3") < 0).sum() == 3363
    assert len(catalog.labels(3)[1]) == 168
    assert all(file.exists() for file in catalog.files()[::500])


def test_height_comes_before_width(tmp_path: Path) -> None:
    catalog = mep3m.read(folder(tmp_path, {}))
    assert (catalog.table["height"][0].as_py(), catalog.table["width"][0].as_py()) == (80, 60)


@pytest.mark.parametrize("none", ["FALSE", "FLASE", False, None])
def test_every_spelling_of_none(tmp_path: Path, none: Any) -> None:
    catalog = mep3m.read(folder(tmp_path, {"subsub_class_id": none, "subsub_class_name": none, "OCR": none}, {"OCR": ""}))
    assert catalog.column("class_3").tolist() == [-1, 0]
    assert catalog.table["ocr"].to_pylist() == [None, ""]


def test_the_workshop_version_has_no_ocr(tmp_path: Path) -> None:
    assert mep3m.read(folder(tmp_path, {}, without="OCR")).table["ocr"].to_pylist() == [None]


def test_ids_may_be_numbers(tmp_path: Path) -> None:
    catalog = mep3m.read(folder(tmp_path, {}, {"class_id": 5, "sub_class_id": 523, "subsub_class_id": 640}))
    assert [len(level) for level in catalog.classes] == [1, 1, 1]


def test_class_table_beside_the_records_gives_names_and_codes(tmp_path: Path) -> None:
    info(tmp_path / "dataset_info.csv", (4, "x", 1, "y", "FALSE", "FALSE"), (5, "食品/酒水/生鲜/特产", 523, "水果", 640, "苹果"))
    catalog = mep3m.read(folder(tmp_path, {}, {"sub_class_name": "果"}))
    assert catalog.column("class_1").tolist() == [1, 1]
    assert catalog.labels(2)[1] == ("水果",)
    assert "names differ" in " ".join(catalog.notes)


@pytest.mark.parametrize("field", [field for field in RECORD if field != "OCR"])
def test_a_missing_field_is_named_with_its_record(tmp_path: Path, field: str) -> None:
    with pytest.raises(UserError, match=f"no field {field}") as caught:
        mep3m.read(folder(tmp_path, {}, without=field))
    assert caught.value.where.endswith("annotation.json, record 1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sub_class_id": "999"}, "unknown sub_class_id '999'"),
        ({"class_id": "77"}, "unknown class_id '77'"),
        ({"subsub_class_id": "9"}, "unknown subsub_class_id '9'"),
        ({"img_path": "../secret.jpg"}, "leaves the folder"),
        ({"img_path": "/etc/secret.jpg"}, "is absolute, and neither it nor an end of it is a file"),
        ({"img_path": "Images\\..\\..\\x.jpg"}, "leaves the folder"),
        ({"img_path": "C:/x.jpg"}, "is absolute"),
        ({"img_resolution": [220]}, "img_resolution"),
        ({"img_resolution": [2**40, 220, 3]}, "img_resolution"),
    ],
)
def test_bad_records_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    info(tmp_path / "dataset_info.csv", (5, "食品/酒水/生鲜/特产", 523, "水果", 640, "苹果"))
    with pytest.raises(UserError, match=words) as caught:
        mep3m.read(folder(tmp_path, {}, change, {}))
    assert caught.value.where.endswith("annotation.json, record 2")
    assert caught.value.remedy


def test_a_class_has_one_parent(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stands under"):
        mep3m.read(folder(tmp_path, {}, {"class_id": "6", "class_name": "other"}))


def cut_inside(whole: Path, out: Path) -> None:
    """A workbook whose archive is whole and whose parts end in the middle."""
    with zipfile.ZipFile(whole) as book, zipfile.ZipFile(out, "w") as cut:
        for name in book.namelist():
            content = book.read(name)
            cut.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)


def test_a_bad_class_table_is_refused(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "dataset_info.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(UserError, match="not a readable xlsx"):
        mep3m.read_info(tmp_path / "dataset_info.xlsx")
    cut_inside(shared / "mep3m" / "dataset_info.xlsx", tmp_path / "dataset_info.xlsx")
    with pytest.raises(UserError, match="not a readable xlsx"):
        mep3m.read_info(tmp_path / "dataset_info.xlsx")
    with pytest.raises(UserError, match="an empty cell"):
        mep3m.read_info(info(tmp_path / "short.csv", (7, "母婴")))
    (tmp_path / "dataset_info.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="first row"):
        mep3m.read_info(tmp_path / "dataset_info.csv")


def test_streamed_file_is_the_catalog_in_memory(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.parquet"
    built = mep3m.build_parquet(shared / "fashion" / "annotation.json", out)
    assert (built.records, built.quarantined, built.quarantine) == (20_000, 0, None)
    written, read = Catalog.read(out), mep3m.read(shared / "fashion")
    assert written.table.equals(read.table)
    assert (written.classes, written.sources, written.default_level) == (read.classes, read.sources, read.default_level)


def test_records_without_a_image_are_left_out_and_listed(tmp_path: Path) -> None:
    other = {"sub_class_id": "1", "sub_class_name": "a", "subsub_class_id": "FALSE", "img_path": "Images/1/1.jpg"}
    root = folder(tmp_path, {}, {"img_path": "Images/523/4.jpg"}, other)
    (root / "Images" / "523").mkdir(parents=True)
    (root / "Images" / "523" / "3.jpg").write_bytes(b"")
    out = tmp_path / "c.parquet"
    built = mep3m.build_parquet(root / "annotation.json", out)
    assert (built.records, built.quarantined) == (1, 2)
    assert built.quarantine
    with built.quarantine.open(encoding="utf-8") as file:
        listed = {row["image"]: row["reason"] for row in csv.DictReader(file)}
    assert listed == {"Images/1/": "the folder is not there", "Images/523/4.jpg": "the image is not there"}
    passed = {one.reason: (one.count, one.examples) for one in Catalog.read(out).passed_over}
    assert passed == {
        "records of folders that are not there": (1, ("Images/1/",)),
        "records whose image is not there": (1, ("Images/523/4.jpg",)),
    }


def test_a_broken_file_leaves_nothing(tmp_path: Path) -> None:
    folder(tmp_path, {}, {}, without="title")
    with pytest.raises(UserError):
        mep3m.build_parquet(tmp_path / "annotation.json", tmp_path / "c.parquet")
    (tmp_path / "annotation.json").write_text("[]")
    with pytest.raises(UserError, match="no records"):
        mep3m.build_parquet(tmp_path / "annotation.json", tmp_path / "c.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["annotation.json"]


def test_synthetic_folders_are_marked(tmp_path: Path) -> None:
    (tmp_path / "synthetic.json").write_text("{}")
    assert mep3m.read(folder(tmp_path, {})).synthetic


def with_images(root: Path, *names: str) -> Path:
    for name in names:
        (root / "Images" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "Images" / name).write_bytes(b"")
    return root


@pytest.mark.parametrize("odd", ["Images\\523\\4.jpg", "./Images/523/4.jpg", "/home/x/MEP-3M/Images/523/4.jpg", "Images/523/4.JPG"])
def test_paths_as_other_systems_write_them(tmp_path: Path, odd: str) -> None:
    root = with_images(folder(tmp_path, {"img_path": "Images/523/3.jpg"}, {"img_path": odd}), "523/3.jpg", "523/4.jpg")
    catalog = mep3m.read(root)
    assert catalog.column("path").tolist() == catalog.column("product").tolist() == ["Images/523/3.jpg", "Images/523/4.jpg"]
    assert "1 paths are spelled otherwise" in catalog.notes[0]


def test_without_any_image_back_slashes_are_read_too(tmp_path: Path) -> None:
    assert mep3m.read(folder(tmp_path, {"img_path": "Images\\523\\4.jpg"})).column("path").tolist() == ["Images/523/4.jpg"]


def test_not_one_image_there_is_an_error(tmp_path: Path) -> None:
    root = with_images(folder(tmp_path, {}, {"img_path": "Images/1/4.jpg"}), "999/3.jpg")
    for read in (mep3m.read, lambda root: mep3m.build_parquet(root / "annotation.json", tmp_path / "c.parquet")):
        with pytest.raises(UserError, match=r"none of the images of its 2 records is there, such as Images/1/"):
            read(root)
    assert not (tmp_path / "c.parquet").exists()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_record_twice_is_one(tmp_path: Path, streamed: bool) -> None:
    other = {"sub_class_id": "1", "sub_class_name": "a", "subsub_class_id": "FALSE", "subsub_class_name": "FALSE"}
    root = folder(
        tmp_path,
        {"img_path": "Images/1.jpg"},
        {"img_path": "Images/2.jpg"},
        {"img_path": "Images/1.jpg"},
        other | {"img_path": "Images/2.jpg"},
    )
    if streamed:
        mep3m.build_parquet(root / "annotation.json", tmp_path / "c.parquet")
        catalog = Catalog.read(tmp_path / "c.parquet")
    else:
        catalog = mep3m.read(root)
    assert catalog.column("path").tolist() == ["Images/1.jpg", "Images/2.jpg", "Images/2.jpg"]  # the last is of another class
    assert [(one.reason, one.count, one.examples) for one in catalog.passed_over] == [
        ("records of an image that is there already", 1, ("Images/1.jpg",))
    ]


def test_null_and_floats_as_others_write_them(tmp_path: Path) -> None:
    catalog = mep3m.read(
        folder(tmp_path, {}, {"img_path": "4.jpg", "class_id": 5.0, "sub_class_id": 523.0, "title": None, "img_resolution": None})
    )
    assert [len(level) for level in catalog.classes][:2] == [1, 1]
    assert catalog.table["title"].null_count == 1 and catalog.table["width"].null_count == 1


@pytest.mark.parametrize(
    ("written", "words"),
    [("NaN", "NaN, which is not JSON"), ("-Infinity", "-Infinity, which is not JSON"), ('"tea \\ud83d"', r"half a character \(\\ud83d")],
)
def test_what_is_no_json_is_named_as_what_it_is(tmp_path: Path, written: str, words: str) -> None:
    root = folder(tmp_path, {}, {"title": "@", "OCR": 'a "NaN" in words'})
    text = (root / "annotation.json").read_text(encoding="utf-8").replace('"@"', written)
    (root / "annotation.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=words) as caught:
        mep3m.read(root)
    assert caught.value.where.endswith("record 2")


def test_a_snapshot_of_links_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As hubs keep files: blobs under their hashes, and a folder of links to them."""
    monkeypatch.setattr(sources, "BIG", 10)
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    blobs.mkdir()
    folder(blobs, {"img_path": "Images/523/3.jpg"}).joinpath("annotation.json").rename(blobs / "a1")
    with_images(snapshot, "523/3.jpg")
    (snapshot / "annotation.json").symlink_to(blobs / "a1")
    for given in (snapshot, snapshot / "annotation.json"):
        assert sources.read_source(given).file(0) == snapshot / "Images/523/3.jpg"


@pytest.mark.parametrize("id_", [0, 0.0, "0"])
def test_a_third_level_id_of_nought_is_a_class(tmp_path: Path, id_: object) -> None:
    third = mep3m.read(folder(tmp_path, {"subsub_class_id": id_})).classes[2]
    assert [(entry.id, entry.name) for entry in third] == [("0", "苹果")]


def test_a_folder_that_cannot_be_opened_is_told_with_the_reason_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    for name in ("523", "5"):
        (data / "Images" / name).mkdir(parents=True)
        (data / "Images" / name / "3.jpg").write_bytes(b"x")
    folder(data, {}, {"img_path": "Images/5/3.jpg"})
    monkeypatch.setenv("REPR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "BIG", 0)
    real = Path.iterdir

    def closed(self: Path) -> Any:
        if self.name == "5":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", closed)
        catalog = sources.read_source(data)
        assert [(one.reason, one.count) for one in catalog.passed_over] == [(f"{mep3m.CLOSED} (permission denied)", 1)]
    assert len(sources.read_source(data)) == 2


def test_an_image_under_two_classes_is_said(tmp_path: Path) -> None:
    other = {"subsub_class_id": "641", "subsub_class_name": "梨"}
    data = folder(tmp_path, {}, other, {}, {"img_path": "Images/523/4.jpg"})
    built = mep3m.build_parquet(data / "annotation.json", tmp_path / "out.parquet")
    for notes in (mep3m.read(data).notes, built.notes, Catalog.read(built.catalog).notes):
        assert any(note.startswith("1 records") and "Images/523/3.jpg" in note for note in notes)
    assert built.records == 3
