"""The `rpc_transfer` program: one file a command, loaded when it is asked for."""

from __future__ import annotations

import click

from repr import console

COMMANDS = {
    "run": "rpc_transfer.cli.run:command",
    "report": "rpc_transfer.cli.report:command",
    "checkout": "rpc_transfer.cli.checkout:command",
}


@click.command(cls=console.LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="product-repr", prog_name="rpc_transfer")
def group() -> None:
    """Take in new products with a pretrained representation, and measure what it gives."""


def main() -> None:
    """Entry point of the `rpc_transfer` program."""
    console.run(group, "rpc_transfer")
