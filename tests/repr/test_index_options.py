"""What commands that take an index share: how it and what comes after it are named, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from repr import index_options, options
from repr.errors import UserError
from repr.shared import Writing


@pytest.mark.parametrize(("folder", "words"), [(Path("i"), ("f.png",)), (None, ("i", "f.png"))])
def test_a_file_is_named_after_the_index(folder: Path | None, words: tuple[str, ...]) -> None:
    assert index_options.index_and_file(folder, words, "a photograph") == (Path("i"), Path("f.png"))


@pytest.mark.parametrize(("folder", "words"), [(Path("i"), ()), (None, ("i",)), (None, ("i", "a", "b")), (Path("i"), ("a", "b"))])
def test_none_or_more_than_one_is_refused(folder: Path | None, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"^a photograph is needed\. Name it after the index"):
        index_options.index_and_file(folder, words, "a photograph")


def test_the_number_of_products_says_its_default() -> None:
    command = index_options.k_option(7, "image")(click.Command("a"))
    assert isinstance(command, click.Command) and command.make_context("a", []).params == {"k": 7}
    help_of_it = command.get_help(click.Context(command))
    assert "each image" in help_of_it and "[default: 7]" in help_of_it
    with pytest.raises(click.BadParameter):
        command.make_context("a", ["-k", "0"])


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_a_wait_is_a_number_of_seconds(seconds: str) -> None:
    command = options.shared("wait")(click.Command("a"))
    assert isinstance(command, click.Command) and command.make_context("a", []).params == {"wait": Writing().wait}
    with pytest.raises(UserError, match="It takes 0 or more"):
        command.make_context("a", ["--wait", seconds])


def test_a_command_ends_in_words_or_in_one_object() -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(as_json: bool) -> None:
        index_options.finish(Path("C+C"), {"images": 2}, "Two images.", as_json=as_json)

    assert CliRunner().invoke(command).stdout == "Two images.\n"
    content = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert content["index"] == "C+C" and content["images"] == 2 and content["schema"] >= 1 and content["passed_over"] == []
