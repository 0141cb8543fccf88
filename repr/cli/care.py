"""`repr index`, the part that keeps one: other weights, verify, compact, backup, restore, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repr import console, options
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.index import Index

wait_option = options.option(
    "--wait",
    type=options.Between(0),
    default=30.0,
    metavar="SECONDS",
    section="machine",
    help="How long to wait for another that writes to the index.  [default: 30]",
)


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@options.option("--weights", metavar="W", section="model", required=True, help="Run folder, .safetensors, .pth or imagenet.")
@options.option("--size", type=click.IntRange(16), metavar="PX", section="model", help="Image side.  [default: that of the weights]")
@options.shared("crops", crops="as the weights say, else 1,0.5")
@options.shared("device", "workers")
@wait_option
@options.json_option
def reindex(
    folder: Path | None,
    words: tuple[str, ...],
    weights: str,
    size: int | None,
    crops: tuple[float, ...],
    device: str,
    workers: int | None,
    wait: float,
    as_json: bool,
) -> None:
    """Embed every stored image with other weights. The index answers with the old ones until the end; an interruption loses little.

    \b
    Example:
      repr index reindex shop.index --weights runs/better
    """
    from repr.lookup.index import Index

    index = Index.open(options.index_alone(folder, words), device=device, workers=workers, wait=wait)
    done = index.reindex(weights, size=size, crops=crops)
    _done(index, {**index.info(), "embedded": done}, f"{done} images are embedded with {index.weights['name']} now.", as_json)


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@options.option("--images/--no-images", default=True, help="Read the images' files too, and compare them with what is stored.")
@options.json_option
@click.pass_context
def verify(ctx: click.Context, folder: Path | None, words: tuple[str, ...], images: bool, as_json: bool) -> None:
    """Check the index, and that its images are there and unchanged. The exit code is 3 when something is wrong.

    \b
    Example:
      repr index verify shop.index
    """
    from repr.lookup.index import Index

    index = Index.open(options.index_alone(folder, words))
    problems = index.verify(images=images)
    _done(index, {"problems": problems}, "\n".join(problems) or "Nothing is wrong.", as_json)
    ctx.exit(3 if problems else 0)


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@wait_option
@options.json_option
def compact(folder: Path | None, words: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Give the space of what was removed back to the disk.

    \b
    Example:
      repr index compact shop.index
    """
    from repr.lookup.index import Index

    index = Index.open(options.index_alone(folder, words), wait=wait)
    before = index.info()["bytes"]
    index.compact()
    after = index.info()["bytes"]
    _done(index, {"before": before, "after": after}, f"{before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now.", as_json)


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR] FILE")
@options.json_option
def backup(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Write all that cannot be made again into one FILE (tar), while others read and write.

    \b
    Example:
      repr index backup shop.index shop.tar
    """
    index, file = _with_file(folder, words, "the backup's file")
    index.backup(file)
    _done(index, {"file": str(file)}, f"Backup: {file} ({file.stat().st_size / 2**20:.1f} MiB)", as_json)


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR] FILE")
@options.json_option
def restore(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Make the index DIR, which is not there yet, from a backup.

    \b
    Example:
      repr index restore shop.index shop.tar
    """
    from repr.lookup.index import Index

    place, names = options.index_and_words(folder, words)
    if len(names) != 1:
        raise UserError("the backup's file is needed", "", "Name it after the index")
    index = Index.restore(names[0], place)
    products, images = index.store.counts()
    _done(index, {"products": products, "images": images}, f"{products} products in {images} images are back in {place}.", as_json)


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR] FILE")
@options.json_option
def export(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Write a row an image to FILE: .csv, or .parquet with the features.

    \b
    Example:
      repr index export shop.index shop.csv
    """
    index, file = _with_file(folder, words, "the file to write")
    rows = index.export(file)
    _done(index, {"file": str(file), "rows": rows}, f"{rows} rows: {file}", as_json)


def _with_file(folder: Path | None, words: tuple[str, ...], what: str, wait: float = 30.0) -> tuple[Index, Path]:
    from repr.lookup.index import Index

    place, names = options.index_and_words(folder, words)
    if len(names) != 1:
        raise UserError(f"{what} is needed", "", "Name it after the index")
    return Index.open(place, wait=wait), Path(names[0])


def _done(index: Index, result: Any, said: str, as_json: bool) -> None:
    if as_json:
        console.emit({"index": str(index.folder), **result})
    else:
        click.echo(said)
