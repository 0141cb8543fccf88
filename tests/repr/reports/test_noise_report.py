"""The page of labels that look wrong: worst first, pairs that are taken for each other, and the command that takes the rows out."""

from __future__ import annotations

import re
import shlex
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.classify.noise import Findings, Flagged
from repr.reports.noise_report import PAIRS, SHOWN, write


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    for n in range(4):
        Image.fromarray(np.full((12, 12, 3), 50 * n, np.uint8)).save(tmp_path / f"{n}.png")
    columns: dict[str, list[object]] = {
        "path": [f"{n}.png" for n in range(4)],
        "product": ["C+C", "-1", "nan", "a → b"],
        "class_1": [0, 1, 0, 1],
        "title": ["<b>tea</b> & more", None, "jam", "bread"],
    }
    names = (ClassName("1", "A: dairy"), ClassName("2", "<script>"))
    return build(columns, classes=(names, (), ()), sources=(Source("my shop", "folders", tmp_path),), default_level=1)


def findings(catalog: Catalog, flagged: int, dropped: int = 1) -> Findings:
    rows = [Flagged(n % 4, "p", "A: dairy", ("<script>", "other")[n % 3 == 2], 0.9 - 0.001 * n, n < dropped) for n in range(flagged)]
    return Findings(tuple(rows), 100, 0, 4, catalog)


def text_of(page: Path) -> str:
    html = page.read_text(encoding="utf-8")
    assert "<script>," not in html and "<b>tea" not in html, "names and titles are text"
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)\b.*?</\1>", " ", html))).split())


def test_each_row_has_its_image_labels_margin_and_title(catalog: Catalog, tmp_path: Path) -> None:
    page = write(findings(catalog, 3), tmp_path)
    text = text_of(page)
    assert "3 of 100 training rows flagged, 1 of them dropped. Every row was judged by a model of the other 3 of 4 folds." in text
    assert "A: dairy → <script>, 0.90. <b>tea</b> & more" in text and "A: dairy → other, 0.90. jam" in text
    assert page.read_text(encoding="utf-8").count("data:image/") >= 3


def test_pairs_are_counted_with_their_share(catalog: Catalog, tmp_path: Path) -> None:
    text = text_of(write(findings(catalog, 9), tmp_path))
    assert "A: dairy <script> 6 66.7" in text and "A: dairy other 3 33.3" in text


def test_of_very_many_the_first_are_shown(catalog: Catalog, tmp_path: Path) -> None:
    page = write(findings(catalog, SHOWN + 7), tmp_path)
    assert f"The first {SHOWN} of {SHOWN + 7}." in text_of(page)
    assert page.read_text(encoding="utf-8").count("data:image/") <= SHOWN + 2 and PAIRS > 2


def test_nothing_flagged_has_no_sections(catalog: Catalog, tmp_path: Path) -> None:
    text = text_of(write(findings(catalog, 0), tmp_path))
    assert "0 of 100 training rows flagged" in text and "Worst first" not in text


def test_the_command_that_takes_the_rows_out_is_complete(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "my noise"
    folder.mkdir()
    (line,) = re.findall(r"repr classify noise apply [^\n<]*", unescape(write(findings(catalog, 1), folder).read_text(encoding="utf-8")))
    words = shlex.split(line)
    assert words[:4] == ["repr", "classify", "noise", "apply"] and sorted(words[4:]) == sorted(["--out", "pruned.parquet", str(folder)])
