"""`rpc_transfer checkout`: from an image of a counter to the shopping list; one file a command, loaded when it is asked for."""

from __future__ import annotations

import click

from repr import console

COMMANDS = {
    "evaluate": "rpc_transfer.cli.checkout.evaluate:command",
    "synthesize": "rpc_transfer.cli.checkout.synthesize:command",
    "train": "rpc_transfer.cli.checkout.train:command",
    "predict": "rpc_transfer.cli.checkout.predict:command",
}


@click.command("checkout", cls=console.LazyGroup, table=COMMANDS)
def command() -> None:
    """Automatic checkout: boxes, names and counts from images of a counter."""
