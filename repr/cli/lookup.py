"""`repr lookup`: which stored products photographs show."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, index_options, options, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.cold import Cold
    from repr.lookup.index import Index
    from repr.lookup.matches import Answer


@options.command()
@index_options.index_option("[DIR] PHOTO...")
@index_options.k_option(10, "photograph")
@options.option("--per-image", is_flag=True, help="Name the k nearest images, also several of one product.")
@index_options.same_weights_option
@options.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    section="output",
    help="Write the answers to FILE: .csv, a row a match, or .jsonl.",
)
@index_options.sheet_option("contact sheets of photographs and matches, fifty a page: FILE, FILE-2, …")
@options.option(
    "--images-root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    section="data",
    help="Where the index's images are now, for --sheet.  [default: where they were stored from]",
)
@index_options.onnx_option
@options.shared("device", "workers")
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path | None,
    words: tuple[str, ...],
    k: int,
    per_image: bool,
    weights: str | None,
    out: Path | None,
    sheet: Path | None,
    images_root: Path | None,
    onnx: bool,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Find the stored products that each PHOTO, or each in a folder, shows: ranked by the index's learner, with probabilities.

    \b
    Examples:
      repr lookup --index shop.index photo.jpg -k 5 --sheet matches.png
      repr lookup shop.index photos/ --out answers.csv

    Probability: of its being this product, if it is one of the index's; "unknown" where it rather is none of them. Score: cosine to
    the nearest stored image, 1 is the same image. Exit code 3: some could not be read.
    """
    from repr.catalog.announce import announce
    from repr.lookup.photographs import Photographs, answers, writing
    from repr.reports.lookup_sheet import Sheets

    place, named = index_options.index_and_words(folder, words)
    if not named:
        raise UserError("no photograph named", "", "Name image files, or folders of them, after the index")
    if onnx:
        options.refuse_typed(ctx, ("device", "weights"), "the index is asked by its own ONNX file", "Leave it out, or --onnx")
    if sheet is None:
        options.refuse_typed(ctx, ("images_root",), "no sheet is drawn", "Leave it out, or name a --sheet")
    index = _cold(place, workers) if onnx else _warm(place, device, workers, weights)
    photographs, synthetic = Photographs.of(named), bool(index.store.setting("synthetic"))
    announce(photographs)
    _say_unfinished(index)
    shown: list[Answer] = []
    counts = {"broken": 0, "unknown": 0, "most": 0}
    with ExitStack() as stack:
        write = stack.enter_context(writing(out))
        drawn = sheet and stack.enter_context(Sheets(sheet, lambda path: index.file(path, images_root), synthetic=synthetic))
        for answer in answers(index, photographs.files, k, per_image=per_image):
            counts["broken"] += bool(answer.error)
            counts["unknown"] += bool(answer.unknown)
            counts["most"] = max(counts["most"], len(answer.matches))
            write(answer)
            if drawn:
                drawn.add(answer)
            shown += [answer] if as_json else []
            _tell(answer, synthetic, shown=not as_json and out is None)
    _noted(counts["most"], k, per_image, drawn.files if drawn else ())
    if as_json:
        console.emit({"results": [answer.as_json() for answer in shown], "synthetic": synthetic})
    elif out is not None:
        click.echo(f"{_counted(len(photographs.files), counts)}: {out}")
    ctx.exit(3 if counts["broken"] else 0)


def _warm(folder: Path, device: str, workers: int | None, weights: str | None) -> Index:
    from repr.lookup.index import Index

    index = Index.open(folder, device=device, workers=workers)
    index.check_weights(weights)
    return index


def _cold(folder: Path, workers: int | None) -> Cold:
    """The index without PyTorch, which is loaded only where its encoder has to be exported first."""
    from repr.lookup.cold import opened

    def _export(of: Path) -> None:
        from repr.lookup.encoder_file import write_encoder

        write_encoder(of)

    return opened(folder, _export, workers=workers)


def _say_unfinished(index: Index | Cold) -> None:
    if begun := str(index.store.setting("unfinished") or ""):
        console.say(f"The index is unfinished. Unless it is still at work, give again: {begun} --out {shlex.quote(str(index.folder))}")


def _tell(answer: Answer, synthetic: bool, *, shown: bool) -> None:
    """Say of a photograph that it cannot be read, or what it shows."""
    if answer.error:
        console.say(f"left out: {answer.query}: {answer.error}")
    elif shown:
        click.echo(_shown(answer, synthetic))


def _noted(most: int, k: int, per_image: bool, sheets: Iterable[Path]) -> None:
    """Say that the index holds fewer than were asked for, and which sheets were drawn."""
    if 0 < most < k:
        console.say(f"The index holds {most} {'images' if per_image else 'products'}, fewer than -k {k}: all are listed.")
    for file in sheets:
        console.say(f"Sheet: {file}")


def _counted(photographs: int, counts: dict[str, int]) -> str:
    answered = photographs - counts["broken"]
    return f"{answered} photographs answered, {counts['unknown']} of them unknown; {counts['broken']} could not be read"


def _shown(answer: Answer, synthetic: bool) -> str:
    """An answer as text: the photograph, and a table of its matches."""
    marks = [*(["unknown"] if answer.unknown else []), *(["synthetic: not real products"] if synthetic else [])]
    title = f"{answer.query}  ({'; '.join(marks)})" if marks else answer.query
    named, coded = any(match.name for match in answer.matches), any(match.barcode for match in answer.matches)
    rows = [
        [
            match.product,
            *([match.name or ""] if named else []),
            *([match.barcode or ""] if coded else []),
            "" if match.probability is None else f"{match.probability:.1%}",
            f"{match.score:.4f}",
            match.image,
        ]
        for match in answer.matches
    ]
    header = ["product", *(["name"] if named else []), *(["barcode"] if coded else []), "probability", "score", "image"]
    return f"{title}\n{tables.table(header, rows)}"
