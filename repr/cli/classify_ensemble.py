"""`repr classify ensemble`: several kept runs as one."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options, tables


@options.command("ensemble")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@options.shared("seed")
@options.out_option("the figures as JSON (default: print)")
@options.json_option
def command(file: Path, seed: int, out: Path | None, as_json: bool) -> None:
    """Join the kept runs that a file names, one a line: majority vote and mean probability on their test rows.

    Macro-F1 with 95 % bootstrap intervals, and the differences to every member. Runs of different splits are refused.

    \b
    Example:
      repr classify ensemble members.txt
    """
    from repr.classify.ensemble import join
    from repr.files import write_json

    joined = join(file, seed)
    if out:
        write_json(out, joined.as_json())
        console.say(f"Wrote {out}")
    if as_json:
        console.emit(joined.as_json())
        return
    cells = [
        [
            one.name,
            f"{100 * one.f1_macro:.1f}",
            f"{100 * one.low:.1f} – {100 * one.high:.1f}",
            f"{100 * one.f1_weighted:.1f}",
            f"{100 * one.top1:.1f}",
        ]
        for one in joined.scored
    ]
    click.echo(tables.table(["run", "F1 macro", "95 %", "F1 weighted", "top-1"], cells))
    further = [
        [f"{one.a} − {one.b}", f"{100 * one.difference:+.1f}", f"{100 * one.low:+.1f} – {100 * one.high:+.1f}"]
        for one in joined.differences
    ]
    click.echo(tables.table(["difference of F1 macro", "points", "95 %"], further))
