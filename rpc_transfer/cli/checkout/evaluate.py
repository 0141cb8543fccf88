"""`rpc_transfer checkout evaluate`: the metrics of automatic checkout, strict and as rpctool has them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repr import console, options, tables
from repr.errors import UserError

if TYPE_CHECKING:
    from rpc_transfer.checkout.evaluation import Evaluation, Level

FILE = click.Path(path_type=Path)
COLUMNS = ("cAcc", "mCIoU", "ACD", "mCCD", "mAP50", "mmAP")  # in rpctool's order


@options.command("evaluate")
@options.option("--gt", "truth", type=FILE, required=True, metavar="FILE", section="data", help="The truth: an instances_*2019.json.")
@options.option("--results", type=FILE, required=True, metavar="FILE", section="data", help="Boxes with scores: COCO's list of results.")
@options.option(
    "--mode",
    type=click.Choice(["strict", "rpctool"]),
    default="strict",
    show_default=True,
    help="Whose numbers the JSON has: ours, or those of the public leaderboard's tool.",
)
@options.option("--threshold", type=float, metavar="T", help="Scores from here on count, in strict mode.  [default: all of them]")
@options.option("--val-gt", type=FILE, metavar="FILE", section="data", help="Choose the threshold on these scenes: their truth.")
@options.option("--val-results", type=FILE, metavar="FILE", section="data", help="And the results on them.")
@options.option("--map", "with_map", is_flag=True, help="mAP50 and mmAP too.")
@options.option(
    "--protocol",
    type=click.Choice(["A0", "A1", "B", "C", "I"]),
    help="What was learnt from: exemplars (A0), with unlabelled scenes (A1), with unlabelled test scenes (B), with labelled scenes (C), "
    "class by class (I).",
)
@options.json_option
def command(
    truth: Path,
    results: Path,
    mode: str,
    threshold: float | None,
    val_gt: Path | None,
    val_results: Path | None,
    with_map: bool,
    protocol: str | None,
    as_json: bool,
) -> None:
    """Measure a results file by RPC's metrics: cAcc, ACD, mCCD, mCIoU, mAP50, mmAP, at each level and over all.

    strict: one threshold, given or chosen on validation scenes, and every image counts. rpctool: to every digit what rpctool
    0.1.6 prints, which searches its threshold on the scored file and drops images without a box. Both are printed.

    \b
    Examples:
      rpc_transfer checkout evaluate --gt instances_test2019.json --results boxes.json --threshold 0.5 --map
      rpc_transfer checkout evaluate --gt instances_test2019.json --results boxes.json \\
        --val-gt instances_val2019.json --val-results val.json --protocol A0
    """
    from rpc_transfer.checkout.evaluation import Validation, evaluate

    if (val_gt is None) != (val_results is None):
        raise UserError("the threshold is chosen on two files", "--val-gt" if val_gt else "--val-results", "Give both, or neither")
    validation = Validation(val_gt, val_results) if val_gt and val_results else None
    evaluation = evaluate(truth, results, threshold=threshold, validation=validation, with_map=with_map, protocol=protocol)
    if as_json:
        console.emit(_document(evaluation, mode))
        return
    click.echo("\n".join(_lines(evaluation, chosen=validation is not None, given=threshold is not None)))
    for one in evaluation.passed_over:
        console.say(f"{one.count:,} {one.reason}: {', '.join(one.examples)}{', …' if one.count > len(one.examples) else ''}")


def _document(evaluation: Evaluation, mode: str) -> dict[str, object]:
    """The mode that was asked for, and the other one beside it."""
    levels = {str(name): {row: asdict(level) for row, level in rows.items()} for name, rows in evaluation.modes.items()}
    other = next(name for name in levels if name != mode)
    return {
        "mode": mode,
        "protocol": evaluation.protocol,
        "levels": levels[mode],
        "beside": {"mode": other, "levels": levels[other]},
        "absent_products": dict(evaluation.absent),
        "passed_over": [one.as_json() for one in evaluation.passed_over],
    }


def _lines(evaluation: Evaluation, *, chosen: bool, given: bool) -> list[str]:
    from rpc_transfer.checkout.evaluation import AVERAGED, PROTOCOLS

    strict = evaluation.modes["strict"]
    how = "chosen on the validation scenes" if chosen else "given" if given else "every box counts"
    rows = [[f"{row}, {name}", *_cells(level)] for row in strict for name in evaluation.modes for level in [evaluation.modes[name][row]]]
    absent = evaluation.absent[AVERAGED]
    meant = f"{evaluation.protocol}: {PROTOCOLS[evaluation.protocol]}" if evaluation.protocol else "not stated; say it with --protocol"
    return [
        tables.table(["level", *COLUMNS, "threshold", "images"], rows),
        f"strict: one threshold ({how}); every image counts."
        + (f" {absent} products of the table have no box in the truth; mCCD and mCIoU leave them out." if absent else ""),
        "rpctool: as rpctool 0.1.6 prints it; the threshold is searched on the scored file itself, images without a box are dropped.",
        f"protocol: {meant}",
    ]


def _cells(level: Level) -> list[str]:
    from rpc_transfer.checkout.rpctool import printed, printed_precision

    counts = [printed(level.cAcc, percent=True), printed(level.mCIoU, percent=True), printed(level.ACD, percent=False)]
    precise = ["-" if value is None else printed_precision(value) for value in (level.mAP50, level.mmAP)]
    at = "-" if level.threshold is None else f"{level.threshold:.4f}"
    return [*counts, printed(level.mCCD, percent=False), *precise, at, f"{level.images:,}"]
