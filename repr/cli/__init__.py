"""The `repr` program: one file a command, loaded when it is asked for."""

from __future__ import annotations

import click

from repr import console

COMMANDS = {
    "synthetic": "repr.cli.synthetic:command",
    "catalog": "repr.cli.catalog:command",
    "pack": "repr.cli.pack:command",
    "pretrain": "repr.cli.pretrain:command",
    "weights": "repr.cli.weights:command",
    "embed": "repr.cli.embed:command",
    "evaluate": "repr.cli.evaluate:command",
    "index": "repr.cli.index:command",
    "lookup": "repr.cli.lookup:command",
    "serve": "repr.cli.serve:command",
    "classify": "repr.cli.classify:command",
    "compare": "repr.cli.compare:command",
}


@click.command(cls=console.LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "show_default": False})
@click.version_option(package_name="product-repr", prog_name="repr")
def group() -> None:
    """Learn, measure and look up product representations."""


def main() -> None:
    """Entry point of the `repr` program."""
    console.run(group, "repr")
