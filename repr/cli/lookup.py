"""`repr lookup`: which stored products a photograph looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repr import console, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from repr.lookup.matches import Match


@click.command()
@click.option("--index", "folder", type=click.Path(path_type=Path), required=True, help="The index folder.")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("-k", "k", type=click.IntRange(1), default=10, show_default=True, help="Products to name for each photograph.")
@click.option("--per-image", is_flag=True, help="Name the k best images, also several of one product.")
@click.option("--weights", metavar="W", help="Only to make sure: refused unless the index was made with these.")
@click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE", help="Draw a contact sheet of photographs and matches.")
@click.option("--root", type=click.Path(path_type=Path), metavar="DIR", help="Where the index's images are now, for --sheet.")
@console.machine_options
@console.json_option
def command(
    folder: Path,
    photos: tuple[Path, ...],
    k: int,
    per_image: bool,
    weights: str | None,
    sheet: Path | None,
    root: Path | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Find the stored products most like each PHOTO. Score: cosine, 1 is the same image.

    \b
    Example:
      repr lookup --index shop.index photo.jpg -k 5 --sheet matches.png
    """
    from repr.lookup.index import Index
    from repr.models.weights import read_weights

    index = Index.open(folder, device=device, workers=workers)
    if weights is not None:
        given = read_weights(weights)
        index.check(given.identity, given.name)
    content = index.info()
    made = index.embed(photos)
    if not len(made):
        raise UserError(made.quarantine[0].reason, made.quarantine[0].path, "Give image files")
    answers: dict[int, list[Match]] = dict(zip(made.rows.tolist(), index.search(made.vectors, k, per_image=per_image), strict=True))
    for broken in made.quarantine:
        console.say(f"left out: {broken.path}: {broken.reason}")
    if content["unfinished"]:
        console.say(f"The index is unfinished. Unless it is still at work, give again: {'; '.join(content['unfinished'])}")
    most = max(len(matches) for matches in answers.values())
    if most < k:
        console.say(f"The index holds {most} {'images' if per_image else 'products'}, fewer than -k {k}: all are listed.")
    if sheet is not None:
        _draw(sheet, photos, answers, root or Path(content["root"]), content["synthetic"])
    if as_json:
        reasons = {broken.path: broken.reason for broken in made.quarantine}
        console.emit(
            {"results": [_entry(photo, answers.get(i), reasons) for i, photo in enumerate(photos)], "synthetic": content["synthetic"]}
        )
        return
    for i, photo in enumerate(photos):
        if i in answers:
            click.echo(f"{photo}" + ("  (synthetic: not real products)" if content["synthetic"] else ""))
            named = any(m.name for m in answers[i])
            rows = [[m.product, *([m.name or ""] if named else []), f"{m.score:.4f}", m.image] for m in answers[i]]
            click.echo(tables.table(["product", *(["name"] if named else []), "score", "image"], rows))


def _entry(photo: Path, matches: list[Match] | None, reasons: dict[str, str]) -> dict[str, Any]:
    if matches is None:
        return {"query": str(photo), "matches": [], "error": reasons[str(photo)]}
    return {"query": str(photo), "matches": [{"product": m.product, "score": m.score, "image": m.image} for m in matches]}


def _draw(sheet: Path, photos: tuple[Path, ...], answers: dict[int, list[Match]], root: Path, synthetic: bool) -> None:
    from repr.catalog.names import as_name
    from repr.files import replacing
    from repr.images.reader import ImageLike, Unreadable, read_image
    from repr.reports.sheet import SheetRow, contact_sheet

    def cell(match: Match) -> tuple[ImageLike, str, None]:
        image: ImageLike
        try:
            image = read_image(root / as_name(match.image), short_side=192, box=match.box)
        except Unreadable:
            image = root / as_name(match.image)  # drawn as an empty frame
        return image, f"{match.score:.3f} {match.name or match.product}", None

    label = " (synthetic)" if synthetic else ""
    rows = [SheetRow(photos[i], photos[i].name + label, [cell(match) for match in answers[i]]) for i in answers]
    image = contact_sheet(rows)
    with replacing(sheet) as temporary, temporary.open("wb") as stream:
        image.save(stream, "JPEG" if sheet.suffix.lower() in (".jpg", ".jpeg") else "PNG")
    console.say(f"Sheet: {sheet}")
