"""`repr index`, the part that keeps one: other weights, verify, compact, backup, restore, export."""

from __future__ import annotations

from pathlib import Path

import click

from repr import index_options, options


@options.command()
@index_options.index_option()
@options.weights_option(default=None)
@options.size_option
@options.shared("crops", crops="as the weights say, else 1,0.5, but 1 where boxes cut products out")
@options.shared("device", "workers", "wait")
@options.download_option
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

    index = Index.open(index_options.index_alone(folder, words), device=device, workers=workers, wait=wait)
    done = index.reindex(weights, size=size, crops=crops)
    index_options.finish(
        index.folder, {**index.info(), "embedded": done}, f"{done} images are embedded with {index.weights['name']} now.", as_json=as_json
    )


@options.command()
@index_options.index_option()
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

    index = Index.open(index_options.index_alone(folder, words))
    problems, strays = index.verify(images=images), index.strays()
    lines = problems or ["Nothing is wrong."]
    if strays:
        lines = [*lines, f"{strays:,} files of its own belong to no image; `repr index compact` deletes them."]
    index_options.finish(index.folder, {"problems": problems, "strays": strays}, "\n".join(lines), as_json=as_json)
    ctx.exit(3 if problems else 0)


@options.command()
@index_options.index_option()
@options.shared("wait")
@options.json_option
def compact(folder: Path | None, words: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Give the space of what was removed back to the disk.

    \b
    Example:
      repr index compact shop.index
    """
    from repr.lookup.index import Index

    index = Index.open(index_options.index_alone(folder, words), wait=wait)
    before = index.info()["bytes"]
    strays = index.compact()
    after = index.info()["bytes"]
    text = f"{before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now; {strays:,} files deleted that belonged to no image."
    index_options.finish(index.folder, {"before": before, "after": after, "strays": strays}, text, as_json=as_json)


@options.command()
@index_options.index_option("[DIR] FILE")
@options.json_option
def backup(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Write all that cannot be made again into one FILE (tar), while others read and write.

    \b
    Example:
      repr index backup shop.index shop.tar
    """
    from repr.lookup.index import Index

    place, file = index_options.index_and_file(folder, words, "the backup's file")
    index = Index.open(place)
    index.backup(file)
    index_options.finish(index.folder, {"file": str(file)}, f"Backup: {file} ({file.stat().st_size / 2**20:.1f} MiB)", as_json=as_json)


@options.command()
@index_options.index_option("[DIR] FILE")
@options.json_option
def restore(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Make the index DIR, which is not there yet, from a backup.

    \b
    Example:
      repr index restore shop.index shop.tar
    """
    from repr.lookup.index import Index

    place, file = index_options.index_and_file(folder, words, "the backup's file")
    index = Index.restore(file, place)
    products, images = index.store.counts()
    index_options.finish(
        index.folder,
        {"products": products, "images": images},
        f"{products} products in {images} images are back in {place}.",
        as_json=as_json,
    )


@options.command()
@index_options.index_option("[DIR] FILE")
@options.json_option
def export(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Write a row an image to FILE: .csv, or .parquet with the features.

    \b
    Example:
      repr index export shop.index shop.csv
    """
    from repr.lookup.index import Index

    place, file = index_options.index_and_file(folder, words, "the file to write")
    index = Index.open(place)
    rows = index.export(file)
    index_options.finish(index.folder, {"file": str(file), "rows": rows}, f"{rows} rows: {file}", as_json=as_json)
