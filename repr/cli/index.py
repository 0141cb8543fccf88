"""`repr index`: build, change and describe an index of products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console
from repr.crops import WHOLE, suffix
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.catalogs import Added
    from repr.lookup.index import Index
    from repr.lookup.manifest import Info

PARTS = click.Choice(["train", "val", "test"])
index_option = click.option(
    "--index", "folder", type=click.Path(path_type=Path), metavar="DIR", help="The index folder; or name it first, without --index."
)


@click.group()
def command() -> None:
    """Build and change an index: a folder that finds stored products by photograph."""


@command.command()
@console.data_option
@click.option("--weights", metavar="W", help="Run folder, .safetensors, .pth or imagenet.  [default: imagenet]")
@click.option("--size", type=click.IntRange(16), metavar="PX", help="Image side. Default: that of the weights.")
@console.crops_option("as the weights say, else 1,0.5, but 1 where boxes cut products out")
@click.option("--part", "parts", type=PARTS, multiple=True, help="Only images of this part of the data; repeatable.")
@click.option("--subset", metavar="NAME", help="A named part, such as mep-for-rpc, or a CSV file of class ids.")
@click.option("--ivf", is_flag=True, help="Search inverted lists: faster from some 100,000 images on, not exact. Prints what it misses.")
@console.out_option("the index folder (needed)")
@console.seed_option
@console.machine_options
@console.json_option
def build(
    data: tuple[str, ...],
    weights: str | None,
    size: int | None,
    crops: tuple[float, ...] | None,
    parts: tuple[str, ...],
    subset: str | None,
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
    from dataclasses import replace

    import numpy as np

    from repr.catalog.sources import open_sources
    from repr.lookup.catalogs import add_catalog, command_of, common_root, stored_part
    from repr.lookup.index import BUILD, CROPS, Index
    from repr.models.backbones import backbone
    from repr.models.weights import read_weights
    from repr.search.ivf import check_enough

    if weights is None:
        console.say("No --weights named: using imagenet (EfficientNet-Lite0 as trained on ImageNet).")
    catalog, left_out = stored_part(open_sources(data, default="rpc", subset=subset), parts)
    if left_out:
        console.say(left_out)
    if ivf:
        check_enough(len(catalog))
    chosen = read_weights(weights or "imagenet")
    command = command_of(BUILD, data, parts, subset)
    index = _unfinished(out, command, size, crops, device, workers)
    cut_out = catalog.table.column("box").null_count == 0  # products then fill their images
    if index is None:
        chosen = replace(chosen, size=size or chosen.size, crops=crops or chosen.crops or (WHOLE if cut_out else CROPS))
        dim, root = backbone(chosen.arch).dim, common_root(catalog)
        index = Index.create(out, chosen, dim=dim, root=root, synthetic=catalog.synthetic, device=device, workers=workers)
    index.check(chosen.identity, chosen.name)  # those that an unfinished index was begun with
    added = add_catalog(index, catalog, command=command)
    if ivf:
        lists = index.build_lists(np.random.default_rng(seed))
        console.say(f"{lists.nlist} lists, {lists.nprobe} probed: recall@10 against the exact search {lists.recall_at_10:.1%}")
    index.end(command)
    _report(index, added, as_json)


@command.command()
@index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@console.data_option
@click.option("--weights", metavar="W", help="Only to make sure: refused unless the index was made with these.")
@click.option("--part", "parts", type=PARTS, multiple=True, help="Only images of this part of the data; repeatable.")
@click.option("--subset", metavar="NAME", help="A named part, such as mep-for-rpc, or a CSV file of class ids.")
@console.machine_options
@console.json_option
def add(
    folder: Path | None,
    words: tuple[str, ...],
    data: tuple[str, ...],
    weights: str | None,
    parts: tuple[str, ...],
    subset: str | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Add the images of --data that the index does not hold yet. What is stored is not touched.

    \b
    Example:
      repr index add --index shop.index --data new_products/
    """
    from repr.catalog.sources import open_sources
    from repr.lookup.catalogs import add_catalog, command_of, stored_part
    from repr.lookup.index import ADD, Index

    if not data:
        raise UserError("no data named", "--data", "Add --data PATH")
    opened = Index.open(_one(folder, words), device=device, workers=workers)
    _check(opened, weights)
    catalog, left_out = stored_part(open_sources(data, default="rpc", subset=subset), parts)
    if left_out:
        console.say(left_out)
    command = command_of(ADD, data, parts, subset)
    added = add_catalog(opened, catalog, command=command)
    opened.end(command)
    _report(opened, added, as_json)


@command.command()
@index_option
@click.argument("words", nargs=-1, metavar="[DIR] PRODUCT...")
@console.json_option
def remove(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Take every PRODUCT (by its id) out of the index.

    \b
    Example:
      repr index remove --index shop.index 17 42
    """
    from repr.lookup.index import Index

    index, products = _named(folder, words)
    if not products:
        raise UserError("no product named", "repr index remove", "Name the products to remove, by their ids")
    opened = Index.open(index)
    gone = opened.remove(products)
    if as_json:
        console.emit({"removed": gone, "index": str(index), **opened.info()})
    else:
        click.echo(f"Removed {gone} images of {len(set(products))} products; {opened.info()['products']} products stay.")


@command.command()
@index_option
@click.argument("words", nargs=-1, metavar="[DIR]")
@console.json_option
def info(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Say what the index holds and what it was made with.

    \b
    Example:
      repr index info --index shop.index
    """
    from repr.lookup.index import Index

    index = _one(folder, words)
    content = Index.open(index).info()
    if as_json:
        console.emit({"index": str(index), **content})
    else:
        click.echo(_described(content))


def _named(folder: Path | None, words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """The index folder, from --index or as the first word, and the other words."""
    if folder is not None:
        return folder, words
    if not words:
        raise UserError("no index named", "--index", "Add --index DIR")
    return Path(words[0]), words[1:]


def _one(folder: Path | None, words: tuple[str, ...]) -> Path:
    index, others = _named(folder, words)
    if others:
        raise UserError(f"one word too many: {others[0]}", "repr index", "Name one index; images come with --data")
    return index


def _unfinished(
    out: Path, command: str, size: int | None, crops: tuple[float, ...] | None, device: str, workers: int | None
) -> Index | None:
    """The index at `out` when an earlier build of it by the same command was interrupted, else None.

    Raises UserError when that was of other images, or of another size or other crops than were typed.
    """
    from repr.lookup.index import BUILD, Index

    if not (out / "manifest.json").is_file():
        return None
    index = Index.open(out, device=device, workers=workers)
    builds = [begun for begun in index.info()["unfinished"] if begun.startswith(BUILD)]
    if not builds:
        return None
    if command not in index.manifest.unfinished:
        raise UserError("an unfinished index of other images", out, f"Give again: {builds[0]}; or delete it")
    begun = index.manifest.weights["size"], index.manifest.crops
    if size not in (None, begun[0]) or crops not in (None, begun[1]):
        raise UserError(f"an unfinished index of {begun[0]} px{suffix(begun[1])}", out, "Leave --size and --crops out, or delete it")
    console.say(f"Going on with the unfinished index {out}")
    return index


def _check(index: Index, weights: str | None) -> None:
    if weights is not None:
        from repr.models.weights import read_weights

        given = read_weights(weights)
        index.check(given.identity, given.name)


def _report(index: Index, added: Added, as_json: bool) -> None:
    from repr.embedding.embeddings import log_left_out

    content = index.info()
    log_left_out(added.quarantine)
    if as_json:
        counts = {"added": added.stored, "already": added.already, "quarantined": len(added.quarantine)}
        console.emit({"index": str(index.folder), **counts, **content})
    else:
        click.echo(f"Added {added.stored} images ({added.already} were there, {len(added.quarantine)} left out as unreadable).")
        click.echo(_described(content))
        click.echo(f"Next: repr lookup --index {index.folder} PHOTO")


def _described(content: Info) -> str:
    weights, lists = content["weights"], content["lists"]
    inverted = f"{lists['nprobe']} of {lists['nlist']} inverted lists, recall@10 {lists['recall_at_10']:.1%}" if lists else ""
    lines = [
        f"{content['products']} products in {content['images']} images"
        + (f" ({content['removed_images']} removed)" if content["removed_images"] else "")
        + (" - synthetic: not real products" if content["synthetic"] else ""),
        f"weights  {weights['name']} ({weights['arch']}, {weights['size']} px{suffix(weights['crops'])}, {weights['identity']})",
        f"search   {inverted or 'exact'}",
        f"root     {content['root']}",
        f"size     {content['bytes'] / 2**20:.1f} MiB in {content['segments']} segments",
    ]
    lines += [f"UNFINISHED, or still at work: {command}" for command in content["unfinished"]]
    return "\n".join(lines)
