"""`repr index`: build, change, keep and describe an index of products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from repr import console, index_options, options
from repr.commands import command_line
from repr.errors import UserError
from repr.index_options import Adding, Machine
from repr.lookup.settings import AnswerSettings, SearchSettings

if TYPE_CHECKING:
    from repr.lookup.building import Stock
    from repr.lookup.filling import Changes
    from repr.lookup.index import Index

CARE = {name: f"repr.cli.care:{name}" for name in ("reindex", "verify", "compact", "backup", "restore", "export")}
JUDGING = {name: f"repr.cli.judging:{name}" for name in ("check", "learner")}


@click.group(cls=console.LazyGroup, table={**JUDGING, **CARE})
def command() -> None:
    """Build, change and keep an index: a folder that finds stored products by photograph."""


@command.command(cls=options.Command)
@index_options.stock_options
@options.weights_option()
@options.size_option
@options.shared("crops", crops="as the weights say, else 1,0.5, but 1 where boxes cut products out")
@options.of(AnswerSettings)
@options.of(SearchSettings)
@options.option("--store", metavar="milvus://HOST", section="machine", help="Keep vectors for the search in Milvus, not on this machine.")
@options.out_option("the index folder (needed)")
@options.shared("device", "workers", "wait")
@options.option("--onnx", is_flag=True, section="machine", help="Export the encoder too, for lookups without PyTorch.")
@options.download_option
@options.json_option
def build(
    prefix: bool,
    weights: str | None,
    size: int | None,
    crops: tuple[float, ...],
    learner: str,
    accept: float,
    recall: float,
    store: str | None,
    out: Path | None,
    onnx: bool,
    as_json: bool,
    **given: Unpack[Adding],
) -> None:
    """Embed every product image of --data and store it under --out; then choose on these images who answers.

    \b
    Example:
      repr index build --data shop/ --weights runs/mine --out shop.index

    Product images are all but the boxes of checkout scenes. An interrupted build goes on with the same command.
    """
    if out is None:
        raise UserError("no folder named for the index", "--out", "Add --out FOLDER")
    from repr.catalog.sources import default_root
    from repr.lookup.building import Build, Look
    from repr.lookup.index import Index

    if weights is None:
        console.say("No weights named: using imagenet (EfficientNet-Lite0 as trained on ImageNet).")
    given["data"] = given["data"] or (str(default_root("rpc")),)
    look, asked = Look(weights or "imagenet", size, crops), AnswerSettings(learner=learner, accept=accept)
    wanted = Build(_stock(given), look, asked, prefix, recall=recall, store=store)
    index, changes = Index.build(out, wanted, **_machine(given))
    if onnx:
        from repr.lookup.encoder_file import write_encoder

        write_encoder(out)
    _report(index, changes, as_json)


@command.command(cls=options.Command)
@index_options.index_option()
@index_options.stock_options
@index_options.same_weights_option
@options.shared("device", "workers", "wait")
@options.json_option
def add(folder: Path | None, words: tuple[str, ...], prefix: bool, weights: str | None, as_json: bool, **given: Unpack[Adding]) -> None:
    """Add the images of --data that the index does not hold yet. A file that has changed takes the place of what it was.

    \b
    Examples:
      repr index add --index shop.index --data new_products/
      repr index add shop.index --data new_products/
    """
    index = _opened(folder, words, weights, given)
    _report(index, index.add_catalog(_stock(given).catalog(), prefix=prefix), as_json)


@command.command(cls=options.Command)
@index_options.index_option()
@index_options.stock_options
@index_options.same_weights_option
@options.option("--dry-run", is_flag=True, help="Only say what would be done.")
@options.shared("device", "workers", "wait")
@options.json_option
def sync(
    folder: Path | None,
    words: tuple[str, ...],
    prefix: bool,
    weights: str | None,
    dry_run: bool,
    as_json: bool,
    **given: Unpack[Adding],
) -> None:
    """Make the index equal to --data: what is new is added, what has changed replaced, what is gone removed.

    \b
    Example:
      repr index sync shop.index --data shop/ --dry-run
    """
    index = _opened(folder, words, weights, given)
    changes = index.sync(_stock(given), dry_run=dry_run, prefix=prefix)
    if dry_run and not as_json:
        click.echo("Nothing is done. It would be:")
    _report(index, changes, as_json)


@command.command(cls=options.Command)
@index_options.index_option("[DIR] PRODUCT...")
@options.shared("wait")
@options.json_option
def remove(folder: Path | None, words: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Take every PRODUCT (by its id) out of the index.

    \b
    Examples:
      repr index remove --index shop.index 17 42
      repr index remove shop.index 17 42
      repr index remove shop.index -- -1
    """
    from repr.lookup.index import Index

    place, products = index_options.index_and_words(folder, words)
    if not products:
        raise UserError("no product named", "", "Name the products to remove, by their ids")
    index = Index.open(place, wait=wait)
    gone = index.remove(products)
    said = f"Removed {gone} images of {len(set(products))} products; {index.store.counts()[0]} products stay."
    index_options.finish(index.folder, {"removed": gone}, said, as_json=as_json)


@command.command(cls=options.Command)
@index_options.index_option("[DIR] OLD NEW")
@options.shared("wait")
@options.json_option
def rename(folder: Path | None, words: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Give the product OLD the id NEW.

    \b
    Example:
      repr index rename shop.index milk milk-1l
    """
    from repr.lookup.index import Index

    place, names = index_options.index_and_words(folder, words)
    if len(names) != 2:
        raise UserError("a product's id and its new one are needed", "", "Give both: repr index rename shop.index OLD NEW")
    index = Index.open(place, wait=wait)
    index.rename(names[0], names[1])
    index_options.finish(index.folder, {"renamed": list(names)}, f"{names[0]} is {names[1]} now.", as_json=as_json)


@command.command(cls=options.Command)
@index_options.index_option("[DIR] ROOT")
@options.shared("wait")
@options.json_option
def move(folder: Path | None, words: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Say that the images lie under ROOT now.

    \b
    Example:
      repr index move shop.index /data/shop
    """
    from repr.lookup.index import Index

    place, root = index_options.index_and_file(folder, words, "the images' new root")
    index = Index.open(place, wait=wait)
    index.move(root)
    index_options.finish(index.folder, {"root": str(index.root)}, f"Images are looked for under {index.root}.", as_json=as_json)


@command.command(cls=options.Command)
@index_options.index_option()
@options.json_option
def info(folder: Path | None, words: tuple[str, ...], as_json: bool) -> None:
    """Say what the index holds and what it was made with.

    \b
    Examples:
      repr index info --index shop.index
      repr index info shop.index
    """
    from repr.lookup.index import Index
    from repr.lookup.info import described

    index = Index.open(index_options.index_alone(folder, words))
    content = index.info()
    index_options.finish(index.folder, content, "\n".join(described(content)), as_json=as_json)


def _opened(folder: Path | None, words: tuple[str, ...], weights: str | None, given: Adding) -> Index:
    """The index, checked to be made with `weights` if they are named."""
    from repr.lookup.index import Index

    index = Index.open(index_options.index_alone(folder, words), **_machine(given))
    index.check_weights(weights)
    return index


def _stock(given: Adding) -> Stock:
    """What is to be stored."""
    from repr.lookup.building import Stock

    return Stock(given["data"], given["parts"], given["subset"])


def _machine(given: Adding) -> Machine:
    """How the index is opened."""
    return {"device": given["device"], "workers": given["workers"], "wait": given["wait"]}


def _report(index: Index, changes: Changes, as_json: bool) -> None:
    from repr.embedding.embeddings import log_left_out
    from repr.lookup.info import described

    log_left_out(changes.quarantine)
    content = index.info()
    following = f"Next: {command_line('repr lookup', 'photo.jpg', index=index.folder)}"
    said = "\n".join([changes.words(), *described(content), following])
    index_options.finish(index.folder, {**content, **changes.as_json()}, said, as_json=as_json)
