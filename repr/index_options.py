"""What the commands that take an index share: how it is named, their options, and how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import click

from repr import console
from repr.errors import UserError
from repr.options import Between, Decorator, Function, option, shared


class Stocked(TypedDict):
    """What the options of `repr.lookup.building.Stock` say."""

    data: tuple[str, ...]
    subset: str | None
    parts: tuple[str, ...]


class Machine(TypedDict):
    """What `--device`, `--workers` and `--wait` say: how `repr.lookup.index.Index` is opened, or made."""

    device: str
    workers: int | None
    wait: float


class Adding(Stocked, Machine):
    """Both, of a command that puts images into an index."""


part_option = option(
    "--part",
    "parts",
    type=click.Choice(["train", "val", "test"]),
    multiple=True,
    section="data",
    help="Only images of this part of the data.  [repeatable]",
)
prefix_option = option(
    "--prefix", is_flag=True, section="data", help="Put the source's name before the ids of products, where two sources have the same."
)
same_weights_option = option(
    "--weights", metavar="W", section="model", help="Only to make sure: refused unless the index was made with these."
)
onnx_option = option("--onnx", is_flag=True, section="machine", help="Run by ONNX Runtime, without PyTorch. Exports what it needs once.")
detector_option = option(
    "--detector",
    metavar="FILE|classical",
    default="classical",
    show_default=True,
    section="model",
    help="Who finds products on a counter: a detector's file, the folder of its training, or classical, which needs none.",
)

threshold_option = option(
    "--threshold",
    type=Between(0, 1),
    metavar="T",
    section="model",
    help="Call unknown what has less confidence (box × probability), such as `checkout evaluate` chooses on validation scenes.  "
    "[default: what the index calls so]",
)


def k_option(default: int, what: str) -> Decorator:
    """-k N: how many products to name for each `what`."""
    return option("-k", "k", type=click.IntRange(1), default=default, help=f"Products to name for each {what}.  [default: {default}]")


def sheet_option(what: str) -> Decorator:
    """--sheet FILE for `what`."""
    return option("--sheet", type=click.Path(path_type=Path), metavar="FILE", section="output", help=f"Draw {what}.")


def index_option(metavar: str = "[DIR]") -> Decorator:
    """The index folder, by --index DIR or as the first of the words that a command takes; metavar: what its words are."""
    text = "The index folder; or name it first, without --index."
    by_option = option("--index", "folder", type=click.Path(path_type=Path), metavar="DIR", help=text)
    words = click.argument("words", nargs=-1, metavar=metavar)
    return lambda function: by_option(words(function))


def stock_options(function: Function) -> Function:
    """What an index takes in: --data, --subset, --part, --prefix; the function gets `Stocked`, and `prefix`."""
    return shared("data", "subset")(part_option(prefix_option(function)))


def index_and_words(folder: Path | None, words: Sequence[str]) -> tuple[Path, Sequence[str]]:
    """The index folder, from --index or else as the first word, and the other words. Raises UserError when none is named."""
    if folder is not None:
        return folder, words
    if not words:
        raise UserError("no index named", "--index", "Name its folder first, or with --index DIR")
    return Path(words[0]), words[1:]


def index_alone(folder: Path | None, words: Sequence[str]) -> Path:
    """The index folder, of a command that takes no other words. Raises UserError when there are some."""
    index, others = index_and_words(folder, words)
    if others:
        raise UserError(f"one word too many: {others[0]}", "", "Name one index; images come with --data")
    return index


def index_and_file(folder: Path | None, words: Sequence[str], what: str) -> tuple[Path, Path]:
    """The index folder, and the file or folder that is named after it. Raises UserError when `what` is not named, or more."""
    index, names = index_and_words(folder, words)
    if len(names) != 1:
        raise UserError(f"{what} is needed", "", "Name it after the index")
    return index, Path(names[0])


def finish(index: Path, result: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """End a command: print its result as JSON, or what is to be said."""
    if as_json:
        console.emit({"index": str(index), **result})
    else:
        click.echo(text)
