"""From a command's options to rows, and from rows to one answer: what `repr classify` does between arguments and printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repr.catalog import parts
from repr.catalog.sources import open_sources, split_name
from repr.classify import MODELS
from repr.classify.bert import check_folder
from repr.classify.experiment import grid, run
from repr.classify.opening import Opened
from repr.classify.settings import WHOLE, Settings
from repr.classify.summary import against_flat, caption, comparisons, left_out, summarise
from repr.classify.tables import TITLES, Choice, read_paper, remarks, rows_of, with_paper
from repr.errors import UserError, nearest
from repr.models.devices import pick_device
from repr.models.names import weights_names
from repr.runs import Run, claim


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


def ask(words: tuple[str, ...], arguments: dict[str, Any], out: Path | None) -> Answer:
    """Run what was asked for. words: () for a grid, ("table", number) for a table.

    Raises UserError for names that are in no table and data that cannot be read.
    """
    if words and (words[0] != "table" or len(words) != 2):
        remedy = "Say `repr classify` alone, or `repr classify table N` with 4, 5, 6, 8 or fig8 for N"
        raise UserError(f"there is nothing called {' '.join(words)!r} to run", "", remedy)
    number = words[1] if words else ""
    command = " ".join(["repr classify", *words])
    if out:
        claim(out, command)
    check(number, arguments)
    paper = read_paper(arguments["paper"])
    split = arguments["split"] or {"paper": "random"}.get(arguments["preset"], "grouped")
    opened = Opened(open_sources(arguments["data"]), arguments["subset"] or "", split, arguments["limit"])
    read = opened.read
    if arguments["ocr"]:
        opened.check_ocr()
    if number and out is None:
        out = Path("runs", f"classify-{read.name}-table-{number}")
        claim(out, command)
    stand_ins = opened.own_parts() if number == "8" and not arguments["parts"] else ()
    levels = opened.levels(arguments["parts"] or stand_ins)
    rows = _rows(number, arguments, split_name(read, split), levels)
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
    answer = Answer(title, read.name, summarised, trials, number, out, read.synthetic, arguments, found, beside)
    if out:
        _keep(answer, out, command)
    return answer


def check(number: str, arguments: dict[str, Any]) -> None:
    """Raise UserError for what is typed wrong, as far as it can be told without the data: nothing has been read or drawn then."""
    if number:
        _check_table(number, arguments)
    elif arguments["paper"]:
        raise UserError("belongs to a table", "", "Say `repr classify table N`, or leave it out", argument="paper")
    if arguments["balanced"] and arguments["adjust"]:
        raise UserError("given with `balanced`: each makes up for the classes' sizes", "", "Give one of them", argument="logit_adjustment")
    pick_device(arguments["device"])
    if arguments["subset"]:
        parts.load(arguments["subset"])
    rows = _rows(number, arguments, "", dict.fromkeys(arguments["parts"] or ("",), 1))
    _check_used(rows, arguments)
    _check_weights(rows, arguments["weights"])


def _check_table(number: str, arguments: dict[str, Any]) -> None:
    """Raise UserError for arguments that a table's own rows leave nothing to."""
    fixed = {
        "hierarchy": number != "6" and arguments["nets"],
        "fine_share": number != "6" and arguments["shares"],
        "end_to_end": number in ("5", "6") and arguments["end_to_end"] is not None,
        "subset": number == "8" and arguments["subset"],
    }
    for argument, given in fixed.items():
        if given:
            raise UserError(f"table {number} settles this itself", "", "Leave it out, or run the rows without a table", argument=argument)


def _check_used(rows: Sequence[Settings], arguments: dict[str, Any]) -> None:
    """Raise UserError for an argument that none of the rows looks at, and for a BERT folder that lacks a file."""
    idle = {
        "text_encoder": arguments["text_encoder"] and not any(row.modality.startswith("image+text") for row in rows),
        "bert": arguments["bert"] and not any("bert" in (row.model, row.encoder) for row in rows),
        "end_to_end": arguments["end_to_end"] is not None and all(row.model not in WHOLE or row.hierarchy for row in rows),
        "weak": arguments["weak"] != "children" and not any(row.hierarchy for row in rows),
        "mask_class_words": arguments["mask"] and not any("text" in row.modality for row in rows),
        "ocr": arguments["ocr"] and not any("text" in row.modality for row in rows),
        "size": arguments["size"] and not any("image" in row.modality for row in rows),
    }
    for argument, given in idle.items():
        if given:
            raise UserError("none of the rows asked for looks at this", "", "Leave it out, or choose other rows", argument=argument)
    if arguments["bert"]:
        check_folder(Path(arguments["bert"]))


def _check_weights(rows: Sequence[Settings], weights: Sequence[str]) -> None:
    """Raise UserError for named weights that are not there or that no row can use."""
    if not weights:
        return
    from repr.classify.image import NETWORKS, known_weights

    for named in weights:
        arch = known_weights(named).arch
        scratch = named == "none" and any(row.model in NETWORKS for row in rows)
        if not scratch and all(row.weights != named for row in rows):
            message = f"none of the models asked for can use these weights of {arch}"
            raise UserError(message, named, "Name that network with `model`, or `model` encoder")


def _base(arguments: dict[str, Any], split: str, number: str) -> Settings:
    """The options that all rows share."""
    names = ("preset", "ocr", "bert", "end_to_end", "epochs", "lr", "batch_size", "size", "scale", "limit", "balanced", "adjust", "weak")
    shared = {name: arguments[name] for name in names}
    encoder = arguments["text_encoder"] or {"5": "bilstm", "6": "bert"}.get(number, "ngram")
    machine = {"device": arguments["device"], "workers": arguments["workers"]}
    return Settings(split=split, mask=bool(arguments["mask"]), text_encoder=encoder, **shared, **machine)


def _rows(number: str, arguments: dict[str, Any], split: str, levels: dict[str, int]) -> list[Settings]:
    """The rows asked for, each once: an option typed twice is no second seed. levels: each part and its usual level."""
    base = _base(arguments, split, number)
    seeds = range(arguments["seed"], arguments["seed"] + arguments["seeds"])
    rows = _table_rows(number, base, arguments, seeds, levels) if number else _grid_rows(base, arguments, seeds, levels)
    return list(dict.fromkeys(rows))


def _grid_rows(base: Settings, arguments: dict[str, Any], seeds: range, levels: dict[str, int]) -> list[Settings]:
    models = arguments["models"] or ("ngram",)
    for model in models:
        if model not in MODELS:
            raise UserError(f"no model is called {model!r}", "", nearest(model, MODELS), argument="model")
    shared: dict[str, Any] = {"models": models, "seeds": seeds, "weights": arguments["weights"]}
    shared |= {"hierarchies": arguments["nets"] or ("",), "shares": arguments["shares"] or (1.0,)}
    first = next(iter(levels.values()))
    rows = grid(base, levels=arguments["levels"] or (first,), **shared)
    return [replace(row, part=part) for part in levels for row in rows]


def _table_rows(number: str, base: Settings, arguments: dict[str, Any], seeds: range, levels: dict[str, int]) -> list[Settings]:
    masks = (False, True) if arguments["mask"] is None else (arguments["mask"],)
    kept = {name: arguments[name] for name in ("models", "levels", "weights", "shares")}
    ocrs = (False, True) if arguments["ocr"] else (False,)
    named = {part: level for part, level in levels.items() if part}
    choice = Choice(hierarchies=arguments["nets"], masks=masks, ocrs=ocrs, parts=named, **kept)
    return rows_of(number, base, choice, seeds)


def _keep(answer: Answer, out: Path, command: str) -> None:
    """The folder's own config.json: the command, its arguments, its result."""
    plain = {name: [str(v) for v in value] if isinstance(value, tuple) else value for name, value in answer.arguments.items()}
    if answer.number:
        plain["words"] = ["table", answer.number]
    run_folder = Run.create(out, command, plain, data=answer.data, synthetic=answer.synthetic)
    run_folder.finish("done", answer.as_json())
