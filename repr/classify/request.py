"""From a request to its answer: what `repr classify` does between options and printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repr.catalog.sources import open_sources, split_name
from repr.catalog.splits import usual_share
from repr.classify import challenge
from repr.classify.answer import Answer
from repr.classify.experiment import Refused, run
from repr.classify.grid import Request
from repr.classify.opening import Opened
from repr.classify.paper import METRICS, Paper, Printed, of_paper, read_paper
from repr.classify.rows import check, list_rows, presets
from repr.classify.settings import Settings, split_of
from repr.classify.summary import SHOWN, ClassifyRow, caption, comparisons, left_out, summarise
from repr.classify.tables import remarks
from repr.errors import UserError
from repr.experiments.document import Document, Value
from repr.experiments.recording import finish, recording
from repr.experiments.trials import Found
from repr.models.devices import pick_device
from repr.records import Json
from repr.runs import claim
from repr.settings import values

COMMAND = "repr classify"
NAMED = ("model", "modality", "level")  # in every table of the rows
ALIKE = (
    "model",
    "modality",
    "level",
    "hierarchy",
    "part",
    "masked",
    "preset",
)  # in rows worth comparing with those of another run


@dataclass(frozen=True)
class _Plan:
    """What is asked for, before anything is trained. stand_ins: parts in place of a table's own subsets."""

    number: str
    command: str
    request: Request
    opened: Opened
    rows: list[Settings]
    paper: Paper
    stand_ins: tuple[str, ...]
    out: Path | None


def ask(number: str, request: Request, out: Path | None) -> Answer:
    """Run what was asked for, and write the run folder where there is one. number: of a table, "" for a grid.

    Raises UserError for names that are in no table and data that cannot be read.
    """
    plan = _plan(number, request, out)
    if plan.out is None:
        return _answer(plan)
    arguments = values(request) | ({"number": number} if number else {})
    read = plan.opened.read
    with recording(plan.out, plan.command, arguments, data=read.name, synthetic=read.synthetic) as record:
        record.resolve(_resolved(plan))
        answer = _answer(plan)
        finish(record, answer.document)
    return answer


def command_of(number: str) -> str:
    """The command that runs a table, or a grid where `number` is ""."""
    return f"{COMMAND} table {number}" if number else COMMAND


def _resolved(plan: _Plan) -> dict[str, Json]:
    """What of the request was left open and came to. The epochs and widths are each model's own, where none were typed."""
    rows, request = plan.rows, plan.request
    rates = {row.preset: row.training(1) for row in rows}
    first = request.seed if request.data_seed is None else request.data_seed
    return {
        "models": list(dict.fromkeys(row.model for row in rows)),
        "levels": sorted({row.level for row in rows}),
        "weights": list(dict.fromkeys(row.weights or "the model's own" for row in rows if "image" in row.modality)),
        "text_encoder": list(dict.fromkeys(row.encoder for row in rows if row.encoder)),
        "presets": list(rates),
        "split": list(dict.fromkeys(row.split for row in rows)),
        "data_seed": first,
        "lr": list(dict.fromkeys(rate["lr"] for rate in rates.values())),
        "batch_size": list(dict.fromkeys(rate["batch_size"] for rate in rates.values())),
        "halve_every": {preset: rate["halve_every"] for preset, rate in rates.items()},
        "device": str(pick_device(request.device)),
    }


def _plan(number: str, request: Request, out: Path | None) -> _Plan:
    """Check what is asked for and open the data."""
    command = command_of(number)
    if out:
        claim(out, command)
    check(number, request)
    paper = read_paper(request.paper)
    opened = Opened(open_sources(request.data), request.subset or "", request.limit, request.data_seed, request.test_share)
    if request.ocr:
        opened.check_ocr(request.data)
    if number and out is None:
        out = Path("runs", f"classify-{opened.read.name}-table-{number}")
        claim(out, command)
    stand_ins = opened.own_parts() if number == "8" and not request.parts else ()
    splits = {preset: split_name(opened.read, split_of(preset, request.split)) for preset in presets(number, request)}
    rows = list_rows(number, request, splits, opened.levels(request.parts or stand_ins))
    if number:  # those that the paper prints first
        rows.sort(key=lambda row: of_paper(number, [row.config], paper)[0] is None)
    return _Plan(number, command, request, opened, rows, paper, stand_ins, out)


def _answer(plan: _Plan) -> Answer:
    request, read = plan.request, plan.opened.read
    ran = run(plan.opened, plan.rows, range(request.seed, request.seed + request.seeds), plan.out)
    by_seed = request.data_seed is None
    share = request.test_share or usual_share(read)
    rows = tuple(
        summarise(one, of, synthetic=read.synthetic, by_seed=by_seed, share=share) for one, of in zip(plan.rows, ran.trials, strict=True)
    )
    _check_ran(rows, ran.trials)
    notes = [caption(rows), *left_out(rows)]
    about: dict[str, Value] = {}
    if plan.number:
        notes += remarks(plan.number, plan.stand_ins)
        notes += challenge.remarks(rows) if plan.number == "rakuten" else []
        about = _printed(plan.number, of_paper(plan.number, [row.config for row in rows], plan.paper))
    of_document = tuple(row.row for row in rows)
    metric = challenge.METRIC if plan.number == "rakuten" else "top1"
    made = Document(
        plan.command, read.name, read.synthetic, of_document, tuple(comparisons(rows, metric)), shown=SHOWN, named=NAMED, alike=ALIKE,
        notes=tuple(notes), about=about, leaks=ran.leaks,
    )  # fmt: skip
    return Answer(made, rows, plan.number, plan.out)


def _printed(number: str, of_rows: Sequence[Printed | None]) -> dict[str, Value]:
    """A table's number and what a paper prints, as the document has it: a list a metric, an entry a row, and where it stands."""
    columns: dict[str, Value] = {f"paper_{name}": tuple(getattr(row, name) if row else None for row in of_rows) for name in METRICS}
    return {"table": number, **columns, "paper_source": tuple(row.source if row else None for row in of_rows)}


def _check_ran(rows: Sequence[ClassifyRow], trials: Sequence[Sequence[Found]]) -> None:
    """Raise UserError where the user's errors kept every trial from being run."""
    if all(isinstance(trial, Refused) for of_row in trials for _, trial in of_row):
        raise UserError("none of the rows could be run", "", "; ".join(left_out(rows)))
