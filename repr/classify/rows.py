"""From a request to its rows, of a grid or of a table; and what of a request no row looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from repr.catalog import parts
from repr.classify.bert import check_folder
from repr.classify.combinations import combine
from repr.classify.grid import Request
from repr.classify.settings import NETWORKS, Settings, Shared, check_used
from repr.classify.tables import TEXTS, Choice, rows_of
from repr.errors import UserError
from repr.models.devices import pick_device
from repr.models.weights import known_weights
from repr.settings import declared


def presets(number: str, request: Request) -> tuple[str, ...]:
    """The presets asked for; else the paper's for its own tables."""
    return request.presets or ("grouped" if number in ("", "rakuten") else "paper",)


def list_rows(number: str, request: Request, splits: Mapping[str, str], levels: Mapping[str, int]) -> list[Settings]:
    """The rows asked for, each once, without their seeds. number: of the table, "" for a grid.

    splits: each preset, and how the data are divided with it, in a word. levels: each part ("" for the whole) and its usual level.
    Raises UserError for what is in no table.
    """
    bases = [_base(request, preset, split, number) for preset, split in splits.items()]
    of_preset = [_table_rows(number, base, request, levels) if number else _grid_rows(base, request, levels) for base in bases]
    return list(dict.fromkeys(row for rows in zip(*of_preset, strict=True) for row in rows))


def check(number: str, request: Request) -> None:
    """Raise UserError for what is typed wrong, as far as it can be told without the data: nothing has been read or drawn then."""
    if number:
        _check_table(number, request)
    elif request.paper:
        raise UserError("belongs to a table", "", "Name a table, or leave it out", argument="paper")
    pick_device(request.device)
    if request.subset:
        parts.load(request.subset)
    rows = list_rows(number, request, dict.fromkeys(presets(number, request), "grouped"), dict.fromkeys(request.parts or ("",), 1))
    _check_used(rows, request)
    _check_weights(rows, request.weights)


def _check_table(number: str, request: Request) -> None:
    """Raise UserError for arguments that a table's own rows leave nothing to."""
    fixed = {
        "nets": number != "6" and request.nets,
        "shares": number != "6" and request.shares,
        "end_to_end": number == "6" and request.end_to_end is not None,
        "layers": number in ("5", "6") and request.layers is not None,
        "subset": number == "8" and request.subset,
    }
    for argument, given in fixed.items():
        if given:
            raise UserError(f"table {number} settles this itself", "", "Leave it out, or run the rows without a table", argument=argument)


def _check_used(rows: Sequence[Settings], request: Request) -> None:
    """Raise UserError for an argument that none of the rows looks at, and for a BERT folder that lacks a file."""
    usual = Request()
    given = {name: getattr(request, name) != getattr(usual, name) for name in (*declared(Shared), "text_encoder")}
    check_used(rows, {**given, "mask": bool(request.mask)})
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


def _base(request: Request, preset: str, split: str, number: str) -> Settings:
    """The row that all others are variations of."""
    shared = {name: getattr(request, name) for name in declared(Shared)}
    encoder = request.text_encoder or TEXTS.get(number, "ngram")
    return Settings(**shared, preset=preset, split=split, mask=bool(request.mask), text_encoder=encoder)


def _grid_rows(base: Settings, request: Request, levels: Mapping[str, int]) -> list[Settings]:
    first = next(iter(levels.values()))
    rows = combine(
        base,
        models=request.models or ("ngram",),
        levels=request.levels or (first,),
        hierarchies=request.nets or ("",),
        weights=request.weights,
        shares=request.shares or (1.0,),
    )
    return [replace(row, part=part) for part in levels for row in rows]


def _table_rows(number: str, base: Settings, request: Request, levels: Mapping[str, int]) -> list[Settings]:
    choice = Choice(
        models=request.models,
        levels=request.levels,
        hierarchies=request.nets,
        parts={part: level for part, level in levels.items() if part},
        weights=request.weights,
        masks=(False, True) if request.mask is None and number != "rakuten" else (bool(request.mask),),
        usual=next(iter(levels.values())),
        shares=request.shares,
        ocrs=(False, True) if request.ocr else (False,),
    )
    return rows_of(number, base, choice)
