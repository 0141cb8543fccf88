"""`repr lookup`: which stored products a photograph looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, options, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.index import Match


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
def command(
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
    """Find the stored products most like each PHOTO. Score: cosine, 1 is the same image.

    \b
    Examples:
      repr lookup --index shop.index photo.jpg -k 5 --sheet matches.png
      repr lookup shop.index photo.jpg
    """
    from repr.embedding.embed import embed_files
    from repr.lookup.building import check_weights
    from repr.lookup.index import Index
    from repr.reports import lookup_sheet

    place, named = options.index_and_words(folder, words)
    if not named:
        raise UserError("no photograph named", "", "Name image files after the index")
    photos = [Path(name) for name in named]
    index = Index.open(place)
    check_weights(index, weights)
    content, boxes = index.info(), index.boxes_of(photos)
    vectors, readable, unreadable = embed_files(index.encoder(device), photos, boxes=boxes, device=device, workers=workers)
    if not len(readable):
        raise UserError(unreadable[0].reason, unreadable[0].path, "Give image files")
    answers = dict(zip((photos[i] for i in readable), index.search(vectors, k, per_image=per_image), strict=True))
    for broken in unreadable:
        console.say(f"left out: {broken.path}: {broken.reason}")
    if content["unfinished"]:
        console.say(f"The index is unfinished. Unless it is still at work, give again: {'; '.join(content['unfinished'])}")
    most = max(map(len, answers.values()))
    if most < k:
        console.say(f"The index holds {most} {'images' if per_image else 'products'}, fewer than -k {k}: all are listed.")
    if sheet is not None:
        lookup_sheet.write(sheet, answers, images_root or Path(content["root"]), synthetic=content["synthetic"])
        console.say(f"Sheet: {sheet}")
    if as_json:
        reasons = {broken.path: broken.reason for broken in unreadable}
        results = [_entry(photo, answers.get(photo), reasons) for photo in photos]
        console.emit({"results": results, "synthetic": content["synthetic"]})
        return
    for photo, matches in answers.items():
        click.echo(f"{photo}" + ("  (synthetic: not real products)" if content["synthetic"] else ""))
        click.echo(_table(matches))


def _entry(photo: Path, matches: list[Match] | None, reasons: dict[str, str]) -> dict[str, object]:
    if matches is None:
        return {"query": str(photo), "matches": [], "error": reasons[str(photo)]}
    return {"query": str(photo), "matches": [{"product": m.product, "score": m.score, "image": m.image} for m in matches]}


def _table(matches: list[Match]) -> str:
    named = any(match.name for match in matches)
    rows = [[m.product, *([m.name or ""] if named else []), f"{m.score:.4f}", m.image] for m in matches]
    return tables.table(["product", *(["name"] if named else []), "score", "image"], rows)
