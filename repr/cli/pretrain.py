"""`repr pretrain`: learn a representation from product images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, tables, worker
from repr.errors import UserError
from repr.methods import METHODS

ARCHS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg19", "inception_v3", "tf_efficientnet_lite0")


@click.command()
@console.data_option
@console.label_options
@console.split_option
@click.option("--method", type=click.Choice(list(METHODS)), default="supervised", show_default=True, help="What is learned from.")
@click.option("--arch", type=click.Choice(ARCHS), help="The network. Default: that of --init, else resnet18.")
@click.option("--size", type=click.IntRange(16), metavar="PX", help="Side of the views in pixels. Default: that of --init, else 64.")
@click.option("--init", default="none", show_default=True, metavar="WEIGHTS", help="Start: none, imagenet, a run folder or a weights file.")
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True, help="Times every image is seen.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Images a step, over all devices.")
@click.option("--lr", type=float, help="Base learning rate. Default: the method's, scaled to the batch size.")
@click.option("--optimiser", type=click.Choice(["sgd", "lars"]), help="Default: the method's.")
@click.option("--momentum", type=float, default=0.9, show_default=True, help="Momentum of the optimiser.")
@click.option("--weight-decay", type=float, help="Weight decay; norms and biases have none. Default: the method's.")
@click.option("--warmup", type=float, metavar="EPOCHS", help="Linear warm-up. Default: the method's, at most a tenth of the run.")
@click.option("--schedule", type=click.Choice(["cosine", "step", "constant"]), default="cosine", show_default=True, help="After warm-up.")
@click.option("--ema", type=float, default=0.0, show_default=True, metavar="DECAY", help="Write the moving average of the weights.")
@click.option("--views", metavar="NAME", help="supervised, simclr or product, minus kinds: product-rotate-blur. Default: the method's.")
@click.option("--balanced", is_flag=True, help="Draw every class equally often.")
@click.option("--min-images", type=click.IntRange(1), default=1, show_default=True, help="Leave out smaller classes.")
@click.option("--val-share", type=float, default=0.05, show_default=True, help="Share held out to watch, if the data have no val split.")
@click.option("--label-smoothing", type=float, help="supervised, joint: share of the target spread over all classes. Default: 0.1.")
@click.option("--projector/--no-projector", default=None, help="supervised, joint: an MLP before the head, thrown away afterwards.")
@click.option("--temperature", type=float, help="simclr, moco, supcon, joint: of the contrastive loss. Default: 0.1, moco 0.2.")
@click.option("--decoupled/--no-decoupled", default=None, help="simclr: the decoupled contrastive loss.")
@click.option("--queue", type=click.IntRange(1), help="moco: keys kept. Default: 4096, at most half the images.")
@click.option("--contrast", type=float, help="joint: weight of the contrastive part, 0 to 1. Default: 0.5.")
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, help="GPUs, or processes on a CPU.")
@click.option("--pixels", type=click.Choice(["auto", "disk", "device"]), default="auto", show_default=True, help="Where images live.")
@click.option("--compile/--no-compile", default=False, show_default=True, help="Compile the network (worth it on GPUs).")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out, with the options it was started with.")
@console.machine_options
@console.seed_option
@console.out_option("the run folder (default runs/pretrain-TIME)")
@console.config_option
@console.json_option
@click.pass_context
def command(ctx: click.Context, /, out: Path | None, resume: bool, as_json: bool, **arguments: Any) -> None:
    """Learn a representation from product images.

    Writes a run folder: config.json, metrics.csv, weights.safetensors (loads into torchvision), checkpoint, report.html.
    Ctrl-C stops at the end of the step, a second one at once; --resume --out DIR goes on from the checkpoint.

    \b
    Examples:
      repr pretrain
      repr pretrain --data shop/ --method supervised --arch resnet18 --epochs 30 --out runs/shop
      repr pretrain --data shop/ --method joint --projector --init imagenet --size 128
      repr pretrain --resume --out runs/shop
    """
    if resume:
        arguments = _as_started(ctx, out, arguments)
    from repr.reports import training_report
    from repr.runs import Run
    from repr.training.run import execute
    from repr.training.stop import Stopped

    try:
        result = execute(arguments, out=out, resume=resume)
    except Stopped as stopped:
        console.say(str(stopped))
        ctx.exit(130)
    if worker.here().rank > 0:
        return
    report = training_report.write(Run.open(Path(result["run"])))
    if as_json:
        console.emit(result)
    else:
        rows = [[name, f"{value:.4g}"] for name, value in result["metrics"].items()]
        click.echo(tables.table(["last epoch", ""], rows))
        click.echo(f"Weights: {result['weights']}\nReport:  {report}")


def _as_started(ctx: click.Context, out: Path | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """The options the run was started with, under those typed now."""
    from repr.runs import Run

    if out is None:
        raise UserError("--resume needs the run folder to go on with", "--out", "Add --out DIR, as the stopped run said")
    if not (out / "config.json").exists():
        if not arguments["data"]:
            raise UserError("no run to go on with in this folder", out, "Check --out, or leave --resume out to start one")
        return arguments
    if ctx.default_map:
        raise UserError("--config would do nothing: --resume goes on with the run's own options", "--config", "Leave one of the two out")
    started = Run.open(out).config["arguments"]
    typed = console.typed(ctx)
    return {name: value if name in typed else started.get(name, value) for name, value in arguments.items()}
