"""`repr embed`: the vectors of a catalog into one file, here or on many machines."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options
from repr.commands import command_line
from repr.errors import UserError


@options.command()
@options.shared("data", "subset")
@options.weights_option()
@options.size_option
@options.shared("crops")
@options.out_option("the vectors, an .npz (needed)")
@options.option("--ray", section="machine", metavar="ADDRESS", help="On the Ray cluster there; local: one of this machine's own.")
@options.shared("device", "workers")
@options.download_option
@options.json_option
def command(
    data: tuple[str, ...],
    subset: str | None,
    weights: str | None,
    size: int | None,
    crops: tuple[float, ...],
    out: Path | None,
    ray: str | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Embed every image of --data into the file --out: `embeddings`, `labels` (products), `paths`.

    \b
    Examples:
      repr embed --data shop/ --weights runs/mine --out shop.npz
      repr embed --data shop/ --ray local --out shop.npz

    An interrupted one goes on with the same command. The vectors are the same to the bit, wherever they are made.
    """
    if out is None:
        raise UserError("no file named for the vectors", "--out", "Add --out FILE.npz")
    from repr.catalog.sources import open_sources
    from repr.embedding.blocks import Look, embed_catalog, here
    from repr.embedding.embeddings import log_left_out
    from repr.embedding.rays import on_ray
    from repr.models.devices import pick_device
    from repr.models.weights import read_weights

    if not data:
        raise UserError("no data are named", "--data", "Add --data PATH")
    run = on_ray(ray, workers=workers) if ray else here
    catalog, read = open_sources(data, subset=subset), read_weights(weights or "imagenet")
    look = Look(read, size, crops, str(pick_device(device)))
    written = embed_catalog(catalog, look, out, run=run)
    log_left_out(written.quarantine)
    if as_json:
        passed = [one.as_json() for one in catalog.passed_over]
        summary = {
            "file": str(out),
            "images": len(written),
            "dim": written.vectors.shape[1],
            "quarantined": len(written.quarantine),
        }
        console.emit({**summary, "weights": read.identity, "passed_over": passed, "synthetic": catalog.synthetic or read.synthetic})
        return
    click.echo(
        f"{len(written):,} images in {out}, {written.vectors.shape[1]} numbers each ({len(written.quarantine)} left out as unreadable)."
    )
    click.echo(f"Next: {command_line('repr evaluate', embeddings=out)}")
