"""`rpc_transfer run`: base step, increments, and what is then recognised, beside other starting weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console
from repr.errors import UserError
from repr.learners import FROZEN, LEARNERS, TRAINED, VARIANTS, explained


@click.command("run")
@console.data_option
@click.option(
    "--novel",
    type=click.IntRange(1),
    metavar="N",
    help="How many products are novel, drawn evenly over the supercategories. Needed, unless --split gives them.",
)
@click.option("--shots", metavar="N[,N…]", help="Images a product; several for a curve. Default: 10, or as many as a split file has.")
@click.option(
    "--weights",
    multiple=True,
    metavar="W",
    help="Starting weights: a run folder, .safetensors or .pth; repeatable. none and imagenet are shown beside them. "
    "Default on the synthetic shop: the newest made on it.",
)
@click.option("--only-weights", is_flag=True, help="The rows of --weights alone, without none and imagenet beside them.")
@click.option(
    "--learner",
    multiple=True,
    metavar="NAME",
    help=f"Repeatable. Frozen: {', '.join(FROZEN)}; trained: {', '.join(TRAINED)}; also {', '.join(VARIANTS)}; frozen, trained or all "
    "for every one. With settings: lda:shrinkage=0.5,root=true; help lists them. Default: finetune, ncm, cosine.",
)
@click.option(
    "--seeds", type=click.IntRange(1), help="How many seeds; they vary shots and initialisation. Default: 5, or those of a split file."
)
@click.option("--seed", type=click.IntRange(0), help="The first of the --seeds. Default: 0.")
@click.option("--split-seed", type=click.IntRange(0), help="Seed of the choice of novel products. Default: 0, or that of a split file.")
@click.option(
    "--split",
    default="grouped",
    show_default=True,
    metavar="random|grouped|FILE",
    help="How to divide a source that has no split of its own, or the split.json of an earlier run.",
)
@click.option("--base-shots", metavar="N|all", help="Images a base product. Default: as many as --shots.")
@click.option("--shots-from", type=click.Choice(["train", "val"]), default="train", show_default=True, help="Where shots come from.")
@click.option(
    "--test-on",
    type=click.Choice(["validation", "val", "test"]),
    help="Test images; validation: what --shots-from has beside the shots. Default: test where the set has one.",
)
@click.option("--increments", default="", metavar="PLAN", help="Steps of the novel products: 34, 17x2 or 10,12x2. Default: one step.")
@click.option("--unknown", type=click.IntRange(0), default=0, show_default=True, help="Products never taught, to measure rejection.")
@click.option(
    "--reject",
    is_flag=False,
    flag_value=0.95,
    type=console.Between(0, 1, min_open=True),
    metavar="[SHARE]",
    help="Reject what looks untaught; the threshold accepts this share of training images that are not shots. Bare: 0.95.",
)
@click.option(
    "--features",
    type=click.Choice(["given", "base-trained", "both"]),
    default="given",
    help="Encoder of frozen learners: the weights as given, or as the base step leaves them. Default: given; both with --learner all, "
    "where the base step is trained anyway. Without weights: base-trained.",
)
@click.option(
    "--base-alpha",
    type=console.Between(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="How much of the base step's training base-trained encoders keep; the rest is the weights as they came (not for none).",
)
@click.option("--memory", type=click.IntRange(0), metavar="N", help="Images of earlier steps that trained learners keep. Default: all.")
@click.option("--arch", metavar="NAME", help="Architecture of the random start. Default: that of the first --weights, else resnet18.")
@click.option(
    "--size", type=click.IntRange(8), metavar="PX", help="Image side. Default: the weights' own; 64 where nothing says otherwise."
)
@console.crops_option()
@click.option(
    "--epochs",
    type=click.IntRange(0),
    metavar="N",
    help="Epochs of each training step; joint has as many updates as all steps together. Default: about 300 updates in the base step "
    "(30 epochs at most), as many in one increment, 1/√n of that in each of n.",
)
@click.option("--lr", type=console.Between(0, min_open=True), help="Learning rate of trained learners. Default: the learner's.")
@click.option("--batch-size", type=click.IntRange(2), metavar="N", help="Images a training step. Default: the learner's.")
@click.option(
    "--views",
    metavar="NAME",
    help="Random views of trained learners: supervised, simclr or product (any turn), minus kinds: product-blur; or plain. "
    "Default: supervised.",
)
@click.option("--preset", type=click.Choice(["paper"]), help="paper: all that the MEP-3M paper states, and say what it leaves open.")
@console.machine_options
@console.out_option("the run folder; an unfinished run there goes on")
@console.config_option
@console.json_option
def command(as_json: bool, out: Path | None, preset: str | None, **options: Any) -> None:
    """Teach base products, take in novel ones from a few images each, and measure what is then recognised.

    Prints one row a learner and starting weights: none, yours, imagenet. Finished parts are kept; the same command
    goes on after an interruption.

    \b
    Examples:
      rpc_transfer run --novel 34                                     on the synthetic shop
      rpc_transfer run --root RPC --novel 34 --shots 10 --weights runs/pretrain-1 --seeds 5
      rpc_transfer run --root RPC --novel 34 --learner ncm --increments 17x2 --shots 1,5,10
      rpc_transfer run --root RPC --novel 34 --weights runs/pretrain-1 --learner lda-root --features base-trained
    """
    if "help" in options["learner"]:
        for name in LEARNERS:
            click.echo("\n    ".join([name, *(explained(name) or ["no settings of its own"])]))
        return
    settings = _settings(options, preset)
    from rpc_transfer import experiment, summary

    results = experiment.run(settings, out)
    if as_json:
        console.emit(results.content)
        return
    click.echo("\n".join(summary.lines(results.content)))
    console.say(f"Run folder: {results.folder}. Next: rpc_transfer report {results.folder}")


def _settings(options: dict[str, Any], preset: Any) -> Any:
    """The options as Settings: texts to numbers, "all" to every learner with its variants."""
    from rpc_transfer.settings import FIRST_LEARNERS, Settings

    typed_shots = options.pop("shots")
    shots = [part.strip() for part in typed_shots.split(",")] if typed_shots is not None else []
    if not all(part.isdecimal() for part in shots):
        raise UserError(f"{typed_shots!r} is not a number, nor numbers with commas", "--shots", "Write 10, or 1,5,10")
    base_shots = options.pop("base_shots")
    if base_shots not in (None, "all") and not (base_shots.isdecimal() and int(base_shots) > 0):
        raise UserError(f"{base_shots!r} is neither a number nor all", "--base-shots", "Write 10, or all")
    groups = {"all": [*LEARNERS, *VARIANTS], "frozen": [*FROZEN, *VARIANTS], "trained": [*TRAINED]}
    asked = options.pop("learner") or FIRST_LEARNERS
    learners = [name for typed in asked for name in groups.get(typed, (typed,))]
    values = {
        **options,
        "shots": tuple(map(int, shots)),
        "base_shots": int(base_shots) if base_shots and base_shots != "all" else base_shots,
        "learner": tuple(dict.fromkeys(learners)),
    }
    typed = {
        name for name in values if click.get_current_context().get_parameter_source(name) not in (click.core.ParameterSource.DEFAULT, None)
    }
    if "all" in asked and "features" not in typed:
        values["features"] = "both"
    if preset == "paper":
        from rpc_transfer import paper

        values = paper.fixed(values, typed)
    return Settings(**values, preset=preset)
