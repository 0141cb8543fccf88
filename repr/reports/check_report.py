"""The page of `repr index check`: what an index answers, which products it confuses, and which stored images look wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from PIL import Image

from repr.commands import command_line
from repr.images.boxes import Box
from repr.images.reader import Unreadable, read_image
from repr.lookup.check import Confused, Report, Suspect
from repr.lookup.checking import Checked, mean_gain
from repr.reports.page import Page
from repr.reports.sheet import SheetRow

THUMB = 96
PAIRS, SUSPECTS, LISTED = 20, 24, 50  # that are shown with images; products in the table
WORDS = {
    "mislabelled": "Looks like another product",
    "doubled": "There twice",
    "blurred": "Blurred",
    "empty": "Nothing on it",
    "unreadable": "Cannot be read",
}


def write(file: Path, index: Path, checked: Checked, place: Callable[[str], Path], *, synthetic: bool) -> Path:
    """Write the page, whole or not at all. index: its folder. place: where the file of a stored image is, by its path in the index."""
    page, report = Page(f"Check of {index.name}", synthetic), checked.report
    _summary(page, checked)
    page.section("What to try next")
    page.code("\n".join(next_commands(index, report)))
    page.section("Products that are confused")
    if not report.confused:
        page.text("None.")
    else:
        page.table(["product → answered with", "times"], [[f"{pair.product} → {pair.other}", str(pair.count)] for pair in report.confused])
        rows = [row for pair in report.confused[:PAIRS] if (row := _pair(pair, checked, place))]
        page.neighbours(rows, "An image of the product, and images of the one that was answered.", thumb=THUMB)
    page.section("Images that look wrong")
    for reason, title in WORDS.items():
        if suspects := [suspect for suspect in report.suspects if suspect.reason == reason]:
            page.heading(f"{title}: {len(suspects)}")
            page.neighbours([_suspect(one, checked, place) for one in suspects[:SUSPECTS]], "", thumb=THUMB)
    if not report.suspects:
        page.text("None.")
    page.section("Products, the worst first")
    _products(page, report)
    return page.write(file)


def next_commands(index: Path, report: Report) -> list[str]:
    """What to type next: more photographs of what is confused, the folder again once wrong images are mended, who answers anew."""
    return [
        *([command_line("repr index add", index, data="MORE_PHOTOGRAPHS")] if report.confused else []),
        *([command_line("repr index sync", index, data="MENDED_FOLDER")] if report.suspects else []),
        command_line("repr index learner", index),
        command_line("repr index check", index, data="OTHER_PHOTOGRAPHS"),
    ]


def _summary(page: Page, checked: Checked) -> None:
    report = checked.report
    page.text("\n".join(f"- {line}" for line in checked.lines()[:1]))
    how = "Held out in groups of like photographs" if checked.given is None else "Asked for given photographs"
    page.text(f"{how}, {report.asked:,} of them; {report.images:,} images are stored. The learner is `{report.learner}`.")
    if checked.strangers is not None and checked.strangers.count:
        count, unknown = checked.strangers.count, checked.strangers.unknown
        page.text(f"{count} photographs are of products that are not stored; {unknown} of them were called unknown.")
    if report.curve:
        rows = [[f"{point.images}", f"{100 * point.top1:.1f}"] for point in report.curve]
        gain = mean_gain(report)
        more = "" if gain is None else f" One more photograph of every product would give about {100 * gain:+.1f} points."
        page.table(["images a product, at most", "first right, %"], rows, f"Held out, mean over products.{more}")
    if report.few:
        page.text(f"Fewer than three images ({len(report.few)}): {', '.join(report.few[:LISTED])}")


def _products(page: Page, report: Report) -> None:
    def _percent(share: float | None) -> str:
        return "" if share is None else f"{100 * share:.0f}"

    rows = [
        [
            one.product,
            str(one.images),
            str(one.asked),
            _percent(one.top1),
            _percent(one.top5),
            "" if one.gain is None else f"{100 * one.gain:+.1f}",
        ]
        for one in report.per_product[:LISTED]
    ]
    more = f"The first {LISTED} of {len(report.per_product)}; the JSON has all." if len(report.per_product) > LISTED else ""
    page.table(["product", "images", "asked", "first, %", "among five, %", "one more image, points"], rows, more)


def _pair(pair: Confused, checked: Checked, place: Callable[[str], Path]) -> SheetRow | None:
    """An image that was answered wrongly, beside stored images of the product that it was answered with."""
    if not pair.images:
        return None
    first = pair.images[0]
    query = _stored(first, checked, place) if checked.given is None else _read(Path(checked.asked_image(first)), None)
    others = [image.id for image in checked.images.values() if image.product == pair.other][:3]
    return SheetRow(query, pair.product, [(_stored(other, checked, place), pair.other, None) for other in others])


def _suspect(suspect: Suspect, checked: Checked, place: Callable[[str], Path]) -> SheetRow:
    image = checked.images[suspect.image]
    matches = [] if suspect.other is None else [(_stored(suspect.other, checked, place), suspect.product or "", None)]
    return SheetRow(_stored(suspect.image, checked, place), f"{image.product}\n{image.path}", matches)


def _stored(id_: int, checked: Checked, place: Callable[[str], Path]) -> Image.Image | Path:
    image = checked.images[id_]
    return _read(place(image.path), cast("Box | None", image.box))


def _read(file: Path, box: Box | None) -> Image.Image | Path:
    """The image cut out by its box; its path, which is then drawn as an empty frame, where it cannot be read."""
    try:
        return read_image(file, short_side=2 * THUMB, box=box)
    except Unreadable:
        return file
