"""The page in a headless Chromium, end to end: upload, answer, confirm and take back, correct, add, find again, review, browse, map."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from repr.lookup.index import Index
from repr.lookup.matches import Answer, Match
from repr.server.app import PAGE
from repr.server.doubts import Doubts
from tests.repr.server.browser import BROWSER, DRIVER, Browser, browser
from tests.repr.server.counter import counter
from tests.repr.server.shop import WRITE, encoded, fill, photograph, pixels
from tests.repr.server.started import Started, started

pytestmark = pytest.mark.skipif(not (DRIVER and BROWSER), reason="no chromium and chromedriver here")
SHOTS = os.environ.get("REPR_SCREENSHOTS")  # a folder to leave screenshots in


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    index = fill(tmp_path_factory.mktemp("page"))
    Doubts(index.folder).keep([photograph(300)], [Answer("shelf.jpg", (Match("tea", 0.5, "tea/a.png", probability=0.4),), unknown=True)])
    return index


@pytest.fixture(scope="module")
def service(index: Index) -> Iterator[Started]:
    with started(index.folder, "--max-mb", "1", "--write-key", "env:SHOP_KEY", environment={"SHOP_KEY": WRITE}) as one:
        yield one


@pytest.fixture(scope="module")
def window(service: Started) -> Iterator[Browser]:
    with browser() as one:
        one.size(1280, 900)
        one.open(service.url)
        one.find("h1", "Which product")
        yield one


def shot(window: Browser, name: str) -> None:
    """Leave the page as it looks, small and large, light and dark, for a person."""
    assert window.run("return document.documentElement.scrollWidth <= innerWidth + 1"), f"{name} is wider than the window"
    if SHOTS:
        for width, height, dark in ((1280, 900, False), (390, 844, False), (1280, 900, True), (390, 844, True)):
            window.size(width, height, dark=dark)
            window.settled()
            window.screenshot(Path(SHOTS) / f"{name}-{width}{'-dark' if dark else ''}.png")
        window.size(1280, 900)


def show(window: Browser, name: str) -> None:
    window.run(f"location.hash = '#{name}'")


def test_upload_answer_confirm_and_take_back(window: Browser, index: Index, tmp_path: Path) -> None:
    file = tmp_path / "tea at home.png"
    file.write_bytes(encoded(pixels(0) // 2 + 60))
    window.type(".drop input[type=file]", str(file))
    assert "tea" in window.text(".answer h2") and "tea at home.png" in window.text(".asked")
    shot(window, "answer")
    window.click(".match .confirm")
    window.type("#key-value", f"{WRITE}\ue007")  # the service asks for the key; Enter
    window.find(".notice.good", "Stored as an image of tea")
    assert index.store.counts()[1] == 6
    window.click("#said button", "Undo")
    window.find("#said", "Taken back")
    assert index.store.counts() == (3, 5)


def test_correct_to_another_product(window: Browser, index: Index, tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(photograph(200))
    show(window, "products")
    show(window, "find")
    window.type(".drop input[type=file]", str(file))
    window.click("button.other")
    window.type("dialog input[type=search]", "oil")
    window.gone("dialog .pick:nth-of-type(2)")
    shot(window, "choose")
    window.click("dialog .pick", "oil")
    window.find(".notice.good", "oil")
    assert len(list(index.store.images(product="oil"))) == 2


def test_add_a_product_and_find_it_again(window: Browser, index: Index, tmp_path: Path) -> None:
    names = [tmp_path / f"{name}.png" for name in ("one", "two", "flat", "known")]
    for name, data in zip(names, (photograph(210), photograph(211), encoded(pixels(0) * 0 + 90), photograph(0)), strict=True):
        name.write_bytes(data)
    show(window, "products")
    window.click("button.strong", "Add a product")
    window.type(".add input[name=id]", "酱油/soy")
    window.type(".add input[name=name]", "Soy sauce")
    window.type(".add input[name=category]", "food > sauces")
    window.type(".add input[type=file]", "\n".join(map(str, names)))
    assert "nothing" in window.text(".finding.empty") and "tea" in window.text(".finding.doubled")
    shot(window, "add")
    for name in ("flat", "known"):
        window.click(f"button[aria-label='Leave out {name}.png']")
    window.click(".add button[type=submit]")
    window.find(".tile", "Soy sauce")
    product = next(one for one in index.store.products().values() if one.name == "Soy sauce")
    assert (product.id, product.category) == ("酱油/soy", ("food", "sauces"))
    assert len(list(index.store.images(product=product.id))) == 2
    shot(window, "products")
    window.click(".tile", "Soy sauce")
    window.find("button", "Add photographs")
    shot(window, "product")
    show(window, "find")
    window.type(".drop input[type=file]", str(names[0]))
    assert window.text(".answer h2") == "Soy sauce" and "food › sauces" in window.text(".match")


def test_photographs_too_many_for_a_request_and_an_undo_that_leaves_what_others_added(
    window: Browser, index: Index, tmp_path: Path
) -> None:
    names = [tmp_path / f"{number}.png" for number in range(6)]
    for seed, name in enumerate(names):
        name.write_bytes(encoded(pixels(400 + seed, 560)))
    assert sum(name.stat().st_size for name in names) > 5 * 2**20 and max(name.stat().st_size for name in names) < 2**20
    show(window, "products")
    window.click("button.strong", "Add a product")
    window.type(".add input[name=id]", "many")
    window.type(".add input[type=file]", "\n".join(map(str, names)))
    window.find(".add li:nth-child(6) .finding")
    assert window.run("return document.querySelectorAll('.add .finding.unreadable, .add .finding.unlooked').length") == 0
    window.click(".add button[type=submit]")
    window.find("#said", "6 photographs of many stored")
    index.add("many", [photograph(420)])  # as another would
    window.click("#said button", "Undo")
    window.find("#said", "Taken back")
    (kept,) = index.store.images(product="many")
    index.remove(["many"])
    assert kept.content == sha256(photograph(420)).digest()


def test_count_a_counter_and_correct_its_boxes(window: Browser, tmp_path: Path) -> None:
    file = tmp_path / "counter.png"
    file.write_bytes(counter("tea", "jam", "oil"))
    show(window, "checkout")
    window.type(".drop input[type=file]", str(file))
    window.find(".counter h2", "3 things on the counter")
    assert window.run("return document.querySelectorAll('.stage .box').length") == 3
    shot(window, "checkout")
    window.click(".stage .box")
    window.click("button.other", "Another product")
    window.type("dialog input[type=search]", "oil")
    window.gone("dialog .pick:nth-of-type(2)")
    window.click("dialog .pick", "oil")
    window.find(".lines li", "oil")
    window.click(".stage .box")
    shot(window, "checkout-box")
    window.click("button.bad", "Remove the box")
    window.find(".counter h2", "2 things")
    window.click("#said button", "Undo")
    window.find(".counter h2", "3 things")
    window.drag(".stage img", (0.06, 0.8), (0.3, 0.97))
    window.find(".counter h2", "4 things")
    window.click("button", "Not ours")
    window.find(".lines .unknown", "not one of ours")


def test_review_what_was_doubtful(window: Browser, index: Index) -> None:
    show(window, "review")
    window.find(".doubt h2", "not one of ours")
    shot(window, "review")
    waiting, stored = Doubts(index.folder).page()[1], len(list(index.store.images(product="tea")))
    for left in range(waiting - 1, -1, -1):
        window.click(".pick", "tea")
        window.find("main p", f"{left} photograph" if left else "Nothing to look at")
    assert len(list(index.store.images(product="tea"))) == stored + waiting and Doubts(index.folder).page() == ([], 0)


def test_map_by_keyboard_and_nothing_went_wrong(window: Browser) -> None:
    show(window, "map")
    window.find("canvas")
    window.run("document.querySelector('canvas').focus()")
    window.type("canvas", "\ue014\ue014")  # arrow right
    window.find(".tip strong")
    shot(window, "map")
    named = "one.textContent.trim() || one.ariaLabel || one.labels?.length"
    assert window.run(f"return [...document.querySelectorAll('button, input, a')].filter(one => !({named})).length") == 0
    assert [line for line in window.messages() if not {"401", "404", "413"} & {*line.split()}] == []  # asked for, and said


def test_a_window_without_the_key(service: Started, window: Browser) -> None:
    window.run("sessionStorage.clear()")
    window.open(f"{service.url}/#review")
    window.find("#key-dialog")
    shot(window, "key")
    window.click("#key-dialog button", "Cancel")
    assert "key" in window.text("main .notice")


def test_no_file_of_the_page_names_another_host() -> None:
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "//cdn" not in text, file
