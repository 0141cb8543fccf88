"""`repr classify`: the full catalogue into its classes, by text, picture or both; and the papers' tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console
from repr.classify import MODELS, PRESETS


@click.command()
@click.option("--model", "models", multiple=True, metavar="NAME", help=f"Repeatable: {', '.join(MODELS)}.  [default: ngram]")
@console.data_option
@click.option(
    "--level", "levels", type=click.IntRange(1, 3), multiple=True, help="Class level, repeatable. Default: the source's usual one."
)
@click.option("--subset", metavar="NAME", help="A named part, such as outdoors, or a CSV file of class ids.")
@click.option(
    "--preset", type=click.Choice(PRESETS), default="grouped", show_default=True, help="paper: random 8:2, rate halved every 2 epochs."
)
@click.option("--split", type=click.Choice(["random", "grouped"]), help="How to divide a source without a split. Default: the preset's.")
@click.option("--mask-class-words", "mask", is_flag=True, help="Take the words of class names out of the titles, for every model.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many seeds; they vary split and start.")
@console.out_option("the rows, one run folder each, and report.html; done rows are not run again (default: print only)")
@console.seed_option
@console.machine_options
@console.config_option
@console.json_option
def command(as_json: bool, out: Path | None, **arguments: Any) -> None:
    """Classify a catalogue by title, picture or both, and measure it on the test part.

    \b
    Examples:
      repr classify --level 2 --model ngram --data shop --split grouped --mask-class-words --json
    """
    from repr.catalog.sources import open_data
    from repr.classify.experiment import grid, run
    from repr.classify.settings import Settings
    from repr.classify.summary import caption, comparisons, summarise, table

    split = arguments["split"] or {"paper": "random"}.get(arguments["preset"], "grouped")
    seeds = range(arguments["seed"], arguments["seed"] + arguments["seeds"])

    def opened(seed: int) -> Any:
        return open_data(arguments["data"], subset=arguments["subset"], split=split, seed=seed)

    levels = arguments["levels"] or (opened(seeds[0]).default_level,)
    base = Settings(
        preset=arguments["preset"], split=split, mask=arguments["mask"], device=arguments["device"], workers=arguments["workers"]
    )
    cells = run(opened, grid(base, models=arguments["models"] or ("ngram",), levels=levels, hierarchies=("",), seeds=seeds), out)
    rows = summarise(cells)
    if as_json:
        console.emit({"rows": rows, "comparisons": comparisons(rows)})
        return
    click.echo(console.table(*table(rows)))
    click.echo(caption(rows))
