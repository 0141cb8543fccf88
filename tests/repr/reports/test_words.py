"""The small marks of a page: links, alternative texts, values in words, machines, settings."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repr.reports.page import SCROLLS, Page, data_url, in_words, inline, plain
from repr.runs import Run

HOSTILE = ["C+C", "a → b", "A: dairy", "<script>alert(1)</script>", '" onload="x', "&amp;"]


@pytest.mark.parametrize(
    ("value", "words"),
    [((1, 0.5), "1, 0.5"), ([], ""), (True, "yes"), (False, "no"), (None, "None"), (0.0625, "0.0625"), ("a b", "a b")],
)
def test_values_in_words(value: object, words: str) -> None:
    assert in_words(value) == words


@given(st.text(max_size=40))
def test_no_text_opens_an_element_of_its_own(text: str) -> None:
    elements = set(re.findall(r"<(/?\w+)", inline(text)))
    assert elements <= {"code", "/code", "strong", "/strong", "a", "/a"}
    assert '"' not in re.sub(r'<a href="[^"]*">', "", inline(text))


@pytest.mark.parametrize("address", ["page.html", "a/b.html", "#s1", "https://example.org/x?y=1"])
def test_plain_addresses_become_links(address: str) -> None:
    assert inline(f"see [there]({address}).") == f'see <a href="{address}">there</a>.'


def test_plain_is_what_inline_shows() -> None:
    text = "**Mean** of `acc_all`, see [the table](#s2)"
    assert re.sub(r"<[^>]+>", "", inline(text)) == plain(text) == "Mean of acc_all, see the table"


@pytest.mark.parametrize(
    ("mode", "kind", "form"), [("RGB", "jpeg", "JPEG"), ("L", "jpeg", "JPEG"), ("RGBA", "png", "PNG"), ("P", "png", "PNG")]
)
def test_images_travel_in_the_page(mode: str, kind: str, form: str) -> None:
    image = Image.fromarray(np.full((8, 12, 3), 51, np.uint8)).convert(mode)
    head, _, body = data_url(image).partition(",")
    assert head == f"data:image/{kind};base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as read:
        assert read.size == (12, 8) and read.format == form
        red, _, _ = read.convert("RGB").getpixel((3, 3))  # type: ignore[misc]
        assert abs(red - 51) <= 3


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_shown_as_it_is(name: str) -> None:
    page = Page(name, synthetic=False)
    page.section(name)
    page.heading(name)
    page.code(name)
    page.table([name], [[name]], words=True)
    html = page.render()
    html = html.replace(SCROLLS, "")
    assert "<script" not in html and '" onload="' not in html
    texts = re.findall(r"<(?:h1|h3|title|td|code)[^>]*>([^<]*)</", html)
    assert len(texts) >= 5 and len({text.replace("&#x27;", "'") for text in texts}) <= 2


def test_contents_stand_at_the_top_from_two_sections_on() -> None:
    page = Page("x", synthetic=False)
    page.section("First")
    assert "<nav" not in page.render()
    page.section("Second")
    assert '<a href="#s1">First</a><a href="#s2">Second</a>' in page.render()


def test_a_table_whose_rows_do_not_fit_its_head_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="1 cells under 2"):
        Page("x", synthetic=False).table(["a", "b"], [["1"]])


def test_the_machine_with_its_packages_and_without() -> None:
    page = Page("x", synthetic=False)
    page.machine({"python": "3.12", "cpus": 2, "packages": {"torch": "2.11"}})
    page.machine({"cpus": None})
    html = page.render()
    assert "<td>torch</td><td>2.11</td>" in html and "<td>cpus</td><td>2</td>" in html and html.count("<td>packages</td>") == 0


def test_settings_that_were_left_empty_are_left_out(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "it's", "repr pretrain", {"data": ["a b"], "epochs": 2, "subset": None}, data="shop", synthetic=False)
    page = Page("x", synthetic=False)
    page.options(run, "A caption.")
    html = page.render()
    assert "<td>2</td>" in html and "<td>a b</td>" in html and "subset" not in html
    assert "repr pretrain --config" in html and "A caption." in html


def test_html_stands_as_it_is() -> None:
    page = Page("x", synthetic=False)
    page.html("<b id='mine'>1</b>")
    assert "<b id='mine'>1</b>" in page.render()
