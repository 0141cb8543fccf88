"""`repr weights`: look into weights files, mix them, and export them for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, options, tables

if TYPE_CHECKING:
    from repr.embedding.exporting import Kind

OF_BATCH_NORM = ("data", "subset", "split", "data_seed", "images", "seed", "device", "workers")


@click.group("weights")
def command() -> None:
    """Show what weights are, mix two of them, export them.

    Weights are named by a run folder, a .safetensors or .pth file, a folder as timm, open_clip or transformers write it, a network of
    timm's (its published weights, if they are here), imagenet, imagenet-lite2 or none.
    """


@command.command("show", cls=options.Command)
@click.argument("weights", metavar="WEIGHTS")
@options.download_option
@options.json_option
def show(weights: str, as_json: bool) -> None:
    """Say what WEIGHTS are: architecture, image size, classes, how and on what they were made.

    \b
    Example:
      repr weights show runs/first
    """
    from repr.models.weights import read_weights

    read = read_weights(weights)
    facts: dict[str, object] = {
        "name": read.name,
        "arch": read.arch,
        "size": read.size,
        "crops": list(read.crops),
        "mean": list(read.mean),
        "std": list(read.std),
        "classes": list(read.classes),
        "synthetic": read.synthetic,
        "identity": read.identity,
        "tensors": len(read.tensors),
        "parameters": sum(tensor.numel() for tensor in read.tensors.values()),
    }
    if as_json:
        console.emit({**facts, "unknown": read.provenance.unknown, "provenance": read.provenance.brief().as_json()})
        return
    shown = ", ".join(read.classes[:3]) + (", …" if len(read.classes) > 3 else "")
    facts["classes"] = f"{len(read.classes)} ({shown})" if read.classes else "none: no head"
    facts["synthetic"] = "yes: made on the synthetic shop" if read.synthetic else "no"
    for name in ("crops", "mean", "std"):
        facts[name] = ", ".join(f"{number:g}" for number in getattr(read, name))
    width = max(map(len, facts))
    click.echo("\n".join(f"{key:<{width}}  {value}" for key, value in facts.items() if value != ""))
    history = read.provenance.lines() or ["random weights: nothing was trained"]
    click.echo("\n".join(f"{'made by' if n == 0 else '':<{width}}  {line}" for n, line in enumerate(history)))


@command.command("mix", cls=options.Command)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@options.option("--alpha", type=options.Between(0, 1), default=0.25, show_default=True, help="Share of B; the rest is A's.")
@options.shared("data", "subset", "split", "data_seed")
@options.option(
    "--batch-norm",
    section="data",
    is_flag=True,
    help="Measure the batch-norm statistics anew on training images of --data; else they are interpolated as well.",
)
@options.option(
    "--images", section="data", type=click.IntRange(2), default=2000, show_default=True, help="How many images to measure them on."
)
@options.option(
    "--size", section="model", type=click.IntRange(8), metavar="PX", help="Image size of the mix. Default: the larger of the two."
)
@options.shared("crops", crops="those of A, else of B")
@options.shared("seed", "device", "workers")
@options.out_option("the mixed weights (default: mixed.safetensors)")
@options.download_option
@options.json_option
@click.pass_context
def mix(
    ctx: click.Context,
    /,
    first: str,
    second: str,
    alpha: float,
    data: tuple[str, ...],
    subset: str | None,
    split: str,
    data_seed: int | None,
    batch_norm: bool,
    images: int,
    size: int | None,
    crops: tuple[float, ...],
    seed: int,
    device: str,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Interpolate two weights of one architecture: (1 - alpha) of A and alpha of B.

    Between weights and what further training made of them there is often a point better than both. The head is kept only when
    both have the same classes. --batch-norm measures on what the crops show.

    \b
    Example:
      repr weights mix imagenet runs/tuned --alpha 0.25 --out mixed.safetensors
    """
    from dataclasses import replace

    from repr.errors import UserError
    from repr.models.mixing import mix as mix_weights
    from repr.models.weights import read_weights, write_weights

    if not batch_norm:
        options.refuse_typed(ctx, OF_BATCH_NORM, "nothing is measured", "Add --batch-norm, or leave it out")
    if batch_norm and not data:
        raise UserError("needs images to measure", "--batch-norm", "Name training images with --data")
    mixed = mix_weights(read_weights(first), read_weights(second), alpha)
    mixed = replace(mixed, size=size or mixed.size, crops=crops or mixed.crops)
    if batch_norm:
        from repr.training.remeasured import Measured, remeasured

        mixed = remeasured(mixed, Measured(data, subset, split, data_seed, images, seed), device=device, workers=workers)
    path = out or Path("mixed.safetensors")
    write_weights(path, mixed)
    if as_json:
        console.emit({"weights": str(path), "identity": mixed.identity, "arch": mixed.arch, "alpha": alpha, "synthetic": mixed.synthetic})
        return
    click.echo(f"{mixed.name}{' (synthetic)' if mixed.synthetic else ''}, {mixed.identity}, in {path}")


@command.command("export", cls=options.Command)
@click.argument("weights", metavar="WEIGHTS")
@options.option(
    "--to",
    "kind",
    type=click.Choice(["onnx", "torchscript", "safetensors", "timm-folder"]),
    default="onnx",
    show_default=True,
    help="The kind of file, or of folder.",
)
@options.option("--int8", is_flag=True, help="Also an ONNX file of 8 bits, and what it loses.")
@options.shared("data", "subset")
@options.option("--images", section="data", type=click.IntRange(2), default=64, show_default=True, help="How many images to compare on.")
@options.option("--size", section="model", type=click.IntRange(8), metavar="PX", help="Image side.  [default: that of the weights]")
@options.shared("crops", "workers")
@options.out_option("the export (default: model.onnx, model.pt, model.safetensors or the folder model)")
@options.download_option
@options.json_option
def export(
    weights: str,
    kind: Kind,
    int8: bool,
    data: tuple[str, ...],
    subset: str | None,
    images: int,
    size: int | None,
    crops: tuple[float, ...],
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write WEIGHTS as a file for other programs, compared with the original on images of --data, else of RPC ($RPC_ROOT).

    ONNX and TorchScript files take uint8 RGB squares and give features: crops, resizing and normalisation are inside. A model card is
    written beside. What gives other vectors than the original is not kept.

    \b
    Example:
      repr weights export runs/mine --to onnx --data shop/ --int8 --out mine.onnx
    """
    from repr.catalog.sources import open_data
    from repr.embedding.exporting import NAMES
    from repr.embedding.exporting import export as export_weights

    catalog = open_data(data, default="rpc", subset=subset)
    place = out or Path(NAMES[kind])
    done = export_weights(weights, kind, place, catalog, images=images, size=size, crops=crops, eight_bits=int8, workers=workers)
    if as_json:
        console.emit(done.as_json())
        return
    rows = [["original", "1", "1", "100 %", f"{done.measured.original_per_second:.0f}", ""]]
    for name, one in ((done.path, done.measured), (done.eight_bits_path, done.eight_bits)):
        if one is not None:
            numbers = f"{one.cosine:.5f}", f"{one.least:.5f}", f"{100 * one.top1:.1f} %", f"{one.per_second:.0f}", f"{one.megabytes:.1f}"
            rows.append([str(name), *numbers])
    click.echo(tables.table(["", "cosine", "least", "same nearest", "images/s", "MB"], rows))
    click.echo(f"On {done.measured.images} images{' (synthetic)' if catalog.synthetic else ''}. Model card: {done.card}")
