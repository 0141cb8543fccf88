"""`repr index`: build, change and describe an index of products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, options
from repr.commands import command_line
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.catalogs import Added
    from repr.lookup.index import Index

PARTS = click.Choice(["train", "val", "test"])
part_option = options.option(
    "--part", "parts", type=PARTS, multiple=True, section="data", help="Only images of this part of the data.  [repeatable]"
)


@click.group()
def command() -> None:
    """Build and change an index: a folder that finds stored products by photograph."""


@command.command(cls=options.Command)
@options.shared("data", "subset")
@part_option
@options.option("--weights", metavar="W", section="model", help="Run folder, .safetensors, .pth or imagenet.  [default: imagenet]")
@options.option("--size", type=click.IntRange(16), metavar="PX", section="model", help="Image side.  [default: that of the weights]")
@options.shared("crops", crops="as the weights say, else 1,0.5, but 1 where boxes cut products out")
@options.option("--ivf", is_flag=True, help="Search by cells: faster from some 100,000 images on, not exact. Prints what it misses.")
@options.out_option("the index folder (needed)")
@options.shared("seed", "device", "workers")
@options.json_option
def build(
    data: tuple[str, ...],
    subset: str | None,
    parts: tuple[str, ...],
    weights: str | None,
    size: int | None,
    crops: tuple[float, ...],
    ivf: bool,
    out: Path | None,
    seed: int,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Embed every product image of --data and store it under --out.

    \b
    Example:
      repr index build --data shop/ --weights runs/mine --out shop.index

    Product images are all but the boxes of checkout scenes. An interrupted build goes on with the same command.
    """
    if out is None:
        raise UserError("no folder named for the index", "--out", "Add --out FOLDER")
    from repr.lookup import building

    look = building.Look(weights, size, crops)
    stock = building.Stock(data, parts, subset)
    _report(*building.build(out, stock, look, cells_seed=seed if ivf else None, device=device, workers=workers), as_json)


@command.command(cls=options.Command)
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@options.shared("data", "subset")
@part_option
@options.option("--weights", metavar="W", section="model", help="Only to make sure: refused unless the index was made with these.")
@options.shared("device", "workers")
@options.json_option
def add(
    folder: Path | None,
    words: tuple[str, ...],
    data: tuple[str, ...],
    subset: str | None,
    parts: tuple[str, ...],
    weights: str | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Add the images of --data that the index does not hold yet. What is stored is not touched.

    \b
    Examples:
      repr index add --index shop.index --data new_products/
      repr index add shop.index --data new_products/
    """
    from repr.lookup import building

    stock = building.Stock(data, parts, subset)
    _report(*building.add(options.index_alone(folder, words), stock, weights=weights, device=device, workers=workers), as_json)


@command.command(cls=options.Command)
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR] PRODUCT...")
@options.json_option
def remove(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Take every PRODUCT (by its id) out of the index.

    \b
    Examples:
      repr index remove --index shop.index 17 42
      repr index remove shop.index 17 42
    """
    from repr.lookup.index import Index

    index, products = options.index_and_words(folder, words)
    if not products:
        raise UserError("no product named", "", "Name the products to remove, by their ids")
    opened = Index.open(index)
    gone, content = opened.remove(products), opened.info()
    if as_json:
        console.emit({"removed": gone, "index": str(index), **content})
    else:
        click.echo(f"Removed {gone} images of {len(set(products))} products; {content['products']} products stay.")


@command.command(cls=options.Command)
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@options.json_option
def info(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Say what the index holds and what it was made with.

    \b
    Examples:
      repr index info --index shop.index
      repr index info shop.index
    """
    from repr.lookup.building import described
    from repr.lookup.index import Index

    opened = Index.open(options.index_alone(folder, words))
    if as_json:
        console.emit({"index": str(opened.folder), **opened.info()})
    else:
        click.echo("\n".join(described(opened)))


def _report(index: Index, added: Added, as_json: bool) -> None:
    from repr.embedding.embed import say_left_out
    from repr.lookup.building import described

    say_left_out(added.quarantine)
    if as_json:
        counts = {"added": added.stored, "already": added.already, "quarantined": len(added.quarantine)}
        console.emit({"index": str(index.folder), **counts, **index.info()})
        return
    click.echo(f"Added {added.stored} images ({added.already} were there, {len(added.quarantine)} left out as unreadable).")
    click.echo("\n".join(described(index)))
    click.echo(f"Next: {command_line('repr lookup', 'photo.jpg', index=index.folder)}")
