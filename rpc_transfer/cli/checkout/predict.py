"""`rpc_transfer checkout predict`: the shopping list of pictures of a counter."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, index_options, options, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from rpc_transfer.checkout.basket import Basket

FILE = click.Path(path_type=Path)


@options.command("predict")
@index_options.index_option
@click.argument("words", nargs=-1, metavar="[DIR] PICTURE...")
@options.option("-k", "k", type=click.IntRange(1), default=5, help="Products to keep for each box.  [default: 5]")
@options.option(
    "--format",
    "kind",
    type=click.Choice(["json", "csv", "coco"]),
    default="json",
    show_default=True,
    section="output",
    help="Of --out: all that is known, the lists alone, or COCO's results, which `checkout evaluate` measures.",
)
@options.option(
    "--like",
    type=FILE,
    metavar="FILE",
    section="data",
    help="An instances_*2019.json: COCO's results get its ids of images and categories.",
)
@options.option("--sheet", type=FILE, metavar="FILE", section="output", help="Draw the pictures with boxes, names and lists.")
@options.out_option("the baskets")
@options.shared("device", "workers")
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path | None,
    words: tuple[str, ...],
    k: int,
    kind: str,
    like: Path | None,
    sheet: Path | None,
    out: Path | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Make the shopping list of each PICTURE of a counter: files, folders of them, or - for names on standard input.

    What differs from the counter is boxed, parted where products touch, and named by the index, which is that of `repr lookup`: a
    new product is a few images in it. Exit code 3: some pictures could not be read.

    \b
    Examples:
      rpc_transfer checkout predict --index shop.index counter.jpg --sheet basket.png
      rpc_transfer checkout predict shop.index test2019 --like instances_test2019.json --format coco --out boxes.json
    """
    from repr.lookup.index import Index
    from rpc_transfer.checkout import writing
    from rpc_transfer.checkout.basket import baskets

    place, named = index_options.index_and_words(folder, words)
    if not named:
        raise UserError("no picture named", "", "Name image files after the index, a folder of them, or - for names on standard input")
    index = Index.open(place, device=device, workers=workers)
    ids = writing.Ids.like(like) if like is not None else None
    found: list[Basket] = []
    for basket in baskets(_pictures(named), index, k=k):
        found.append(basket)
        if basket.error:
            console.say(f"left out: {basket.query}: {basket.error}")
        elif not as_json:
            click.echo(_text(basket))
    synthetic = index.info()["synthetic"]
    if out is not None:
        writing.write(out, [basket for basket in found if not basket.error], kind, ids)
    if sheet is not None:
        writing.write_sheet(sheet, found, synthetic=synthetic)
    if as_json:
        console.emit({"results": [basket.as_json() for basket in found], "synthetic": synthetic})
    ctx.exit(3 if any(basket.error for basket in found) else 0)


def _pictures(words: Sequence[str]) -> Iterator[Path]:
    """The files that words name: a folder's, by name, those of standard input, one a line, or the word itself."""
    from repr.images.sniff import USUAL

    for word in words:
        if word == "-":
            yield from (Path(line.rstrip("\n")) for line in sys.stdin if line.strip())
        elif Path(word).is_dir():
            yield from sorted(file for file in Path(word).iterdir() if file.suffix.lower() in USUAL)
        else:
            yield Path(word)


def _text(basket: Basket) -> str:
    rows = [[str(line.count), line.product, line.name or "", line.barcode or ""] for line in basket.lines]
    if basket.unknown:
        rows.append([str(basket.unknown), "?", "unknown", ""])
    return f"{basket.query}\n" + (tables.table(["count", "product", "name", "barcode"], rows) if rows else "nothing on the counter")
