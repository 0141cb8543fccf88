"""`repr catalog align`: which classes of several sources mean the same, and one catalog in which they are one."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options, tables
from repr.errors import UserError

FILE = click.Path(path_type=Path)
SHOWN = 20  # pairs printed


@options.command("align")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@options.shared("data")
@options.option("--level", type=click.IntRange(1, 3), help="Class level to compare. Default: the second, or the first where that is all.")
@options.option("--s-label", type=options.Between(0, 1), default=0.5, show_default=True, help="Least likeness of the names.")
@options.option(
    "--s-content",
    type=options.Between(0, 1),
    default=0.75,
    show_default=True,
    help="Likeness the titles must exceed; identical names are proposed anyway.",
)
@options.option("--derive", is_flag=True, help="In place of --s-content: the mean over the pairs of identical names.")
@options.option("--binary", is_flag=True, help="Count whether a term occurs in a class's titles, not how often.")
@options.option("--across", is_flag=True, help="Also compare classes that stand under different classes.")
@options.option("--apply", "mapping", type=FILE, metavar="FILE", help="Merge the classes as this mapping file says; no comparing.")
@options.option(
    "--out",
    type=options.WRITTEN,
    metavar="FILE",
    help="Where to write the mapping (.csv or .json); with --apply the catalog.  [default with --apply: aligned.parquet]",
)
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    data: tuple[str, ...],
    level: int | None,
    s_label: float,
    s_content: float,
    derive: bool,
    binary: bool,
    across: bool,
    mapping: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare classes by their names and titles: those of two sources with each other, or those of one among themselves.

    \b
    Examples:
      repr catalog align shop-a.parquet shop-b.parquet --out mapping.csv
      repr catalog align shop-a.parquet shop-b.parquet --apply mapping.csv --out merged.parquet

    Edit the column merged_name before applying: classes with the same name there become one, an empty one stays apart.
    """
    typed = options.typed(ctx)
    if mapping:
        _merge([*paths, *data], mapping, typed & {"level", "s_label", "s_content", "derive", "binary", "across"}, out, as_json)
        return
    if derive and "s_content" in typed:
        raise UserError("both --s-content and --derive are given", "", "Give one of them")
    from repr.catalog import mapping as file
    from repr.catalog.align import align
    from repr.catalog.announce import announce
    from repr.catalog.sources import open_each

    catalogs = open_each([*paths, *data])
    for catalog in catalogs:
        announce(catalog)
    alignment = align(
        catalogs,
        level=level or (2 if any(catalog.classes[1] for catalog in catalogs) else 1),
        label_threshold=s_label,
        content_threshold=None if derive else s_content,
        binary=binary,
        across=across,
    )
    if out:
        file.write(out, alignment)
    if as_json:
        console.emit(alignment.as_json() | {"mapping": str(out) if out else None})
        return
    console.say(alignment.summary())
    proposed = [pair for pair in alignment.pairs if pair.proposed is not None]
    if proposed:
        click.echo(tables.table(*alignment.table(proposed[:SHOWN])))
    if len(proposed) > SHOWN:
        console.say(f"{len(proposed) - SHOWN:,} more; --out writes them all.")
    if out:
        console.say(f"Edit merged_name in it, then apply it with --apply: {out}")


def _merge(paths: list[str], mapping: Path, typed: set[str], out: Path | None, as_json: bool) -> None:
    if typed:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(typed))
        raise UserError(f"{options} belong to comparing, not to --apply", "", "Leave them out")
    from repr.catalog import mapping as file
    from repr.catalog.sources import open_sources

    out = out or Path("aligned.parquet")
    if out.suffix.lower() != ".parquet":
        raise UserError("a catalog is written as .parquet", out, "Give a file that ends so")
    merged = file.apply(open_sources(paths), file.read(mapping))
    merged.write(out)
    if as_json:
        classes = [len(level) for level in merged.classes]
        console.emit(
            {"catalog": str(out), "records": len(merged), "classes": classes, "notes": list(merged.notes), "synthetic": merged.synthetic}
        )
        return
    console.say(f"{merged.notes[-1].capitalize()}.")
    click.echo(out)
