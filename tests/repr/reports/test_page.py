"""The page: self-contained, escaped, labelled, with words for every image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.errors import UserError
from repr.reports.figures import lines
from repr.reports.page import Page, inline, plain
from repr.reports.sheet import SheetRow


def image(value: int = 128) -> Image.Image:
    return Image.fromarray(np.full((20, 30, 3), value, dtype=np.uint8))


def full(*, synthetic: bool = False) -> str:
    page = Page("A <title>", synthetic)
    page.section("One & two")
    page.text("Words **bold** and `code <x>`.\n\n- first\n- [second](a/b.html)")
    page.table(["name", "value"], [["洗发水 <b>", "**1.0**"]], "A caption")
    page.figure(
        lines([1, 2, 3], {"a $5 thing": [1.0, 2.0, None], "b": [3.0, 2.0, 1.0]}, xlabel="epoch", ylabel="loss"), "Loss by **epoch**"
    )
    page.section("Images")
    page.images(image(), "An image")
    page.neighbours([SheetRow(image(), "query <q>", [(image(), "right", True), (image(), "wrong", False)])], "Neighbours")
    return page.render()


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = full()
    assert "default-src 'none'" in html
    assert 'src="http' not in html and "@import" not in html and "<link" not in html


def test_text_is_escaped_and_marked_up() -> None:
    html = full()
    assert "<title>A &lt;title&gt;</title>" in html and '<h2 id="s1">One &amp; two</h2>' in html
    assert "<strong>bold</strong>" in html and "<code>code &lt;x&gt;</code>" in html
    assert "<li>first</li>" in html and '<a href="a/b.html">second</a>' in html
    assert "洗发水 &lt;b&gt;" in html and "query &lt;q&gt;" in html


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//elsewhere.example/x", "vbscript:x"])
def test_only_plain_addresses_become_links(address: str) -> None:
    assert "<a " not in inline(f"[words]({address})")


def test_a_synthetic_page_has_a_banner_and_others_do_not() -> None:
    assert 'class="synthetic"' in full(synthetic=True) and "A &lt;title&gt; (synthetic)" in full(synthetic=True)
    assert 'class="synthetic"' not in full() and "(synthetic)" not in full()


def test_figures_keep_their_text_and_follow_the_page() -> None:
    html = full()
    svg = html[html.index("<svg") : html.index("</svg>")]
    assert "a $5 thing" in svg and "currentColor" in svg and "#010203" not in svg
    assert 'aria-label="Loss by epoch"' in svg


def test_two_figures_share_no_ids() -> None:
    import re

    page = Page("x", synthetic=False)
    for _ in range(2):
        page.figure(lines([1, 2], {"a": [1.0, 2.0]}, xlabel="x", ylabel="y"), "Same")
    ids = re.findall(r'\bid="([^"]+)"', page.render())
    assert len(ids) == len(set(ids))


def test_the_same_page_is_the_same_text() -> None:
    assert full() == full()


def test_matches_say_right_and_wrong_without_colour() -> None:
    html = full()
    assert "✓ right" in html and "✗ wrong" in html and 'alt="good: right"' in html


def test_write_is_whole_and_refuses_a_folder(tmp_path: Path) -> None:
    page = Page("x", synthetic=False)
    assert page.write(tmp_path / "a" / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(UserError, match="a folder, not a file"):
        page.write(tmp_path)


def test_plain_drops_the_marks() -> None:
    assert plain("**bold** `code` [words](x.html)") == "bold code words"
