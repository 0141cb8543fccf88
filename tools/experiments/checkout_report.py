"""The page of the checkout experiment: test scenes with what was named rightly and wrongly, and the real scenes with our boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from checkout_naming import Ground, Named, detected, named

from repr.checkout.basket import Basket, Item
from repr.checkout.proposal import Proposer
from repr.images.reader import read_image
from repr.lookup.answers import Answerer
from repr.lookup.matches import Match
from repr.reports.page import Page
from rpc_transfer.checkout.finding import FIT, ious
from rpc_transfer.checkout.writing import write_sheet

SHOWN = 3  # scenes of a set, one a level
A_SHEET = 8  # real scenes


def draw_errors(ground: Ground, answerer: Answerer, kind: str, file: Path) -> None:
    """A sheet of test scenes: boxes blue where a product of that name lies in them, vermillion where none does."""
    truth, boxes = ground.truths[1], ground.test[kind]
    names = named(answerer, boxes.features)
    results = detected(truth, boxes, names)
    scenes = []
    for number in _one_a_level(ground):
        mine = (truth.image == number).nonzero()[0]
        items = []
        for row in np.flatnonzero(results.image == number):
            fits = ious(results.boxes[row], truth.boxes[mine])
            right = bool(((fits >= FIT) & (truth.product[mine] == results.product[row])).any())
            items.append(_item(names, boxes.boxes[row].tolist(), int(row), right))
        image = ground.of.test.folder / truth.names[number]
        scenes.append(Basket(str(image), read_image(image).size, tuple(items)))
    write_sheet(file, scenes, synthetic=ground.of.name == "shop")


def _item(names: Named, box: list[float], row: int, right: bool) -> Item:
    x, y, w, h = box
    match = Match(str(names.product[row]), 0.0, "", probability=float(names.chance[row]))
    return Item((x, y, w, h), 1.0, not right, (match,))


def _one_a_level(ground: Ground) -> list[int]:
    levels = ground.truths[1].levels
    return sorted({int(np.flatnonzero(levels == level)[0]) for level in np.unique(levels)})[:SHOWN]


def draw_real(scenes: Sequence[Path], finder: Proposer, folder: Path, kind: str) -> None:
    """Sheets of all real scenes with their boxes."""
    for first in range(0, len(scenes), A_SHEET):
        drawn = [_boxed(scene, finder) for scene in scenes[first : first + A_SHEET]]
        write_sheet(folder / f"real-{kind}-{first:02}.jpg", drawn, synthetic=False)


def _boxed(scene: Path, finder: Proposer) -> Basket:
    image = read_image(scene)
    items = [Item(one.box, one.score, False, (Match("product", one.score, ""),)) for one in finder(image)]
    return Basket(str(scene), image.size, tuple(items))


def write_report(folder: Path) -> Path:
    """report.html of all sheets in a folder; its path."""
    page = Page("Automatic checkout", synthetic=any(folder.glob("errors-shop-*.jpg")))
    page.section("What is named wrongly")
    for file in sorted(folder.glob("errors-*.jpg")):
        page.images(read_image(file), f"{file.stem}: blue boxes hold a product of that name, the others do not, and count as unknown here.")
    page.section("Real scenes")
    for file in sorted(folder.glob("real-*.jpg")):
        page.images(read_image(file), f"{file.stem}: boxes and their scores; nobody has labelled these scenes.")
    return page.write(folder / "report.html")
