"""The papers' numbers on the real records, against plain counting."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from repr.catalog import listing, mep3m, rpc
from repr.catalog.statistics import statistics


def test_the_public_sample(shared: Path) -> None:
    numbers = statistics(mep3m.read(shared / "mep3m"))
    assert (numbers.ocr_text, numbers.ocr_empty, numbers.ocr_none, numbers.ocr_share) == (815, 1, 184, 0.815)
    assert [(r.width, r.samples) for r in numbers.resolutions] == [(220, 587), (75, 413)]
    assert numbers.formats == {"jpg": 884, "png": 116}
    assert numbers.titles
    assert (numbers.titles.shortest, numbers.titles.longest, numbers.titles.median, numbers.titles.distinct) == (14, 76, 47, 905)
    records = json.loads((shared / "mep3m" / "annotations-1k.json").read_bytes())
    assert numbers.titles.characters == sum(len(record["title"]) for record in records)
    assert round(numbers.titles.mean, 1) == 47.6 and numbers.storage.missing == 1000 and numbers.storage.bytes == 0
    assert sum(n for _, n in numbers.titles.histogram) == 1000


def test_table_two_and_the_long_tail_of_fashion(shared: Path) -> None:
    records = json.loads((shared / "fashion" / "annotation.json").read_bytes())
    numbers = statistics(mep3m.read(shared / "fashion"))
    samples = Counter(record["class_name"] for record in records)
    subs = {name: len({r["sub_class_id"] for r in records if r["class_name"] == name}) for name in samples}
    assert {row.name: (row.samples, row.sub_classes) for row in numbers.classes} == {name: (samples[name], subs[name]) for name in samples}
    tail = Counter(record["sub_class_id"] for record in records)
    assert {row.id: row.samples for row in numbers.long_tail} == dict(tail)
    assert [row.samples for row in numbers.long_tail] == sorted(tail.values(), reverse=True)
    third = statistics(mep3m.read(shared / "fashion"), 3).long_tail
    leaves = Counter(r["sub_class_id"] if r["subsub_class_id"] == "FALSE" else r["subsub_class_id"] for r in records)
    assert {row.id: row.samples for row in third} == dict(leaves)


def test_a_source_without_titles_or_ocr(shared: Path) -> None:
    numbers = statistics(rpc.read(shared / "grocery"))
    assert numbers.titles is None and numbers.ocr_share == 0
    assert numbers.splits == {"train": 2640, "test": 2485, "val": 296}
    assert json.loads(json.dumps(numbers.as_json()))["ocr"] == {"text": 0, "empty": 0, "none": 5421, "share": 0.0}
    assert any("source does not say" in line or "resolutions" in line for line in numbers.lines())


def test_words(shared: Path) -> None:
    said = "\n".join(statistics(mep3m.read(shared / "mep3m")).lines())
    assert "formats: jpg 884 (88.40 %), png 116 (11.60 %)" in said and "storage: none of the image files is there" in said
    assert "OCR: text on 81.5 %" in said and "220×220 58.7 %" in said and "mean 47.6" in said
    assert np.all([not line.endswith(" ") for line in said.splitlines()])


def test_formats_are_endings_of_names(tmp_path: Path) -> None:
    for name in ("v1.2/a", "v1.2/b.JPG", "v1.2/.c", "v1.2/d.tar.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "s.csv").write_text("image,product\nv1.2/a,1\nv1.2/b.JPG,1\nv1.2/.c,1\nv1.2/d.tar.jpg,1\n", encoding="utf-8")
    assert statistics(listing.read(tmp_path / "s.csv")).formats == {"jpg": 2, "none": 2}
