"""Every way a command can end is one line and one exit code; bars keep quiet where nobody looks."""

from __future__ import annotations

import errno
import json
import os

import click
import pytest

from repr import console, progress
from repr.errors import UserError, nearest
from repr.tables import table


def ends(monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> int:
    """The exit code of a command that raises `error`."""

    @click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def command() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["repr", *words])
    with pytest.raises(SystemExit) as end:
        console.run(command, "repr")
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EDQUOT, "your share of the disk is full. Free some space"),
        (errno.EACCES, "no permission. Check the path"),
        (errno.EISDIR, "is a folder, where a file is wanted"),
        (errno.ENOTDIR, "a part of this path is a file"),
        (errno.EEXIST, "is there already, and is not a folder"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, words: str
) -> None:
    assert ends(monkeypatch, OSError(number, os.strerror(number), "some/where")) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"Error: some/where: {words}") and said.err.count("\n") == 1 and not said.out


def test_with_json_the_error_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(monkeypatch, UserError("is broken", "a.json", "Mend it"), "--json") == 2
    said = capsys.readouterr()
    assert json.loads(said.out) == {"error": {"message": "is broken", "where": "a.json", "remedy": "Mend it"}}
    assert said.err == "Error: a.json: is broken. Mend it.\n"


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ends(monkeypatch, KeyboardInterrupt()) == 130


def test_a_group_alone_shows_its_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @click.group()
    def group() -> None:
        """Many commands."""

    monkeypatch.setattr("sys.argv", ["repr"])
    with pytest.raises(SystemExit) as end:
        console.run(group, "repr")
    said = capsys.readouterr().err
    assert end.value.code == 2 and "Error" not in said and "\n  Many commands.\n" in said


def test_many_names_are_not_all_listed() -> None:
    listed = nearest("zzz", [f"product {n}" for n in range(1000)])
    assert listed.endswith("product 19, … (1,000 in all)") and listed.count(",") == 21
    assert nearest("product 77", [f"product {n}" for n in range(1000)]) == "Did you mean product 77?"


def test_a_question_ends_with_its_mark() -> None:
    assert str(UserError("no such method: byl", "--method", "Did you mean byol?")) == "--method: no such method: byl. Did you mean byol?"


def test_short_work_shows_no_bar_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.counted(range(3), 3, "counting")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_table_leaves_out_the_columns_that_a_narrow_terminal_has_no_room_for() -> None:
    header, rows = ["model", "top-1", "top-5", "F1"], [["ngram", "91.2 ± 0.3", "99.0", "88.1"]]
    assert table(header, rows, room=200) == table(header, rows)
    head, _, line, last = table(header, rows, room=24).splitlines()
    assert head.split() == ["model", "top-1", "top-5"] and line.endswith("99.0") and len(head) <= 24
    assert last == "Not shown, for want of room: F1. --json has them."
    assert table(header, rows, room=3).splitlines()[0].split() == ["model", "top-1"]


@pytest.mark.parametrize(
    ("typed", "crops"),
    [("1,0.6", (1.0, 0.6)), (" 0.5 ", (0.5,)), ("1,1", (1.0,)), ("0", ()), ("1.1", ()), ("nan", ()), ("1,,0.6", ()), ("", ())],
)
def test_crops_are_shares(typed: str, crops: tuple[float, ...]) -> None:
    command = console.crops_option()(click.Command("a"))
    if crops:
        context = command.make_context("a", ["--crops", typed])
        assert context.params["crops"] == crops
        assert command.make_context("a", [], default_map={"crops": list(crops)}).params["crops"] == crops  # as a config.json has them
    else:
        with pytest.raises((click.BadParameter, UserError), match=r"1,0\.5"):
            command.make_context("a", ["--crops", typed])


@pytest.mark.parametrize(("typed", "right"), [("0.5", True), ("nan", False), ("inf", False), ("2", False)])
def test_a_number_in_a_range_is_a_number(typed: str, right: bool) -> None:
    command = click.Command("a", params=[click.Option(["--share"], type=console.Between(0, 1))])
    if right:
        assert command.make_context("a", ["--share", typed]).params["share"] == 0.5
    else:
        with pytest.raises(click.BadParameter):
            command.make_context("a", ["--share", typed])
