"""From a command's options to rows, and from rows to one answer: what `repr classify` does between arguments and printing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.classify import MODELS, SUBSETS
from repr.classify.experiment import grid, run
from repr.classify.settings import Settings
from repr.classify.subtree import subtree
from repr.classify.summary import against_flat, caption, comparisons, summarise
from repr.classify.tables import TITLES, Choice, remarks, rows_of, with_paper
from repr.errors import UserError, nearest
from repr.runs import Run


@dataclass(frozen=True)
class Answer:
    """rows: summarised over seeds; cells: one a row and seed; number: of the table, "" for a grid; out: the folder, None for none."""

    title: str
    data: str
    rows: list[dict[str, Any]]
    cells: list[dict[str, Any]]
    number: str
    out: Path | None
    sample: bool
    arguments: dict[str, Any]
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The command's one JSON object."""
        head = {"table": self.number} if self.number else {}
        return {**head, "rows": self.rows, "comparisons": self.comparisons, "sample": self.sample}


def ask(words: tuple[str, ...], arguments: dict[str, Any], out: Path | None) -> Answer:
    """Run what was asked for. words: () for a grid, ("table", number) for a table.

    Raises UserError for names that are in no table and data that cannot be read.
    """
    if words and (words[0] != "table" or len(words) != 2):
        raise UserError(f"what is {' '.join(words)!r}", "", "Say `repr classify`, or `repr classify table 4`, 5, 6, 8 or fig8")
    number = words[1] if words else ""
    split = arguments["split"] or {"paper": "random"}.get(arguments["preset"], "grouped")
    seeds = range(arguments["seed"], arguments["seed"] + arguments["seeds"])
    opened: dict[tuple[int, str], Catalog] = {}

    def open_part(seed: int, part: str) -> Catalog:
        if (seed, part) not in opened:
            named = part if part in SUBSETS else arguments["subset"]
            catalog = open_data(arguments["data"], subset=named, split=split, seed=seed)
            opened.clear()  # one at a time: three million rows take a gigabyte
            opened[seed, part] = subtree(catalog, part) if part and part not in SUBSETS else catalog
        return opened[seed, part]

    rows = _table_rows(number, _base(arguments, split, number), arguments, seeds) if number else None
    first = None
    if rows is None:
        first = open_part(seeds[0], (arguments["parts"] or ("",))[0])
        rows = _grid_rows(_base(arguments, split, number), arguments, seeds, first.default_level)
    whole = first or open_part(seeds[0], next((row.part for row in rows if row.part not in SUBSETS), ""))
    name, sample = whole.name, whole.sample
    if number and out is None:
        out = Path("runs", f"classify-{name}")
    cells = run(open_part, rows, out)
    summarised = summarise(cells)
    if number:
        summarised = with_paper(number, summarised)
    words_beside = [caption(summarised), *(remarks(number) if number else [])]
    title = TITLES[number] if number else "Classification"
    found = [*comparisons(summarised), *against_flat(summarised)]
    answer = Answer(title, name, summarised, cells, number, out, sample, arguments, found, words_beside)
    if out:
        _keep(answer, out)
    return answer


def _base(arguments: dict[str, Any], split: str, number: str) -> Settings:
    """The options that all rows share."""
    names = ("preset", "ocr", "bert", "end_to_end", "epochs", "lr", "batch_size", "size", "scale", "limit", "balanced", "adjust", "weak")
    shared = {name: arguments[name] for name in names}
    encoder = arguments["text_encoder"] or {"5": "bilstm", "6": "bert"}.get(number, "ngram")
    machine = {"device": arguments["device"], "workers": arguments["workers"]}
    return Settings(split=split, mask=bool(arguments["mask"]), text_encoder=encoder, **shared, **machine)


def _grid_rows(base: Settings, arguments: dict[str, Any], seeds: range, level: int) -> list[Settings]:
    models = arguments["models"] or ("ngram",)
    for model in models:
        if model not in MODELS:
            raise UserError(f"no model is called {model!r}", "--model", nearest(model, MODELS))
    rows = grid(
        base,
        models=models,
        levels=arguments["levels"] or (level,),
        seeds=seeds,
        hierarchies=arguments["nets"] or ("",),
        weights=arguments["weights"],
        shares=arguments["shares"] or (1.0,),
    )
    return [replace(row, part=part) for part in arguments["parts"] or ("",) for row in rows]


def _table_rows(number: str, base: Settings, arguments: dict[str, Any], seeds: range) -> list[Settings]:
    masks = (False, True) if arguments["mask"] is None else (arguments["mask"],)
    choice = Choice(arguments["models"], arguments["levels"], arguments["nets"], arguments["parts"], arguments["weights"], masks)
    return rows_of(number, base, choice, seeds)


def _keep(answer: Answer, out: Path) -> None:
    """The folder's own config.json: the command, its arguments, its result."""
    plain = {name: [str(v) for v in value] if isinstance(value, tuple) else value for name, value in answer.arguments.items()}
    if answer.number:
        plain["words"] = ["table", answer.number]
    command = f"repr classify table {answer.number}" if answer.number else "repr classify"
    run_folder = Run.create(out, command, plain, data=answer.data, sample=answer.sample)
    run_folder.finish("done", answer.as_json())
