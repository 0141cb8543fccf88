"""`repr classify`: the full catalogue into its classes, by text, image or both; and the papers' tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, tables
from repr.classify import ENCODERS, MODELS, PRESETS
from repr.classify.hierarchy import NETS, WEAK


@click.command()
@click.argument("words", nargs=-1, metavar="[table 4|5|6|8|fig8]")
@click.option("--model", "models", multiple=True, metavar="NAME", help=f"Repeatable: {', '.join(MODELS)}.  [default: ngram]")
@console.data_option
@click.option("--level", "levels", type=click.IntRange(1, 3), multiple=True, help="Class level, repeatable. Default: the usual one.")
@click.option("--subset", metavar="NAME", help="A named part, such as outdoors, or a CSV file of class ids.")
@click.option("--under", "parts", multiple=True, metavar="CLASS", help="Only what is below this class (id or name); repeatable.")
@click.option("--hierarchy", "nets", multiple=True, metavar="NET", help=f"Repeatable: {', '.join(NETS)}.")
@click.option(
    "--preset", type=click.Choice(PRESETS), default="grouped", show_default=True, help="paper: random 8:2, Adam halved every 2 epochs."
)
@click.option("--split", type=click.Choice(["random", "grouped"]), help="How to divide a source without a split. Default: the preset's.")
@click.option("--mask-class-words/--keep-class-words", "mask", default=None, help="Whether class names leave the titles. Tables show both.")
@click.option("--ocr", is_flag=True, help="Read the OCR text together with the title; tables then show both.")
@click.option("--weights", multiple=True, metavar="W", help="Of the images' network; repeatable.  [default: imagenet, or from scratch]")
@click.option("--text-encoder", type=click.Choice(ENCODERS), help="Text features of image + text rows. Default: ngram; in tables as there.")
@click.option("--bert", default="", metavar="DIR", help="A local BERT folder. Default: the English one that comes as a package.")
@click.option("--paper", default="", metavar="FILE", help="A paper's numbers beside a table's: CSV of table, row, level, top1, source.")
@click.option("--end-to-end/--frozen", default=None, help="Train the network too, or only what follows it. Default: by model.")
@click.option("--epochs", type=click.IntRange(1), help="Default: by model.")
@click.option("--lr", type=console.Between(0, min_open=True), help="Learning rate of Adam.  [default: 0.001]")
@click.option("--batch-size", type=click.IntRange(1), help="Rows a step.  [default: 64]")
@click.option("--size", type=click.IntRange(16), metavar="PX", help="Image side. Default: that of the network.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Makes image sides, layer widths and epochs smaller.")
@click.option("--limit", type=click.IntRange(0), default=0, metavar="N", help="Train on at most so many rows, drawn by chance.")
@click.option("--balanced", is_flag=True, help="Draw the training rows so that every class is equally likely.")
@click.option("--logit-adjustment", "adjust", type=float, default=0.0, metavar="TAU", help="Divide by the class frequencies to this power.")
@click.option("--fine-share", "shares", type=console.Between(0, 1, min_open=True), multiple=True, help="Rows with fine labels; repeatable.")
@click.option("--weak", type=click.Choice(WEAK), default="children", show_default=True, help="What nets make of the other rows.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many seeds; they vary split and start.")
@console.out_option("the rows, one run folder each, and report.html; done rows are not run again (default: print; tables: runs/classify-…)")
@console.seed_option
@console.machine_options
@console.config_option
@console.json_option
def command(words: tuple[str, ...], as_json: bool, out: Path | None, **arguments: Any) -> None:
    """Classify a catalogue by title, image or both, and measure it on the test part; or run a table of MEP-3M's paper.

    \b
    Examples:
      repr classify --level 2 --model ngram --data shop --split grouped --mask-class-words --json
      repr classify --model encoder --weights runs/mine --model ngram --model gated --data shop --seeds 5
      repr classify --model bert --hierarchy flat --hierarchy coarse-to-fine --level 1 --data shop
      repr classify table 5 --data shop --scale 0.25

    A row that lacks its weights reads "not run". Text rows need no download; `bert` reads Chinese only with --bert.
    """
    from repr.classify.request import ask
    from repr.reports.classify_report import table, write

    answer = ask(words, arguments, out)
    if answer.out:
        page = write(answer)
        console.say(f"Report: {page}")
    if as_json:
        console.emit(answer.as_json())
        return
    header, body = table(answer)
    if body:
        click.echo(tables.table(header, body))
    for line in answer.remarks:
        click.echo(line)
