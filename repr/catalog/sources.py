"""From the paths of data to one catalog: detect, read, unite, choose a part, split."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from repr.arrays import Bools
from repr.catalog import folders, listing, mep3m, parts, rakuten, rpc, splits
from repr.catalog.announce import announce
from repr.catalog.division import OWN, Division
from repr.catalog.table import VERSION, Catalog
from repr.catalog.translated import translated
from repr.catalog.union import union, with_split
from repr.commands import command_line
from repr.errors import UserError
from repr.files import cache_dir, content_key, try_to_keep

log = logging.getLogger(__name__)

READERS: dict[str, Callable[[Path], Catalog]] = {
    "mep3m": mep3m.read,
    "rpc": rpc.read,
    "rakuten": rakuten.read,
    "folders": folders.read,
    "csv": listing.read,
    "catalog": Catalog.read,
}
Kind = Literal["mep3m", "rpc"]  # whose variable names the data where the user does not
VARIABLES: dict[Kind, str] = {"mep3m": "MEP3M_ROOT", "rpc": "RPC_ROOT"}
BIG = 64 << 20  # bytes of annotations from which the parsed catalog is kept in the cache


def open_data(
    data: Sequence[str | Path],
    *,
    default: Kind = "mep3m",
    subset: str | None = None,
    split: str | None = "grouped",
    seed: int = 0,
) -> Catalog:
    """The catalog of one or several sources; every row of a source that brings no split gets "train" or "test" (8:2; Rakuten's 9:1).

    data: folders, CSVs, annotation files or catalogs; empty for what `default`'s environment variable names.
    subset: a named part or a CSV of class ids. split: "random", "stratified" or "grouped", for sources without a split of their own;
    None leaves them without one (an index has no use for it).
    Raises UserError for whatever is wrong with them.
    """
    catalog = open_sources(data, default=default, subset=subset)
    return catalog if split is None else fill_split(catalog, split, seed)


def open_sources(data: Sequence[str | Path], *, default: Kind = "mep3m", subset: str | None = None) -> Catalog:
    """As `open_data`, with the splits as the sources have them ("" for none); no image is opened. Says the catalog's notes on stderr."""
    catalog = union(open_each(data, default=default))
    if subset:
        catalog = parts.subset(catalog, subset)
    announce(catalog)
    return catalog


def open_named(data: Sequence[str | Path], *, subset: str | None = None, names: Path | None = None) -> Catalog:
    """As `open_sources`, with the classes called as a user's table has it (`translated`), if one is given; its note is said too."""
    catalog = open_sources(data, subset=subset)
    if names is None:
        return catalog
    renamed = translated(catalog, names)
    log.info(f"Note: {renamed.notes[-1]}.")
    return renamed


def open_each(data: Sequence[str | Path], *, default: Kind = "mep3m") -> list[Catalog]:
    """The catalog of each source by itself, as they are. Raises UserError where none is named, for one given twice or unreadable."""
    paths = [Path(path).expanduser() for path in data] or [default_root(default)]
    resolved = [path.resolve() for path in paths]
    twice = next((path for path, full in zip(paths, resolved, strict=True) if resolved.count(full) > 1), None)
    if twice is not None:
        raise UserError("given twice", twice, "Name each source once")
    return [read_source(path) for path in paths]


def default_root(default: Kind) -> Path:
    """Where data come from when none are named: $MEP3M_ROOT or $RPC_ROOT. Raises UserError when that is not set."""
    variable = VARIABLES[default]
    if not os.environ.get(variable):
        drawn = command_line("repr synthetic", out="shop")
        remedy = f"Name a folder with `data`, or set ${variable}. To try it out: {drawn} draws a shop, whose folder is shop/{default}"
        raise UserError("no data are named", "", remedy, argument="data")
    return Path(os.environ[variable])


def kind_of(path: Path) -> str:
    """Which reader a path is for, a key of READERS. Raises UserError when there is nothing there or nothing readable."""
    if not path.exists():
        raise UserError("there is no such folder or file", path, "Check the path")
    if path.is_file():
        if path.suffix.lower() in (".csv", ".tsv") and rakuten.lists_products(path):
            return "rakuten"
        kinds = {".csv": "csv", ".parquet": "catalog", ".json": "mep3m"}
        if path.suffix.lower() not in kinds:
            raise UserError(f"not a kind of data we read ({path.suffix or 'no ending'})", path, "Give a folder, .csv, .parquet or .json")
        return kinds[path.suffix.lower()]
    if rpc.instances_in(path):
        return "rpc"
    if (path / "pixels.npy").is_file():
        raise UserError("a pack: images decoded by `repr pack`, without names", path, "Give the data it was made from; it is found then")
    if rakuten.products_in(path):
        return "rakuten"
    return "mep3m" if mep3m.annotations_in(path) else "folders"


def read_source(path: Path) -> Catalog:
    """One path's catalog, splits as its source has them. Annotations of more than 64 MB are parsed once and kept in the cache."""
    kind = kind_of(path)
    if kind == "mep3m":
        annotations = path if path.is_file() else mep3m.annotations_in(path)
        assert annotations is not None
        if annotations.stat().st_size > BIG:
            return _parsed(annotations)
    catalog = READERS[kind](path)
    if not len(catalog):
        raise UserError("no images in it", path, "Check that the data are whole")
    return catalog


def _parsed(annotations: Path) -> Catalog:
    """The cached catalog of a big annotation file, made when the file or its images changed."""
    annotations = annotations.absolute()  # in the key: other folders have other images. A link's images lie beside the link
    root, info = annotations.parent, mep3m.info_in(annotations.parent)
    images = root / "Images"
    folders = [images, *sorted(Path(entry) for entry in os.scandir(images) if entry.is_dir())] if images.is_dir() else []
    stamps = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in (annotations, info, *folders) if file]
    out = cache_dir("catalogs", f"{content_key(VERSION, stamps)}.parquet")
    if not out.exists():
        log.info(f"Reading {annotations} once; the catalog is kept in {out.parent}.")
        try_to_keep(out, lambda place: mep3m.build_parquet(annotations, place, info=info))
    if not out.exists():
        return mep3m.read(annotations)
    catalog = Catalog.read(out)
    if any(one.reason.startswith(mep3m.CLOSED) for one in catalog.passed_over):
        out.unlink(missing_ok=True)  # the folder may open the next time, and its stamp will not tell
    return catalog


def divisions(catalog: Catalog, split: str, seed: int, subset: str | None = None) -> tuple[Division, ...]:
    """How `fill_split` divides each source of a catalog; `subset` as it was opened with."""
    return tuple(Division(split, seed, subset or "") if without else Division(OWN, None, subset or "") for without in bare(catalog))


def bare(catalog: Catalog) -> Bools:
    """(sources,) whether a source has no split of its own."""
    column, source = catalog.column("split").astype(str), catalog.column("source")
    return np.array([not (column[source == s] != "").any() for s in range(len(catalog.sources))])


def split_name(catalog: Catalog, split: str) -> str:
    """What `fill_split` makes of `split` here, for the records: "own" where all sources bring a split, "own, grouped" where some do."""
    without = bare(catalog)
    return ", ".join([*([] if without.all() else ["own"]), *([split] if without.any() else [])])


def fill_split(catalog: Catalog, split: str, seed: int, share: float | None = None) -> Catalog:
    """Give the rows of every source without any split "train" or "test"; sources that have one keep it.

    share: of the rows that are for the test; None for what the papers on such sources take (`splits.usual_share`).
    """
    column, source = catalog.column("split"), catalog.column("source")
    rows = np.flatnonzero(bare(catalog)[source])
    if not len(rows):
        return catalog
    divided = splits.divide(catalog.select(rows), split, seed, look=split == "grouped", share=share)
    for line in divided.report.lines():
        log.info(line)
    if split != "grouped":
        log.info("Twins are counted by title alone, their images are not looked at.")
    column = column.astype(object)
    column[rows] = divided.split
    return with_split(catalog, column)
