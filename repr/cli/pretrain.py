"""`repr pretrain`: learn a representation from product images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, options, tables, worker
from repr.errors import UserError
from repr.methods import METHODS
from repr.training.settings import DividedOrWhole, Settings


@options.command(lists={"Settings of methods": options.listed({name: method.settings for name, method in METHODS.items()})})
@options.shared("data", "subset")
@options.of(DividedOrWhole)
@options.shared("data_seed")
@options.of(Settings)
@options.option("--resume", is_flag=True, section="what", help="Go on from the checkpoint in --out, with the options it was started with.")
@options.out_option("the run folder (default runs/pretrain-TIME)")
@options.config_option
@options.download_option
@options.json_option
@click.pass_context
def command(ctx: click.Context, /, out: Path | None, resume: bool, as_json: bool, **arguments: Any) -> None:
    """Learn a representation from product images; without --data from those of the synthetic shop.

    Writes a run folder: config.json, metrics.csv, weights.safetensors (loads into torchvision), checkpoint, report.html.
    Ctrl-C stops at the end of the step, a second one at once; --resume --out DIR goes on from the checkpoint.

    --devices N trains in N processes of this machine; one that dies is restarted from the checkpoint, three times at most. Over several
    machines start it with torchrun on each: it sets the number of processes, restarts them (--max-restarts), and gives each one thread of
    a CPU unless OMP_NUM_THREADS says otherwise. --out should then lie on a file system that all machines share.

    \b
    Examples:
      repr pretrain
      repr pretrain --data shop/ --method supervised --arch resnet18 --epochs 30 --out runs/shop
      repr pretrain --data MEP-3M --subset mep-for-rpc --split none --epochs 30
      repr pretrain --data shop/ --method joint:projector=true,contrast=0.3 --init imagenet --size 128
      repr pretrain --resume --out runs/shop

    \b
    Two machines of eight GPUs, the same on each (shop/ is there, runs/ is shared; HOST is one of them):
      TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nnodes 2 --nproc-per-node 8 --max-restarts 3 --rdzv-backend c10d \\
        --rdzv-endpoint HOST:29500 --rdzv-id shop -m repr pretrain --data shop/ --out runs/shop
    """
    if resume and out is None:
        raise UserError("a stopped run needs its folder to go on", "--out", "Add --out DIR, as the stopped run said")
    if resume and ctx.default_map:
        raise UserError("--config would do nothing: --resume goes on with the run's own options", "--config", "Leave one of the two out")
    from repr.reports import training_report
    from repr.runs import Run, default_out
    from repr.training.run import execute, started_with
    from repr.training.stop import Stopped

    if resume and out is not None:
        arguments = started_with(out, arguments, options.typed(ctx))
    if worker.here().world == 1:
        out = out or default_out("pretrain")
    config = out / "config.json" if out else None
    before = config.stat().st_mtime_ns if config and config.is_file() else 0
    try:
        result = execute(arguments, out=out, resume=resume, part="repr.cli.pretrain_part:main")
    except BaseException as error:  # stopped or failed, it has a page too; one that never began has not
        if out and config and worker.here().rank == 0 and config.is_file() and config.stat().st_mtime_ns != before:
            console.say(f"What is kept: {training_report.write(Run.open(out))}")
        if isinstance(error, Stopped):
            console.say(str(error))
            ctx.exit(130)
        raise
    if worker.here().rank > 0:
        return
    report = training_report.write(Run.open(Path(result["run"])))
    if as_json:
        console.emit(result)
        return
    rows = [[name, f"{value:.4g}"] for name, value in result["metrics"].items()]
    click.echo(tables.table(["last epoch", ""], rows))
    click.echo(f"Weights: {result['weights']}\nReport:  {report}")
