"""One of the processes of `repr pretrain --devices N`, as the first one starts them: its progress and errors are the command's."""

from __future__ import annotations

import click

from repr import console


@click.command()
@click.argument("job")
def command(job: str) -> None:
    """Do the job of a file."""
    from repr.training.run import part

    part(job)


def main(_: str) -> None:
    """Entry point; the job is the process's only argument, too."""
    console.run(command, "repr pretrain")
