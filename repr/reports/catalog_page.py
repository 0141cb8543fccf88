"""The figures of a catalog as files, and the page that holds them all."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from repr.catalog.characters import characters
from repr.catalog.classtree import class_tree
from repr.catalog.statistics import Statistics
from repr.catalog.table import Catalog
from repr.catalog.title_terms import title_terms
from repr.errors import UserError
from repr.files import replacing
from repr.reports import catalog_figures as charts
from repr.reports import class_tree as tree
from repr.reports import cloud, correspondence, figures
from repr.reports.catalog_images import image_figures
from repr.reports.page import Page

log = logging.getLogger(__name__)

Drawn = dict[str, tuple[Figure | Image.Image, str]]  # file name without its ending → figure and caption


def draw(catalog: Catalog, numbers: Statistics, out: Path, counterparts: Mapping[str, tuple[str, ...]] | None = None) -> list[Path]:
    """Write the figures that the data allow, SVG or, where they show images, PNG, and catalog.html with all of them into the folder `out`.
    The files written.

    numbers: `statistics` of the catalog. counterparts: for ids of its classes, the supercategories of RPC that they correspond to.
    """
    mark = " (synthetic, not real)" if numbers.synthetic else ""
    drawn = {**_of_numbers(numbers), **_of_titles(catalog, numbers), **_of_pairs(catalog, counterparts or {})}
    nodes = class_tree(catalog)
    if len(nodes) > 1 or any(node.below for node in nodes):
        drawn["tree"] = tree.drawing(nodes), f"The largest classes, and the {tree.SECOND} largest below each, with their images"
    shown = image_figures(catalog, numbers.level, np.random.default_rng(0))
    drawn |= {one.name: (one.image, one.caption) for one in shown}
    out.mkdir(parents=True, exist_ok=True)
    page = Page(f"Catalog {numbers.data}", numbers.synthetic)
    page.table(["Class", "Images", "Sub-classes"], [[r.name, f"{r.samples:,}", str(r.sub_classes)] for r in numbers.classes], "Classes")
    if nodes:
        page.html(tree.fragment(nodes, "All classes with their ids and images; a class unfolds when it is touched."))
    if not shown:
        page.text("No image of these data is on this machine: the figures that show images are left out.")
    written = []
    for name, (figure, caption) in drawn.items():
        written.append(_written(page, out, name, figure, caption + mark))
    page.write(out / "catalog.html")
    return [*written, out / "catalog.html"]


def _of_numbers(numbers: Statistics) -> Drawn:
    kinds: dict[str, tuple[Callable[[Statistics], Figure], str]] = {
        "long_tail": (charts.long_tail, f"Images a class of level {numbers.level}")
    }
    if len(numbers.classes) > 1:
        kinds["classes"] = (charts.classes, "Images and sub-classes a class")
    if numbers.resolutions:
        kinds["resolutions"] = (charts.resolutions, "Resolutions")
    if numbers.titles:
        kinds["title_lengths"] = (charts.title_lengths, "Title lengths")
    if numbers.ocr_text:
        kinds["ocr"] = (charts.ocr, f"Share with OCR text: {100 * numbers.ocr_share:.1f} % over all")
    return {name: (function(numbers), caption) for name, (function, caption) in kinds.items()}


def _of_titles(catalog: Catalog, numbers: Statistics) -> Drawn:
    """The terms of titles, as a cloud where a font has their letters, and their characters beside OCR's."""
    drawn: Drawn = {}
    if numbers.titles:
        try:
            counted = title_terms(catalog)
        except UserError as error:
            log.info(f"The terms of titles are not drawn: {error}")
            counted = None
        if counted and counted.terms:
            looked = f"the terms of {counted.titles:,} of {counted.of:,} titles, each counted once a title"
            if cloud.drawable([term for term, _ in counted.terms]):
                drawn["title_cloud"] = cloud.cloud(dict(counted.terms)), f"Title cloud: {looked}"
            else:
                caption = f"{looked.capitalize()}; no font of this machine has their letters for a cloud"
                drawn["title_terms"] = charts.title_terms(counted), caption
    if numbers.titles and numbers.ocr_text:
        of_both = characters(catalog)
        only = int((of_both.titles == 0).sum()), int((of_both.ocr == 0).sum())
        caption = f"Characters of titles against OCR; {only[0]:,} stand in OCR only, {only[1]:,} in titles only"
        drawn["characters"] = charts.characters(of_both), caption
    return drawn


def _of_pairs(catalog: Catalog, counterparts: Mapping[str, tuple[str, ...]]) -> Drawn:
    """Fig. 12, where the classes of a subset are said to correspond to something; classes by the names that the catalog has."""
    level = catalog.default_level - 1
    known = {one.id.rpartition(":")[2]: one.name for one in catalog.classes[level]}
    names = {identity: known.get(identity, identity) for identity in counterparts}
    twice = {name for name, n in Counter(names.values()).items() if n > 1}
    pairs = {f"{name} ({one})" if name in twice else name: counterparts[one] for one, name in names.items()}
    if not pairs:
        return {}
    return {"correspondence": (correspondence.drawing(pairs), "Supercategories of RPC and the classes of the subset, as its list has them")}


def _written(page: Page, out: Path, name: str, figure: Figure | Image.Image, caption: str) -> Path:
    """Put a figure into the page, and write it as a file of its own."""
    if isinstance(figure, Image.Image):
        page.images(figure, caption)
        file = out / f"{name}.png"
        with replacing(file) as temporary:
            figure.save(temporary, "PNG")
        return file
    page.figure(figure, caption)
    file = out / f"{name}.svg"
    with replacing(file) as temporary:
        temporary.write_text(_alone(figures.svg(figure, name, caption), caption), encoding="utf-8")
    return file


def _alone(svg: str, title: str) -> str:
    """A figure of a page as a file of its own: with a title and colours that no page supplies."""
    head, _, body = svg.partition(">")
    if "xmlns=" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    body = body.replace("var(--line)", "#d0d0d0").replace("var(--ground)", "#ffffff")
    return f"{head}><title>{escape(title)}</title>{body}"
