"""`rpc_transfer checkout train`: a detector of products, whoever they are, from labelled scenes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repr import console, options
from repr.errors import UserError
from rpc_transfer.checkout.settings import Training

if TYPE_CHECKING:
    from rpc_transfer.checkout.training import Learnt


@options.command("train")
@options.shared("data")
@options.of(Training)
@options.option("--resume", is_flag=True, help="Go on from the checkpoint in --out, with the options it was started with.")
@options.out_option("the run folder (default runs/detector-TIME)")
@options.download_option
@options.json_option
@click.pass_context
def command(ctx: click.Context, /, data: tuple[str, ...], out: Path | None, resume: bool, as_json: bool, **arguments: Any) -> None:
    """Train a detector on scenes with boxes: it finds products, whoever they are, and the index names them.

    One class unless --per-class: a product that comes later needs no training. Learns from the train part of --data, and watches its
    val part, or a share. Writes a run folder: detector.safetensors, metrics.csv, checkpoint, report.html. Ctrl-C stops at the end of the
    step.

    \b
    Examples:
      rpc_transfer checkout synthesize --data RPC --scenes 1000 --out scenes
      rpc_transfer checkout train --data scenes --out runs/detector
      rpc_transfer checkout train --data scenes --preset large --device cuda
      rpc_transfer checkout train --resume --out runs/detector
    """
    if resume and out is None:
        raise UserError("a stopped run needs its folder to go on", "--out", "Add --out DIR, as the stopped run said")
    if resume:
        given = [param.name for param in ctx.command.params if param.name not in ("device", "workers", "out", "as_json", "resume")]
        options.refuse_typed(ctx, [name for name in given if name], "a run goes on with its own options", "Leave it out, or --resume")
    from repr.runs import default_out
    from repr.training.stop import Stopped
    from rpc_transfer.checkout import training
    from rpc_transfer.checkout.training_report import write

    settings = Training(**arguments)
    if resume and out is not None:
        data, settings = training.started_with(out, device=settings.device, workers=settings.workers)
    elif not data:
        raise UserError("no scenes named", "--data", "Name a folder in RPC's layout, such as `checkout synthesize` writes")
    place = out or default_out("detector")
    try:
        learnt = training.train(data, settings, place, resume=resume)
    except Stopped as stopped:
        console.say(str(stopped))
        ctx.exit(130)
    for one in learnt.passed_over:
        console.say(one.line())
    page = write(learnt.run)
    if as_json:
        console.emit(_told(learnt))
        return
    finding = learnt.finding
    click.echo(
        f"{learnt.scenes:,} scenes in {learnt.seconds:.0f} s; on {learnt.watched:,} held out: AP50 {finding.ap:.3f}, at its threshold"
    )
    click.echo(f"{finding.threshold:.3f} recall {finding.recall:.3f} and precision {finding.precision:.3f}")
    click.echo(f"Detector: {learnt.detector}\nReport:   {page}")


def _told(learnt: Learnt) -> dict[str, object]:
    passed = [one.as_json() for one in learnt.passed_over]
    counts = {"scenes": learnt.scenes, "watched": learnt.watched, "seconds": learnt.seconds}
    return {"run": str(learnt.run), "detector": str(learnt.detector), **vars(learnt.finding), **counts, "passed_over": passed}
