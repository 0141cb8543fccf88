"""`repr catalog ocr`: read the text in images into the catalog."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options
from repr.errors import UserError

FILE, WRITTEN = click.Path(path_type=Path), options.WRITTEN
LISTED = 5  # unreadable images named


@options.command("ocr")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@options.shared("data", "subset")
@options.option("--engine", default="rapidocr", show_default=True, metavar="NAME", help="rapidocr or tesseract.")
@options.option("--confidence", type=options.Between(0, 1), default=0.5, show_default=True, help="Least confidence of a line to be taken.")
@options.option("--workers", type=click.IntRange(1), help="Processes that read. Default: one a core.")
@options.option("--figures", type=WRITTEN, metavar="DIR", help="Draw the share with text and the characters' frequencies into this folder.")
@options.option(
    "--out", type=WRITTEN, default=Path("catalog.parquet"), show_default=True, metavar="FILE", help="Where to write the catalog."
)
@options.json_option
def command(
    paths: tuple[str, ...],
    data: tuple[str, ...],
    subset: str | None,
    engine: str,
    confidence: float,
    workers: int | None,
    figures: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Fill the OCR text of the images that lack it, and write the catalog.

    \b
    Examples:
      repr catalog ocr mep3m.parquet --out with-ocr.parquet
      repr catalog ocr mep3m.parquet --engine tesseract --figures figures

    A stopped run goes on with the same command: every image read stands in <out>.ocr.jsonl, with the confidence of each line.
    """
    from repr.catalog.ocr import fill
    from repr.catalog.sources import open_sources

    catalog = open_sources([*paths, *data], subset=subset)
    if figures and not (catalog.column(f"class_{catalog.default_level}") >= 0).any():
        raise UserError("there are no classes to draw figures of", catalog.name, "Leave --figures out")
    filled = fill(catalog, out, engine=engine, confidence=confidence, workers=workers)
    written = []
    if figures:
        from repr.catalog.statistics import statistics
        from repr.reports.catalog_page import draw

        written = draw(filled.catalog, statistics(filled.catalog), figures)
    if as_json:
        console.emit(filled.as_json() | {"figures": [str(file) for file in written]})
        return
    for line in filled.lines():
        console.say(line)
    for key, reason in filled.unreadable[:LISTED]:
        console.say(f"Not read: {key}: {reason}")
    for file in written:
        console.say(f"Drawn: {file}")
    click.echo(out)
