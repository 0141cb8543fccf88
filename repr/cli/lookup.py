"""`repr lookup`: which stored products a photograph looks like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, options, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.matches import Match


@options.command()
@options.index_option
@click.argument("words", nargs=-1, metavar="[DIR] PHOTO...")
@options.option("-k", "k", type=click.IntRange(1), default=10, help="Products to name for each photograph.  [default: 10]")
@options.option("--per-image", is_flag=True, help="Name the k best images, also several of one product.")
@options.option("--weights", metavar="W", section="model", help="Only to make sure: refused unless the index was made with these.")
@options.option(
    "--sheet", type=click.Path(path_type=Path), metavar="FILE", section="output", help="Draw a contact sheet of photographs and matches."
)
@options.option(
    "--images-root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    section="data",
    help="Where the index's images are now, for --sheet.  [default: where they were stored from]",
)
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
    sheet: Path | None,
    images_root: Path | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Find the stored products most like each PHOTO. Score: cosine, 1 is the same image. Exit code 3: some could not be read.

    \b
    Examples:
      repr lookup --index shop.index photo.jpg -k 5 --sheet matches.png
      repr lookup shop.index photo.jpg
    """
    from repr.lookup.index import Index
    from repr.reports import lookup_sheet

    place, named = options.index_and_words(folder, words)
    if not named:
        raise UserError("no photograph named", "", "Name image files after the index")
    index = Index.open(place, device=device, workers=workers)
    index.check_weights(weights)
    content, answers = index.info(), index.lookup([Path(name) for name in named], k, per_image=per_image)
    broken = [answer for answer in answers if answer.error]
    for answer in broken:
        console.say(f"left out: {answer.query}: {answer.error}")
    if content["unfinished"]:
        console.say(f"The index is unfinished. Unless it is still at work, give again: {'; '.join(content['unfinished'])}")
    most = max((len(answer.matches) for answer in answers if not answer.error), default=k)
    if most < k:
        console.say(f"The index holds {most} {'images' if per_image else 'products'}, fewer than -k {k}: all are listed.")
    if sheet is not None and len(broken) < len(answers):
        shown = {Path(answer.query): answer.matches for answer in answers if not answer.error}
        lookup_sheet.write(sheet, shown, images_root or Path(content["root"]), synthetic=content["synthetic"])
        console.say(f"Sheet: {sheet}")
    if as_json:
        console.emit({"results": [answer.as_json() for answer in answers], "synthetic": content["synthetic"]})
    else:
        for answer in answers:
            if not answer.error:
                click.echo(f"{answer.query}" + ("  (synthetic: not real products)" if content["synthetic"] else ""))
                click.echo(_table(answer.matches))
    ctx.exit(3 if broken else 0)


def _table(matches: Sequence[Match]) -> str:
    named, coded = any(match.name for match in matches), any(match.barcode for match in matches)
    rows = [
        [m.product, *([m.name or ""] if named else []), *([m.barcode or ""] if coded else []), f"{m.score:.4f}", m.image] for m in matches
    ]
    return tables.table(["product", *(["name"] if named else []), *(["barcode"] if coded else []), "score", "image"], rows)
