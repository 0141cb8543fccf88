"""`repr catalog`: what products there are, in one file, in numbers and in parts."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options, progress, tables

TABLE = {
    "build": "repr.cli.catalog:build_command",
    "stats": "repr.cli.catalog:stats_command",
    "show": "repr.cli.catalog:show_command",
    "split": "repr.cli.catalog:split_command",
    "subset": "repr.cli.catalog:subset_command",
    "unpack": "repr.cli.catalog:unpack_command",
    "align": "repr.cli.align:command",
    "ocr": "repr.cli.ocr:command",
}
FILE, WRITTEN = click.Path(path_type=Path), options.WRITTEN
paths_argument = click.argument("paths", nargs=-1, metavar="[PATH]...")
names_option = options.option(
    "--names",
    type=FILE,
    metavar="FILE",
    section="data",
    help="A CSV of ids and other names for classes, such as English ones.",
)


@click.command(cls=console.LazyGroup, table=TABLE)
def command() -> None:
    """Build, describe and divide catalogs: what images of what products there are."""


@options.command("build")
@options.option("--data", "--root", "root", type=FILE, metavar="DIR", help="MEP-3M or RPC folder, class folders or a CSV.")
@options.option("--annotations", type=FILE, metavar="FILE", help="MEP-3M's annotation.json, in place of --data.")
@options.option("--info", type=FILE, metavar="FILE", help="MEP-3M's dataset_info.xlsx. Default: the one beside the annotations, if any.")
@options.option(
    "--out", type=WRITTEN, default=Path("catalog.parquet"), show_default=True, metavar="FILE", help="Where to write the catalog."
)
@options.json_option
def build_command(root: Path | None, annotations: Path | None, info: Path | None, out: Path, as_json: bool) -> None:
    """Read a data set into one catalog file, streaming.

    \b
    Examples:
      repr catalog build --data MEP-3M --out mep3m.parquet
      repr catalog build --annotations annotation.json --info dataset_info.xlsx

    Records whose images are not on disk are left out and listed beside the catalog, when any image folder is there.
    """
    from repr.catalog.building import build_catalog

    built = build_catalog(root, annotations=annotations, info=info, out=out)
    if as_json:
        console.emit(built.as_json())
        return
    console.say(f"{built.records:,} records in {built.seconds:.1f} s, at most {built.peak_mb:.0f} MB of memory.")
    if built.quarantine:
        console.say(f"{built.quarantined:,} records left out, their images are not there: {built.quarantine}")
    click.echo(built.catalog)


@options.command("stats")
@paths_argument
@options.shared("data", "level", "subset")
@names_option
@options.out_option("the figures (a folder)")
@options.json_option
def stats_command(
    paths: tuple[str, ...],
    data: tuple[str, ...],
    level: int | None,
    subset: str | None,
    names: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Count classes, resolutions, titles and OCR, as the MEP-3M papers do; with --out draw them, and the images.

    \b
    Examples:
      repr catalog stats mep3m.parquet --out figures
      repr catalog stats mep3m.parquet --subset mep-for-rpc --names en.csv --out figures
    """
    from repr.catalog.parts import load
    from repr.catalog.sources import open_named
    from repr.catalog.statistics import statistics

    catalog = open_named([*paths, *data], subset=subset, names=names)
    numbers = statistics(catalog, level)
    written = []
    if out:
        from repr.reports.catalog_page import draw

        written = draw(catalog, numbers, out, load(subset).counterparts if subset else None)
    if as_json:
        console.emit(numbers.as_json() | {"figures": [str(file) for file in written]})
        return
    for line in numbers.lines():
        click.echo(line)
    for file in written:
        console.say(f"Drawn: {file}")


@options.command("show")
@paths_argument
@options.shared("data", "level", "subset")
@names_option
@options.option("-n", "--rows", type=click.IntRange(0), default=5, show_default=True, help="How many rows to print.")
@options.option("--class", "wanted", metavar="CLASS", help="Only rows of this class, by name or id.")
@options.json_option
def show_command(
    paths: tuple[str, ...],
    data: tuple[str, ...],
    level: int | None,
    subset: str | None,
    names: Path | None,
    rows: int,
    wanted: str | None,
    as_json: bool,
) -> None:
    """Show what a catalog holds, and its first rows.

    \b
    Example:
      repr catalog show mep3m.parquet --class 304 -n 3
    """
    from repr.catalog.showing import show
    from repr.catalog.sources import open_named

    shown = show(open_named([*paths, *data], subset=subset, names=names), rows=rows, level=level, wanted=wanted)
    if as_json:
        console.emit(shown.as_json())
        return
    for line in shown.lines():
        click.echo(line)


@options.command("split")
@paths_argument
@options.shared("data", "subset", "split", "data_seed", data_seed="0")
@options.option("--out", type=WRITTEN, default=Path("split.parquet"), show_default=True, metavar="FILE", help="Where to write the catalog.")
@options.json_option
def split_command(
    paths: tuple[str, ...], data: tuple[str, ...], subset: str | None, split: str, data_seed: int | None, out: Path, as_json: bool
) -> None:
    """Divide data into train and test, say how many test rows have a twin in training, and write the catalog.

    \b
    Example:
      repr catalog split mep3m.parquet --split grouped --out divided.parquet

    Other commands divide on the fly in the same way; a written split is the same for everyone.
    """
    from repr.catalog.sources import open_sources
    from repr.catalog.splits import divide
    from repr.catalog.union import with_split

    catalog = open_sources([*paths, *data], subset=subset)
    divided = divide(catalog, split, data_seed or 0)
    with_split(catalog, divided.split).write(out)
    if as_json:
        console.emit(divided.report.as_json() | {"catalog": str(out), "synthetic": catalog.synthetic})
        return
    for line in divided.report.lines():
        console.say(line)
    click.echo(out)


@options.command("subset")
@click.argument("name", required=False)
@options.shared("data")
@options.option("--out", type=WRITTEN, metavar="FILE", help="Where to write the catalog. Default: <NAME>.parquet.")
@options.json_option
def subset_command(name: str | None, data: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Take a part of MEP-3M by its classes: NAME or a CSV file of class ids. Without NAME, list the parts.

    \b
    Examples:
      repr catalog subset
      repr catalog subset mep-for-rpc --data mep3m.parquet --out mep-for-rpc.parquet
    """
    from repr.catalog import parts
    from repr.catalog.sources import open_sources
    from repr.records import to_json

    if name is None:
        listed = parts.listing()
        if as_json:
            console.emit({"subsets": to_json(listed)})
            return
        rows = [[p.name, str(p.classes), f"{p.paper_products:,}", "proposed" if p.proposed else "known"] for p in listed]
        click.echo(tables.table(["subset", "classes", "products in the paper", "list"], rows))
        return
    catalog = open_sources(data, subset=name)
    out = out or Path(f"{Path(name).stem}.parquet")
    catalog.write(out)
    if as_json:
        labels = catalog.labels()[1]
        notes = list(catalog.notes)
        console.emit({"catalog": str(out), "records": len(catalog), "classes": len(labels), "notes": notes, "synthetic": catalog.synthetic})
        return
    click.echo(out)


@options.command("unpack")
@options.option("--data", "--root", "root", type=FILE, required=True, metavar="DIR", help="MEP-3M folder with Images/1.rar … 599.rar.")
@options.option("--annotations", type=FILE, metavar="FILE", help="The records to check against. Default: those in --data.")
@options.option("--subset", metavar="NAME", help="Only the archives of a part, such as mep-for-rpc.")
@options.option("--out", type=WRITTEN, metavar="DIR", help="Where Images/<sub-class>/ are written. Default: --data.")
@options.json_option
def unpack_command(root: Path, annotations: Path | None, subset: str | None, out: Path | None, as_json: bool) -> None:
    """Unpack MEP-3M's rar archives into Images/, through bsdtar, 7z or unar; resumable.

    \b
    Example:
      repr catalog unpack --data MEP-3M --subset mep-for-rpc
    """
    from repr.catalog import unpack

    program, archives = unpack.find_program(), unpack.choose(unpack.archives_in(root), subset)
    paths = unpack.read_paths(root, annotations)
    results = list(progress.counted(unpack.unpack(archives, paths, out or root, program), len(archives), "Unpacking", "archive"))
    summary = unpack.summary(results, out or root)
    if as_json:
        console.emit(summary)
        return
    console.say(
        f"{summary['archives']} archives, {summary['skipped']} of them unpacked before; {summary['images']:,} images, "
        f"{summary['missing']:,} of the records' images are missing, {summary['extra']:,} are in no record."
    )
    for result in results:
        if result.missing:
            console.say(f"{result.archive} lacks {len(result.missing)} images, such as {result.missing[0]}")
    click.echo(summary["out"])
