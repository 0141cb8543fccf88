"""The synthetic shop in MEP-3M's format: annotation.json, dataset_info.xlsx and Images/<sub-class>/<n>.jpg|png.

Format as in the real files: one JSON array written with `json.dumps(list, ensure_ascii=False, indent=4)`, ids as strings, "FALSE"
where there is no third level or no OCR text (and now and then an empty OCR), images of 220 and 75 pixels mixed.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from openpyxl import Workbook
from openpyxl.xml.functions import tostring

from repr.synthetic.identity import Product, web_product
from repr.synthetic.vocabulary import FLAVOURS, SUB_CLASSES, SubClass
from repr.synthetic.webshop import PROMOTIONS, draw_web_image

CHUNK = 16  # images a job
SMALL = 0.36  # of the real file's images have 75 pixels, the others 220
_PACKS = ("袋", "盒", "瓶", "件", "组", "箱")
_PLACES = ("上海", "福建", "云南", "新疆", "广东", "东北", "江南", "海南")
_TALK = (
    "办公室",
    "送礼佳品",
    "学生",
    "家庭装",
    "独立包装",
    "新鲜日期",
    "儿童",
    "网红",
    "老人",
    "聚会",
    "早餐",
    "宿舍",
    "大容量",
    "量贩",
    "礼盒",
    "下午茶",
    "居家常备",
)
_MISREAD = "AUHIROTMNEwnrlo7135"


@dataclass(frozen=True)
class Listing:
    """One record before its image is drawn."""

    number: int  # in the whole file
    sub_class: SubClass
    place: int  # 1, 2, … in its sub-class
    side: int
    suffix: str
    title: str
    product: Product


def counts(total: int, rng: np.random.Generator) -> dict[int, int]:
    """How many records a sub-class gets: a long tail, at least eight each."""
    order = rng.permutation([s.id for s in SUB_CLASSES])
    weights = np.arange(1, len(order) + 1) ** -0.85
    shares = np.maximum(8, np.floor(total * weights / weights.sum())).astype(int)
    return {int(number): int(share) for number, share in zip(order, shares, strict=True)}


def plan(total: int, seed: int, *, small: float = SMALL, loud: bool = False) -> list[Listing]:
    """All records in file order, sub-class by sub-class. Some products stand twice, as in the real file.

    small: the share of images of 75 pixels. loud: products are printed to be told from afar.
    """
    rng = np.random.default_rng([seed, 3])
    sizes = counts(total, rng)
    listings: list[Listing] = []
    for sub in SUB_CLASSES:
        known: list[Listing] = []
        for place in range(1, sizes[sub.id] + 1):
            side = 75 if rng.random() < small else 220
            again = known[int(rng.integers(len(known)))] if known and rng.random() < 0.09 else None
            product = again.product if again else replace(web_product(sub, seed, rng), loud=loud)
            same_title = again is not None and again.side == side and rng.random() < 0.7
            title = again.title if again and same_title else _title(product, sub, side, rng)
            suffix = "png" if rng.random() < 0.05 else "jpg"
            known.append(Listing(len(listings), sub, place, side, suffix, title, product))
            listings.append(known[-1])
    return listings


def _title(product: Product, sub: SubClass, side: int, rng: np.random.Generator) -> str:
    """A web shop's title: 31 characters on average at 220 px (real ones: 43), 54 at 75 px (55), where another shop's habits show."""

    def some(words: tuple[str, ...], n: int) -> list[str]:
        """`n` different ones of the words, or all where there are fewer."""
        return [str(w) for w in rng.choice(words, min(n, len(words)), replace=False)]

    phrases = [word for word in sub.words if word != sub.name or rng.random() < 0.15]
    pack = f"{product.amount}*{rng.integers(1, 13)}{rng.choice(_PACKS)}"
    name = f"{product.flavour}味{product.item}"
    if side == 220:
        opening = f"【{product.brand.name}】" if rng.random() < 0.4 else f"{product.brand.name} "
        parts = [
            f"{opening}{name}",
            *some(tuple(phrases) or (product.item,), 1),
            *some(_TALK, 2),
            f"{rng.choice(_PLACES)}特产" if rng.random() < 0.3 else "",
            pack,
        ]
    else:
        others = [f for f in FLAVOURS if f != product.flavour]
        parts = [*some(PROMOTIONS, 1), f"{product.brand.name} {name}", *some(tuple(phrases) or (product.item,), 2), *some(_TALK, 5)]
        parts += [f"{product.flavour}{pack}（{rng.choice(others)}随机）" if rng.random() < 0.3 else pack, product.item]
    text = " ".join(part for part in parts if part)
    return f" {text}" if rng.random() < 0.01 else text


def draw_listings(folder: Path, chunk: list[Listing], seed: int) -> list[dict[str, object]]:
    """Draw and write the images of some records; their finished annotation objects."""
    return [_draw(folder, listing, np.random.default_rng([seed, 4, listing.number])) for listing in chunk]


def _draw(folder: Path, listing: Listing, rng: np.random.Generator) -> dict[str, object]:
    sub, product = listing.sub_class, listing.product
    image, words = draw_web_image(product, listing.side, rng)
    path = Path("Images") / str(sub.id) / f"{listing.place}.{listing.suffix}"
    if listing.suffix == "jpg":
        image.save(folder / path, quality=int(rng.integers(78, 93)))
    else:
        image.save(folder / path, compress_level=6)
    third = _third(sub, product)
    return {
        "class_id": str(sub.class_id),
        "class_name": sub.class_name,
        "sub_class_id": str(sub.id),
        "sub_class_name": sub.name,
        "subsub_class_id": str(third[0]) if third else "FALSE",
        "subsub_class_name": third[1] if third else "FALSE",
        "img_path": path.as_posix(),
        "img_resolution": [listing.side, listing.side, 3],
        "title": listing.title,
        "OCR": _read(words, listing.side, rng),
    }


def _third(sub: SubClass, product: Product) -> tuple[int, str] | None:
    """The third level follows from the kind of product; one kind in each sub-class has only the coarse label."""
    if not sub.third:
        return None
    place = sum(map(ord, product.item)) % (len(sub.third) + 1)
    return sub.third[place] if place < len(sub.third) else None


def _read(words: str, side: int, rng: np.random.Generator) -> str:
    """What a text reader made of the image: "FALSE" for nothing (53 % of the real file), rarely "", else half misread."""
    if rng.random() < 0.004:
        return ""
    if rng.random() > (0.60 if side == 220 else 0.24):
        return "FALSE"
    letters = [c if rng.random() < 0.72 else str(rng.choice(list(_MISREAD))) for c in words if rng.random() < 0.93]
    return "".join(letters) or "FALSE"


def folders(folder: Path) -> None:
    """Make the image folders."""
    for sub in SUB_CLASSES:
        (folder / "Images" / str(sub.id)).mkdir(parents=True)


def write_annotations(folder: Path, records: list[dict[str, object]]) -> None:
    """Write annotation.json and dataset_info.xlsx into `folder`."""
    (folder / "annotation.json").write_text(json.dumps(records, ensure_ascii=False, indent=4), encoding="utf-8", newline="\n")
    (folder / "dataset_info.xlsx").write_bytes(_class_table())


def _class_table() -> bytes:
    """The class table in the real one's shape: numbers, and Excel's FALSE where there is no third level. The same bytes every time."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "DATASET_INFO"
    sheet.append(["class_id", "class_name", "sub_class_id", "sub_class_name", "subsub_class_id", "subsub_class_name"])
    for sub in sorted(SUB_CLASSES, key=lambda s: s.id):
        sheet.append([sub.class_id, sub.class_name, sub.id, sub.name, False, False])
        for number, name in sub.third:
            sheet.append([sub.class_id, sub.class_name, sub.id, sub.name, number, name])
    written = io.BytesIO()
    book.save(written)
    # openpyxl stamps the time of writing into the archive and into docProps/core.xml.
    book.properties.created = book.properties.modified = datetime(2020, 1, 1)
    fixed = io.BytesIO()
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            blob = source.read(entry)
            if entry.filename == "docProps/core.xml":
                blob = tostring(book.properties.to_tree())
            target.writestr(zipfile.ZipInfo(entry.filename, (2020, 1, 1, 0, 0, 0)), blob)
    return fixed.getvalue()
