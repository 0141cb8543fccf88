"""The page of `repr index check`: who is confused with whom, what looks wrong, and commands that are complete."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.lookup.check import Confused, OfProduct, Report, Shots, Suspect
from repr.lookup.checking import Checked, Strangers
from repr.lookup.store import StoredImage
from repr.reports.check_report import LISTED, next_commands, write

PRODUCTS = ["C+C", "a → b", "A: dairy", "<script>alert(1)</script>"]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    images = {}
    for n, product in enumerate(PRODUCTS * 2, 1):
        Image.fromarray(np.full((20, 20, 3), 25 * n, np.uint8)).save(tmp_path / f"{n}.png")
        images[n] = StoredImage(n, product, f"{n}.png", bytes([n] * 32), (2, 2, 10, 10) if n == 1 else None)
    report = Report(
        "lda", 8, 8, 0.75, 0.875,
        tuple(OfProduct(product, 2, 2, 0.5, 1.0, 0.031 if n else None) for n, product in enumerate(PRODUCTS)),
        (Confused("C+C", "a → b", 2, (1, 5)), Confused("A: dairy", "C+C", 1, ())),
        (Suspect(2, "doubled", 1.0, 6, "a → b"), Suspect(3, "blurred", 0.1), Suspect(7, "mislabelled", 2.0, 1, "C+C")),
        ("a → b",), (Shots(1, 0.5), Shots(2, 0.75)),
    )  # fmt: skip
    return Checked(report, images)


def page(checked: Checked, tmp_path: Path, *, synthetic: bool = False) -> str:
    file = write(tmp_path / "check.html", tmp_path / "shop.index", checked, lambda path: tmp_path / path, synthetic=synthetic)
    return file.read_text(encoding="utf-8")


def words(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script).*?</\1>", " ", html)))


def test_every_part_is_there_and_no_name_becomes_markup(checked: Checked, tmp_path: Path) -> None:
    html = page(checked, tmp_path)
    text = words(html)
    assert "<script>alert(1)</script>" not in html and "<script>alert(1)</script>" in text
    for expected in ("C+C → a → b", "There twice: 1", "Blurred: 1", "Looks like another product: 1", "Fewer than three images (1): a → b"):
        assert expected in text, expected
    assert "Nothing on it" not in text, "kinds without an image have no heading"
    assert html.count("<img") >= 8 and 'src="http' not in html, "images stand in the page itself"
    assert "Held out in groups of like photographs, 8 of them; 8 images are stored." in text


def test_products_stand_with_their_figures(checked: Checked, tmp_path: Path) -> None:
    text = " ".join(words(page(checked, tmp_path)).split())
    assert "C+C 2 2 50 100" in text and "a → b 2 2 50 100 +3.1" in text
    many = replace(checked.report, per_product=tuple(OfProduct(f"p{n}", 1, 0, None, None, None) for n in range(LISTED + 5)))
    text = words(page(replace(checked, report=many), tmp_path))
    assert f"The first {LISTED} of {LISTED + 5}; the JSON has all." in text and f"p{LISTED}" not in text


def test_where_nothing_is_wrong_it_says_none(checked: Checked, tmp_path: Path) -> None:
    clean = replace(checked.report, confused=(), suspects=(), few=(), curve=())
    text = " ".join(words(page(replace(checked, report=clean), tmp_path, synthetic=True)).split())
    assert "Products that are confused None." in text and "Images that look wrong None." in text and "synthetic" in text.lower()


def test_given_photographs_are_shown_from_where_they_are_and_strangers_counted(checked: Checked, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "given.png")
    report = replace(checked.report, confused=(Confused("C+C", "a → b", 1, (0,)),))
    given = replace(checked, report=report, given=(str(tmp_path / "given.png"),), strangers=Strangers(5, 3))
    text = " ".join(words(page(given, tmp_path)).split())
    assert (
        "Asked for given photographs" in text
        and "5 photographs are of products that are not stored; 3 of them were called unknown." in text
    )


def test_an_image_that_is_gone_leaves_an_empty_frame(checked: Checked, tmp_path: Path) -> None:
    for file in tmp_path.glob("*.png"):
        file.unlink()
    assert "There twice: 1" in words(page(checked, tmp_path))


def test_the_next_commands_are_what_the_report_calls_for(checked: Checked, tmp_path: Path) -> None:
    folder = tmp_path / "my shop.index"
    commands = [shlex.split(line) for line in next_commands(folder, checked.report)]
    assert [line[:3] for line in commands] == [["repr", "index", verb] for verb in ("add", "sync", "learner", "check")]
    assert all(str(folder) in line for line in commands), "quoted, with the index"
    clean = replace(checked.report, confused=(), suspects=())
    assert [shlex.split(line)[2] for line in next_commands(folder, clean)] == ["learner", "check"]
