"""From a command's options to rows, and from rows to one answer: what `repr classify` does between arguments and printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repr.catalog import parts
from repr.catalog.sources import open_sources, split_name
from repr.classify.bert import check_folder
from repr.classify.experiment import grid, run
from repr.classify.grid import Request
from repr.classify.image import NETWORKS, known_weights
from repr.classify.opening import Opened
from repr.classify.settings import WHOLE, Settings, Shared
from repr.classify.summary import against_flat, caption, comparisons, left_out, summarise
from repr.classify.tables import NUMBERS, TITLES, Choice, read_paper, remarks, rows_of, with_paper
from repr.commands import command_line
from repr.errors import UserError
from repr.models.devices import pick_device
from repr.models.names import weights_names
from repr.runs import Run, claim
from repr.settings import declared, values


@dataclass(frozen=True)
class Answer:
    """rows: summarised over seeds; trials: one a row and seed; number: of the table, "" for a grid; out: the folder, None for none."""

    title: str
    data: str
    rows: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    number: str
    out: Path | None
    synthetic: bool
    arguments: dict[str, Any]
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The command's one JSON object."""
        head = {"table": self.number} if self.number else {}
        return {**head, "rows": self.rows, "comparisons": self.comparisons, "synthetic": self.synthetic}


def ask(words: tuple[str, ...], request: Request, out: Path | None) -> Answer:
    """Run what was asked for. words: () for a grid, ("table", number) for a table.

    Raises UserError for names that are in no table and data that cannot be read.
    """
    if words and (words[0] != "table" or len(words) != 2):
        alone, table = (command_line("repr classify", *asked, data=request.data or "DATA") for asked in ((), ("table", "4")))
        remedy = f"Say `{alone}`, or `{table}`; the tables are {', '.join(NUMBERS)}"
        raise UserError(f"there is nothing called {' '.join(words)!r} to run", "", remedy)
    number = words[1] if words else ""
    command = " ".join(["repr classify", *words])
    if out:
        claim(out, command)
    check(number, request)
    paper = read_paper(request.paper)
    split = request.split or {"paper": "random"}.get(request.preset, "grouped")
    opened = Opened(open_sources(request.data), request.subset or "", split, request.limit, request.data_seed)
    read = opened.read
    if request.ocr:
        opened.check_ocr(request.data)
    if number and out is None:
        out = Path("runs", f"classify-{read.name}-table-{number}")
        claim(out, command)
    stand_ins = opened.own_parts() if number == "8" and not request.parts else ()
    levels = opened.levels(request.parts or stand_ins)
    rows = _rows(number, request, split_name(read, split), levels)
    trials = run(opened, rows, out)
    names = weights_names(row.weights for row in rows if row.weights)
    trials = [trial | {"start": names.get(trial["weights"], "")} for trial in trials]
    summarised = summarise(trials)
    idle = left_out(summarised)
    if all(trial.get("error") for trial in trials):
        raise UserError("none of the rows could be run", "", "; ".join(idle))
    beside = [caption(summarised), *idle]
    if number:
        summarised = with_paper(number, summarised, paper)
        beside += remarks(number, paper, stand_ins)
    title = TITLES[number] if number else "Classification"
    found = [*comparisons(summarised), *against_flat(summarised)]
    answer = Answer(title, read.name, summarised, trials, number, out, read.synthetic, values(request), found, beside)
    if out:
        _keep(answer, out, command)
    return answer


def check(number: str, request: Request) -> None:
    """Raise UserError for what is typed wrong, as far as it can be told without the data: nothing has been read or drawn then."""
    if number:
        _check_table(number, request)
    elif request.paper:
        raise UserError("belongs to a table", "", "Name a table, or leave it out", argument="paper")
    pick_device(request.device)
    if request.subset:
        parts.load(request.subset)
    rows = _rows(number, request, "grouped", dict.fromkeys(request.parts or ("",), 1))
    _check_used(rows, request)
    _check_weights(rows, request.weights)


def _check_table(number: str, request: Request) -> None:
    """Raise UserError for arguments that a table's own rows leave nothing to."""
    fixed = {
        "nets": number != "6" and request.nets,
        "shares": number != "6" and request.shares,
        "end_to_end": number in ("5", "6") and request.end_to_end is not None,
        "subset": number == "8" and request.subset,
    }
    for argument, given in fixed.items():
        if given:
            raise UserError(f"table {number} settles this itself", "", "Leave it out, or run the rows without a table", argument=argument)


def _check_used(rows: Sequence[Settings], request: Request) -> None:
    """Raise UserError for an argument that none of the rows looks at, and for a BERT folder that lacks a file."""
    idle = {
        "text_encoder": request.text_encoder and not any(row.modality.startswith("image+text") for row in rows),
        "bert": request.bert and not any("bert" in (row.model, row.encoder) for row in rows),
        "end_to_end": request.end_to_end is not None and all(row.model not in WHOLE or row.hierarchy for row in rows),
        "weak": request.weak != "children" and not any(row.hierarchy for row in rows),
        "mask": request.mask and not any("text" in row.modality for row in rows),
        "ocr": request.ocr and not any("text" in row.modality for row in rows),
        "size": request.size and not any("image" in row.modality for row in rows),
    }
    for argument, given in idle.items():
        if given:
            raise UserError("none of the rows asked for looks at this", "", "Leave it out, or choose other rows", argument=argument)
    if request.bert:
        check_folder(Path(request.bert))


def _check_weights(rows: Sequence[Settings], weights: Sequence[str]) -> None:
    """Raise UserError for named weights that are not there or that no row can use."""
    for named in weights:
        arch = known_weights(named).arch
        scratch = named == "none" and any(row.model in NETWORKS for row in rows)
        if not scratch and all(row.weights != named for row in rows):
            message = f"none of the models asked for can use these weights of {arch}"
            raise UserError(message, named, "Name that network with `model`, or `model` encoder")


def _base(request: Request, split: str, number: str) -> Settings:
    """The row that all others are variations of."""
    shared = {name: getattr(request, name) for name in declared(Shared)}
    encoder = request.text_encoder or {"5": "bilstm", "6": "bert"}.get(number, "ngram")
    return Settings(**shared, split=split, mask=bool(request.mask), text_encoder=encoder)


def _rows(number: str, request: Request, split: str, levels: dict[str, int]) -> list[Settings]:
    """The rows asked for, each once: an option typed twice is no second seed. levels: each part and its usual level."""
    base = _base(request, split, number)
    seeds = range(request.seed, request.seed + request.seeds)
    rows = _table_rows(number, base, request, seeds, levels) if number else _grid_rows(base, request, seeds, levels)
    return list(dict.fromkeys(rows))


def _grid_rows(base: Settings, request: Request, seeds: range, levels: dict[str, int]) -> list[Settings]:
    first = next(iter(levels.values()))
    rows = grid(
        base,
        models=request.models or ("ngram",),
        levels=request.levels or (first,),
        seeds=seeds,
        hierarchies=request.nets or ("",),
        weights=request.weights,
        shares=request.shares or (1.0,),
    )
    return [replace(row, part=part) for part in levels for row in rows]


def _table_rows(number: str, base: Settings, request: Request, seeds: range, levels: dict[str, int]) -> list[Settings]:
    choice = Choice(
        models=request.models,
        levels=request.levels,
        hierarchies=request.nets,
        parts={part: level for part, level in levels.items() if part},
        weights=request.weights,
        masks=(False, True) if request.mask is None else (request.mask,),
        shares=request.shares,
        ocrs=(False, True) if request.ocr else (False,),
    )
    return rows_of(number, base, choice, seeds)


def _keep(answer: Answer, out: Path, command: str) -> None:
    """The folder's own config.json: the command, its arguments, its result."""
    words = {"words": ["table", answer.number]} if answer.number else {}
    run_folder = Run.create(out, command, answer.arguments | words, data=answer.data, synthetic=answer.synthetic)
    run_folder.finish("done", answer.as_json())
