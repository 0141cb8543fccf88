"""`rpc_transfer checkout predict`: the shopping list of images of a counter."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, index_options, options, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.checkout.basket import Basket
    from repr.checkout.proposal import Proposer
    from repr.lookup.cold import Cold
    from repr.lookup.index import Index

FILE = click.Path(path_type=Path)


@options.command("predict")
@index_options.index_option("[DIR] IMAGE...")
@index_options.k_option(5, "box")
@index_options.detector_option
@index_options.threshold_option
@index_options.same_weights_option
@options.option(
    "--by-detector", is_flag=True, section="model", help="Name by the classes of a detector that was trained --per-class, without an index."
)
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
@index_options.sheet_option("the images with boxes, names and lists")
@options.out_option("the baskets")
@index_options.onnx_option
@options.shared("device", "workers")
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path | None,
    words: tuple[str, ...],
    k: int,
    detector: str,
    threshold: float | None,
    weights: str | None,
    by_detector: bool,
    kind: str,
    like: Path | None,
    sheet: Path | None,
    out: Path | None,
    onnx: bool,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Make the shopping list of each IMAGE of a counter: files, folders of them, or - for names on standard input.

    --detector finds products, whoever they are; the index names them, and is that of `repr lookup`: a new product is a few images in
    it. Exit code 3: some images could not be read.

    \b
    Examples:
      rpc_transfer checkout predict --index shop.index counter.jpg --sheet basket.png
      rpc_transfer checkout predict shop.index test2019 --detector runs/detector --like instances_test2019.json --format coco --out r.json
    """
    from repr.checkout.basket import baskets
    from rpc_transfer.checkout import writing

    _refuse_idle(ctx, kind if out is not None else "", by_detector=by_detector, onnx=onnx)
    place, named = (None, words) if by_detector else index_options.index_and_words(folder, words)
    if not named:
        raise UserError("no image named", "", "Name image files after the index, a folder of them, or - for names on standard input")
    index, proposer = _cold(place, detector, workers) if onnx else _warm(place, detector, device, workers, weights)
    ids = writing.Ids.like(like) if like is not None else None
    found: list[Basket] = []
    for basket in baskets(_images(named), index, proposer, k=k, threshold=threshold):
        found.append(basket)
        if basket.error:
            console.say(f"left out: {basket.query}: {basket.error}")
        elif not as_json:
            click.echo(_text(basket))
    synthetic = index is not None and bool(index.store.setting("synthetic"))
    if out is not None:
        writing.write(out, [basket for basket in found if not basket.error], kind, ids)
    if sheet is not None:
        writing.write_sheet(sheet, found, synthetic=synthetic)
    if as_json:
        console.emit({"results": [basket.as_json() for basket in found], "synthetic": synthetic})
    ctx.exit(3 if any(basket.error for basket in found) else 0)


def _refuse_idle(ctx: click.Context, written: str, *, by_detector: bool, onnx: bool) -> None:
    """Raise UserError for options that would do nothing. written: the kind of file, "" for none."""
    if by_detector:
        options.refuse_typed(ctx, ("folder", "weights", "k"), "the detector's own classes name", "Leave it out, or --by-detector")
    if onnx:
        options.refuse_typed(ctx, ("device", "weights"), "ONNX files are run on the processor", "Leave it out, or --onnx")
    if not written:
        options.refuse_typed(ctx, ("kind", "like"), "no file is written", "Name one with --out, or leave it out")
    elif written != "coco":
        options.refuse_typed(ctx, ("like",), "it is COCO's results that get these ids", "Add --format coco, or leave it out")


def _warm(folder: Path | None, detector: str, device: str, workers: int | None, weights: str | None) -> tuple[Index | None, Proposer]:
    from repr.checkout.choice import proposer_of
    from repr.lookup.index import Index

    index = Index.open(folder, device=device, workers=workers) if folder is not None else None
    if index is not None:
        index.check_weights(weights)
    return index, proposer_of(detector, device=device)


def _cold(folder: Path | None, detector: str, workers: int | None) -> tuple[Cold | None, Proposer]:
    """Both without PyTorch, which is loaded only where something has to be exported first."""
    from repr.checkout import cold
    from repr.lookup.cold import opened

    def _export_encoder(of: Path) -> None:
        from repr.lookup.encoder_file import write_encoder

        write_encoder(of)

    def _export_detector(path: Path, file: Path) -> None:
        from repr.checkout.detector import read_detector
        from repr.checkout.portable import write_onnx

        write_onnx(read_detector(path), file)

    index = opened(folder, _export_encoder, workers=workers) if folder is not None else None
    return index, cold.opened(detector, _export_detector)


def _images(words: Sequence[str]) -> Iterator[Path]:
    """The files that words name: a folder's, as `repr lookup` has them, those of standard input, one a line, or the word itself."""
    from repr.catalog.announce import announce
    from repr.lookup.photographs import Photographs

    for word in words:
        if word == "-":
            yield from (Path(line.rstrip("\n")) for line in sys.stdin if line.strip())
        else:
            photographs = Photographs.of([word])
            announce(photographs)
            yield from photographs.files


def _text(basket: Basket) -> str:
    rows = [[str(line.count), line.product, line.name or "", line.barcode or ""] for line in basket.lines]
    if basket.unknown:
        rows.append([str(basket.unknown), "?", "unknown", ""])
    return f"{basket.query}\n" + (tables.table(["count", "product", "name", "barcode"], rows) if rows else "nothing on the counter")
