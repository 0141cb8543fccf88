"""`repr synthetic`: draw the synthetic shop."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options


@options.command("synthetic")
@options.option("--out", required=True, type=options.WRITTEN, metavar="DIR", help="Where to write the folders mep3m and rpc.")
@options.option(
    "--scale",
    type=click.Choice(["full", "demo", "tiny"]),
    default="full",
    show_default=True,
    help="full (about 110 MB, a minute), demo (80 of 200 products, a third of the time) or tiny (for a first look).",
)
@options.option(
    "--part",
    "parts",
    type=click.Choice(["mep3m", "rpc"]),
    multiple=True,
    help="Only this one: mep3m, the web shop; or rpc, the checkout.  [repeatable; default: both]",
)
@options.option("--workers", type=click.IntRange(1), default=None, help="Processes that draw. Default: one a core.")
@options.shared("seed")
@options.json_option
def command(out: Path, scale: str, parts: tuple[str, ...], workers: int | None, seed: int, as_json: bool) -> None:
    """Draw a miniature shop in MEP-3M's and RPC's formats.

    The products do not exist; results on them are an illustration and are labelled so. The same seed gives the same files.

    \b
    Example:
      repr synthetic --out shop --scale tiny
    """
    from repr.synthetic import PARTS, draw_shop

    folder = draw_shop(out, seed=seed, scale=scale, parts=parts or PARTS, workers=workers)
    drawn = {part: str(folder / part) for part in PARTS if (folder / part).is_dir()}
    if as_json:
        console.emit({"out": str(folder), **drawn, "seed": seed, "scale": scale})
    else:
        click.echo("\n".join(drawn.values()))
