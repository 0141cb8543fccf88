"""`repr evaluate`: how good representations are, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, options, tables
from repr.errors import UserError

SHARED = ("level", "leave_one_out", "size", "crops", "raw_pixels", "batch_size", "device", "workers")  # with `evaluate`
OF_IMAGES = (*SHARED, "subset", "split", "data_seed")


@options.command()
@options.weights_option(more=" or none; repeatable", multiple=True)
@options.option(
    "--embeddings",
    "files",
    section="data",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your own vectors (.npz); repeatable.",
)
@options.shared("data", "level", "subset", "split", "data_seed")
@options.option("--leave-one-out", section="data", is_flag=True, help="Search all images among each other, whatever the split.")
@options.option("-k", "k", section="training", type=click.IntRange(1), default=200, help="Neighbours that vote in kNN.  [default: 200]")
@options.option(
    "--temperature",
    section="training",
    type=options.Between(0, min_open=True),
    default=0.1,
    show_default=True,
    help="Of the vote: exp(cosine / T).",
)
@options.option("--epochs", section="training", type=click.IntRange(1), default=90, show_default=True, help="Of the linear probe.")
@options.option("--size", section="model", type=click.IntRange(16), metavar="PX", help="Image side. Default: that of each weights.")
@options.shared("crops")
@options.option("--batch-size", section="machine", type=click.IntRange(1), default=64, show_default=True, help="Images embedded at once.")
@options.option(
    "--raw-pixels/--no-raw-pixels", section="model", default=True, show_default=True, help="Also measure the images' plain pixels."
)
@options.out_option("config.json, the vectors and report.html with the map of the embedding (default: print only)")
@options.shared("seed", "device", "workers")
@options.config_option
@options.download_option
@options.json_option
@click.pass_context
def command(ctx: click.Context, /, out: Path | None, as_json: bool, **arguments: Any) -> None:
    """Measure representations: kNN, linear probe, retrieval. Several in one table.

    Train images are stored, test images are the queries. FILE holds arrays `embeddings` and `labels`, and
    `gallery_embeddings` and `gallery_labels` where the stored ones are apart.

    \b
    Examples:
      repr evaluate --weights runs/mine --weights imagenet --data shop/ --out runs/compare
      repr evaluate --embeddings vectors.npz
    """
    from repr.evaluation.evaluate import BY_LEVEL, announce, caption, evaluate, evaluate_vectors, level_table, table
    from repr.evaluation.measure import Constants
    from repr.experiments.evaluations import evaluated
    from repr.runs import claim

    images = bool(arguments["weights"] or arguments["data"] or not arguments["files"])
    if not images:
        options.refuse_typed(ctx, OF_IMAGES, "vectors are measured as the file has them", "Leave them out, or add --data or --weights")
    if out is not None:
        claim(out, "repr evaluate")
    constants = Constants(arguments["k"], arguments["temperature"], arguments["epochs"], arguments["seed"])
    files: tuple[Path, ...] = arguments["files"]
    evaluation = None
    if images:
        from repr.catalog.sources import open_data
        from repr.models.weights import read_weights

        if not arguments["weights"]:
            console.say("No --weights named: using imagenet (EfficientNet-Lite0 as trained on ImageNet).")
        weights = [read_weights(spec) for spec in arguments["weights"] or ("imagenet",)]
        data_seed = arguments["seed"] if arguments["data_seed"] is None else arguments["data_seed"]
        divided = {"subset": arguments["subset"], "split": arguments["split"], "seed": data_seed}
        catalog = open_data(arguments["data"], default="rpc", **divided)
        try:
            evaluation = evaluate(catalog, weights, constants, **{name: arguments[name] for name in SHARED})
        except BaseException as error:  # stopped or failed, it has a page too; what was refused never began
            if out is not None and not isinstance(error, UserError):
                from repr.reports import evaluation_report

                console.say(f"What is kept: {evaluation_report.save_unfinished(out, arguments, catalog, error)}")
            raise
        announce(evaluation)
    others = evaluate_vectors(files, constants)
    if out is not None:
        from repr.reports import evaluation_report

        page = evaluation_report.save(out, arguments, evaluation, others, constants)
        console.say(f"Report: {page}")
    if as_json:
        console.emit(evaluated(evaluation, others, constants).as_json())
        return
    pixels = evaluation.raw_pixels if evaluation else None
    shown = [*(evaluation.rows if evaluation else ()), *others, *([pixels] if pixels else [])]
    click.echo(tables.table(*table(shown)))
    click.echo(caption(shown, constants))
    if by_level := level_table(shown):
        click.echo(f"\n{tables.table(*by_level)}\n{BY_LEVEL}")
    if evaluation and out is None:
        console.say("Add --out DIR for the page with neighbours and the map of the embedding.")
