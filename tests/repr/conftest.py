"""The Rakuten challenge's files, drawn small, in both layouts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image


class Offer(NamedTuple):
    """One product to be written: title and description as a shop has them, its image a file or pixels, its class."""

    title: str
    description: str
    image: Path | np.ndarray | None
    code: int


Write = Callable[[Path, str, Sequence[Offer]], Path]
HEADS = {
    "sigir": ["Integer_id", "Title", "Description", "Image_id", "Product_id"],
    "ens": ["", "designation", "description", "productid", "imageid"],
}
WORDS = {
    10: "livre roman d&#39;amour",
    2280: "magazine <b>ancien</b> n&deg; 12",
    1281: "jeu de soci&eacute;t&eacute;",
    2583: "pompe piscine &amp; filtre",
}


@pytest.fixture(scope="session")
def write_rakuten() -> Write:
    """Write offers into a folder in the layout "sigir" or "ens"; ids beyond 32 bits."""

    def write(root: Path, layout: str, offers: Sequence[Offer], part: str = "train") -> Path:
        folder = root / "images" / f"image_{part}"
        folder.mkdir(parents=True, exist_ok=True)
        products, labels = [], []
        for n, offer in enumerate(offers):
            product, image = 3_000_000_000 + 7 * n, 5_000_000_000 + n
            path = folder / f"image_{image}_product_{product}.jpg"
            if isinstance(offer.image, Path):
                path.write_bytes(offer.image.read_bytes())
            elif offer.image is not None:
                Image.fromarray(offer.image).save(path)
            ids = [image, product] if layout == "sigir" else [product, image]
            products.append([n, offer.title, offer.description, *ids])
            labels.append([offer.code] if layout == "sigir" else [n, offer.code])
        mark, end = ("\t", "tsv") if layout == "sigir" else (",", "csv")
        names = (f"X_{part}.tsv", f"Y_{part}.tsv") if layout == "sigir" else (f"X_{part}_update.csv", f"Y_{part}_CVw08PX.csv")
        head = ["Prdtypecode"] if layout == "sigir" else ["", "prdtypecode"]
        if layout == "ens":
            labels.reverse()  # joined by their index, not by their place
        for name, header, rows in ((names[0], HEADS[layout], products), (names[1], head, labels)):
            assert name.endswith(end)
            with (root / name).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, delimiter=mark).writerows([header, *rows])
        return root

    return write


@pytest.fixture(scope="session")
def offers() -> list[Offer]:
    """120 offers of 4 classes: titles with HTML, descriptions with line breaks or missing, images of one colour a class."""
    rng = np.random.default_rng(0)
    found = []
    for n in range(120):
        code = list(WORDS)[n % 4]
        pixels = np.clip(
            np.array([(200, 40, 40), (40, 180, 40), (40, 40, 200), (200, 200, 40)][n % 4]) + rng.normal(0, 40, (24, 24, 3)), 0, 255
        )
        words = " ".join(rng.permutation(WORDS[code].split())[: 2 + n % 3])
        description = "" if n % 5 == 0 else "nan" if n % 7 == 0 else f'<p>Très bon état,\n{words}</p><br />"comme neuf"'
        found.append(Offer(f"{words} {n}", description, pixels.astype(np.uint8), code))
    return found
