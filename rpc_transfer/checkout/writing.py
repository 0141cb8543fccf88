"""Baskets as files: COCO's results, a table, JSON, and images with the boxes and names drawn on them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from repr.catalog.jsonfile import id_value
from repr.catalog.names import normal
from repr.catalog.passed import Tally
from repr.checkout.basket import Basket
from repr.errors import UserError
from repr.files import replacing, write_json
from repr.images.reader import read_image
from repr.records import Json
from repr.reports.sheet import readable, typeface
from rpc_transfer.checkout.files import read_counter

COLUMNS = ("image", "product", "name", "barcode", "count")
SIDE = 900  # pixels of a drawn image's longer side
COLOURS = ((0, 114, 178), (213, 94, 0))  # Okabe and Ito's blue for what is known, vermillion for what is not


@dataclass(frozen=True)
class Ids:
    """How the truth numbers images, by file name, and categories, by product id."""

    images: Mapping[str, int | str]
    categories: Mapping[str, int | str]

    @classmethod
    def like(cls, truth: Path) -> Ids:
        """As an instances file has them."""
        counter = read_counter(truth, Tally())
        images = {normal(counter.names[number]): id_value(id_) for id_, number in counter.ids.items()}
        return cls(images, {id_: id_value(id_) for id_ in counter.categories})


def results(found: Iterable[Basket], ids: Ids | None = None) -> list[Json]:
    """COCO's results: a box with the category of its best name each, and its confidence: what is unknown keeps its best name, since the
    threshold by which results are measured decides what counts.

    ids: as the truth numbers things; None for file names and product ids as they are. Raises UserError for an image that the truth lacks.
    """
    rows: list[Json] = []
    for basket in found:
        name = normal(Path(basket.query).name)
        if ids is not None and name not in ids.images:
            raise UserError("not in the list of images", basket.query, "Give the images that the truth lists")
        image = ids.images[name] if ids is not None else name
        for item in basket.items:
            product = item.matches[0].product
            category = ids.categories.get(product, product) if ids else id_value(product)
            rows.append({"image_id": image, "category_id": category, "bbox": list(item.box), "score": item.confidence})
    return rows


def write(file: Path, found: Sequence[Basket], kind: str, ids: Ids | None = None) -> None:
    """Write baskets as "coco" results, a "csv" of the lists, or "json"."""
    if kind == "coco":
        write_json(file, results(found, ids))
    elif kind == "json":
        write_json(file, [basket.as_json() for basket in found])
    else:
        stream = io.StringIO()
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for basket in found:
            table.writerows([basket.query, line.product, line.name or "", line.barcode or "", line.count] for line in basket.lines)
            if basket.unknown:
                table.writerow([basket.query, "", "unknown", "", basket.unknown])
        with replacing(file) as temporary:
            temporary.write_text(stream.getvalue(), encoding="utf-8-sig", newline="")


def write_sheet(file: Path, found: Sequence[Basket], *, synthetic: bool) -> None:
    """Draw the images below one another, each with its boxes and its list."""
    drawn = [_drawn(basket, synthetic) for basket in found if not basket.error]
    if not drawn:
        raise UserError("not one image can be read", file, "Check the images")
    sheet = Image.new("RGB", (max(one.width for one in drawn), sum(one.height for one in drawn)), "white")
    top = 0
    for one in drawn:
        sheet.paste(one, (0, top))
        top += one.height
    with replacing(file) as temporary, temporary.open("wb") as stream:
        sheet.save(stream, "JPEG" if file.suffix.lower() in (".jpg", ".jpeg") else "PNG")


def _drawn(basket: Basket, synthetic: bool) -> Image.Image:
    image = read_image(basket.query)
    scale = min(1.0, SIDE / max(image.size))
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    letters = typeface(13)
    draw = ImageDraw.Draw(image)
    for item in basket.items:
        x, y, w, h = (edge * scale for edge in item.box)
        colour, best = COLOURS[item.unknown], item.matches[0]
        draw.rectangle((x, y, x + w, y + h), outline=colour, width=2)
        chance = "" if best.probability is None else f" {best.probability:.2f}"
        text = readable(f"{'? ' if item.unknown else ''}{best.name or best.product}{chance}", letters)
        draw.rectangle((x, y - 16, x + letters.getlength(text) + 4, y), fill=colour)
        draw.text((x + 2, y - 16), text, "white", letters)
    words = [f"{line.count} × {line.name or line.product}{f'  {line.barcode}' if line.barcode else ''}" for line in basket.lines]
    words += [f"{basket.unknown} unknown"] if basket.unknown else []
    title = f"{Path(basket.query).name}{' (synthetic)' if synthetic else ''}"
    return _beside(image, [title, "", *(words or ["nothing on the counter"])])


def _beside(image: Image.Image, lines: Sequence[str]) -> Image.Image:
    letters = typeface(14)
    whole = Image.new("RGB", (image.width + 380, max(image.height, 20 * len(lines) + 16) + 8), "white")
    whole.paste(image, (0, 0))
    draw = ImageDraw.Draw(whole)
    for n, line in enumerate(lines):
        draw.text((image.width + 12, 8 + 20 * n), readable(line, letters), (28, 33, 40), letters)
    return whole
