"""Every way a command can end is one line and one exit code; bars keep quiet where nobody looks."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys

import click
import pytest

from repr import console, progress
from repr.errors import UserError, nearest
from repr.files import cache_dir
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
    printed = capsys.readouterr()
    assert printed.err.startswith(f"Error: some/where: {words}") and printed.err.count("\n") == 1 and not printed.out


def test_with_json_the_error_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(monkeypatch, UserError("is broken", "a.json", "Mend it"), "--json") == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "schema": 1,
        "error": {"message": "is broken", "where": "a.json", "remedy": "Mend it"},
    }
    assert printed.err == "Error: a.json: is broken. Mend it.\n"


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ends(monkeypatch, KeyboardInterrupt()) == 130


def test_a_group_alone_shows_its_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @click.group()
    def group() -> None:
        """Many commands."""

    monkeypatch.setattr("sys.argv", ["repr"])
    with pytest.raises(SystemExit) as end:
        console.run(group, "repr")
    stderr = capsys.readouterr().err
    assert end.value.code == 2 and "Error" not in stderr and "\n  Many commands.\n" in stderr


def test_many_names_are_not_all_listed() -> None:
    listed = nearest("zzz", [f"product {n}" for n in range(1000)])
    assert listed.endswith("product 19, … (1,000 in all)") and listed.count(",") == 21
    assert nearest("product 77", [f"product {n}" for n in range(1000)]) == "Did you mean product 77?"


def test_a_question_ends_with_its_mark() -> None:
    assert str(UserError("no such method: byl", "--method", "Did you mean byol?")) == "--method: no such method: byl. Did you mean byol?"


def test_short_work_shows_no_bar_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.counted(range(3), 3, "counting")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_message_draws_no_bar_before_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with console.bar(2, "Reading") as shown:
        shown.update()
        logging.getLogger("repr.reading").info("one is read")
        shown.describe("the second")
    err = capsys.readouterr().err
    assert "one is read" in err and "%" not in err and "Reading" not in err and "second" not in err


def test_a_table_leaves_out_the_columns_that_a_narrow_terminal_has_no_room_for() -> None:
    header, rows = ["model", "top-1", "top-5", "F1"], [["ngram", "91.2 ± 0.3", "99.0", "88.1"]]
    assert table(header, rows, room=200) == table(header, rows)
    head, _, line, last = table(header, rows, room=24).splitlines()
    assert head.split() == ["model", "top-1", "top-5"] and line.endswith("99.0") and len(head) <= 24
    assert last == "Not shown, for want of room: F1. The JSON has them."
    assert table(header, rows, room=3).splitlines()[0].split() == ["model", "top-1"]


def test_every_object_says_the_version_of_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit({"rows": [], "nothing": None})
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "rows": [], "nothing": None, "passed_over": []}
    with pytest.raises(ValueError, match="Out of range float"):
        console.emit({"rate": float("nan")})


def test_arguments_in_the_log_are_printed_as_options(capsys: pytest.CaptureFixture[str]) -> None:
    command = click.Command("a", params=[click.Option(["--batch-size"])])
    with console.listening(), command.make_context("a", []):
        logging.getLogger("repr.somewhere").info("give another `batch_size` than `this one`")
    assert set(capsys.readouterr().err.splitlines()) == {"give another --batch-size than `this one`"}


def test_an_error_names_the_option_of_the_command_that_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.group()
    def group() -> None:
        """Two commands."""

    @group.command()
    @click.option("--hierarchy", "nets")
    def one(nets: str | None) -> None:
        """One."""
        raise UserError("is too deep", "", "Leave `nets` out, or `other`", argument="nets")

    monkeypatch.setattr("sys.argv", ["repr", "one"])
    with pytest.raises(SystemExit):
        console.run(group, "repr")
    assert capsys.readouterr().err == "Error: --hierarchy: is too deep. Leave --hierarchy out, or `other`.\n"


def test_what_was_passed_over_stands_in_every_json(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"reason": "empty folders", "count": 1, "examples": ["a/"]}
    with console.listening():
        logging.getLogger("repr.catalog").warning("Passed over", extra={"passed_over": one})
        console.emit({"rows": 3})
        console.emit({"rows": 3, "passed_over": []})  # a command that knows better
    with console.listening():
        console.emit({"rows": 3})
    assert [json.loads(line)["passed_over"] for line in capsys.readouterr().out.splitlines()] == [[one], [], []]


def test_a_cache_that_cannot_be_written_has_a_remedy_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, OSError(errno.EROFS, os.strerror(errno.EROFS), str(cache_dir("packs", "x")))) == 2
    assert "Set REPR_CACHE" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_can_print_any_name(encoding: str) -> None:
    head = "from repr import console\nimport click\n@click.command()\ndef c():\n  "
    words = head + "click.echo('茶 \\udce9 é'); console.emit({'a': '茶\\U0001f600 \\udce9'})\nconsole.run(c, 'c')"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding}, check=True)
    printed = done.stdout.decode("utf-8" if encoding == "ascii" else encoding).splitlines()  # click writes UTF-8 where ASCII is all
    assert json.loads(printed[1])["a"] == "茶\U0001f600 \udce9" and not done.stderr


def test_a_closed_pipe_is_no_error() -> None:
    words = "from repr import console\nimport click\n@click.command()\ndef c(): click.echo('x' * 10**6)\nconsole.run(c, 'c')"
    with subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert not process.stderr.read() and process.wait() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no system that forks")
def test_a_child_that_ends_in_the_middle_of_its_bar_does_not_stop_ours() -> None:
    """In a process of its own, without threads: both forget nothing that the other holds."""
    script = (
        "import os\nfrom repr import console\nfrom tqdm import tqdm\nconsole.bar(1, 'before').close()\n"
        "child = os.fork()\nif not child:\n    tqdm.get_lock().acquire()\n    os._exit(0)\n"
        "os.waitpid(child, 0)\nwith console.bar(1, 'after') as bar:\n    bar.update()\nprint('done')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n"
