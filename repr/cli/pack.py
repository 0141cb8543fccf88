"""`repr pack`: decode images once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, options

if TYPE_CHECKING:
    from repr.images.reader import Fit


@options.command("pack")
@options.shared("data", "subset")
@options.option("--size", type=click.IntRange(8, 2048), default=80, show_default=True, metavar="PX", help="Side of the packed images.")
@options.option(
    "--fit",
    type=click.Choice(["crop", "pad", "squash"]),
    default="crop",
    show_default=True,
    help="How an image becomes a square: cut its ends off, set it on white, or change its aspect ratio.",
)
@options.out_option("the pack (a folder)")
@options.shared("workers")
@options.json_option
def command(data: tuple[str, ...], subset: str | None, size: int, fit: Fit, out: Path | None, workers: int | None, as_json: bool) -> None:
    """Decode images once into a file that training reads without decoding again.

    The pack is a folder with pixels.npy, a uint8 array (n, size, size, 3), and index.json. A call that was stopped goes on
    where it was; images that cannot be read are left out and listed with their reason. Training at a size of 64 reads
    images of 80 (1.25 times as large), finds a pack of that size by itself, and makes one where there is none.

    \b
    Example:
      repr pack --data shop --size 80 --out shop-80
    """
    import time

    from repr.catalog.sources import open_data
    from repr.images.pack import make_pack

    start = time.perf_counter()
    catalog = open_data(data, subset=subset, split=None)
    pack = make_pack(catalog, size, out=out, fit=fit, workers=workers)
    seconds = time.perf_counter() - start
    if as_json:
        quarantined = [{"image": entry.path, "reason": entry.reason} for entry in pack.quarantine]
        console.emit(
            {
                "pack": str(pack.path),
                "size": size,
                "images": len(pack),
                "quarantined": quarantined,
                "seconds": seconds,
                "synthetic": pack.synthetic,
            }
        )
        return
    label = " (synthetic)" if pack.synthetic else ""
    click.echo(f"{len(pack)} images of {size} px{label}, {pack.pixels.nbytes / 2**20:.0f} MiB, in {pack.path}")
