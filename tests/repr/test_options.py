"""Options follow from declarations: kinds, limits, lists, switches, the help and its sections, and a run's config.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from repr import index_options, options
from repr.errors import UserError
from repr.settings import check, setting


@dataclass(frozen=True, kw_only=True)
class Oven:
    """What the tests declare."""

    heat: float = setting(180.0, "Degrees; not with `cold_start`.", low=0, high=300, group="training")
    minutes: int | None = setting(None, "How long.", low=1, usual="as the recipe says", group="training")
    cold_start: bool = setting(False, "Begin cold.", group="machine")
    light: bool | None = setting(None, "Look in.", usual="when it is dark", group="machine")
    mode: Literal["top", "bottom"] = setting("top", "Where from.")
    shelves: tuple[int, ...] = setting((), "Which are used.", low=1)
    dishes: tuple[str, ...] = setting((), "What is in it.", metavar="DISH")
    portions: int | Literal["all"] | None = setting(None, "How many.", low=1)
    watch: float | None = setting(None, "Look every so many minutes.", low=0, above=True)

    def __post_init__(self) -> None:
        check(self)


@options.command()
@options.of(Oven, spelled={"mode": "--from", "light": "--light/--dark"}, bare={"watch": 5.0})
@options.config_option
@options.json_option
def bake(as_json: bool, **values: Any) -> None:
    """Bake."""
    click.echo(repr(Oven(**values)))


def baked(*words: str) -> Oven:
    """What the command was told."""
    oven: Oven = eval(run(*words), {"Oven": Oven})
    return oven


def run(*words: str) -> str:
    return CliRunner().invoke(bake, words, catch_exceptions=False, terminal_width=200).output


def test_nothing_typed_is_the_declared_default() -> None:
    assert baked() == Oven()


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("--heat 200", {"heat": 200.0}),
        ("--minutes 3", {"minutes": 3}),
        ("--cold-start", {"cold_start": True}),
        ("--light", {"light": True}),
        ("--dark", {"light": False}),
        ("--from bottom", {"mode": "bottom"}),
        ("--shelves 1,2", {"shelves": (1, 2)}),
        ("--shelves 1 --shelves 2,3", {"shelves": (1, 2, 3)}),
        ("--dishes a,b --dishes c", {"dishes": ("a,b", "c")}),
        ("--portions 4", {"portions": 4}),
        ("--portions all", {"portions": "all"}),
        ("--watch", {"watch": 5.0}),
        ("--watch 0.5", {"watch": 0.5}),
    ],
)
def test_what_is_typed_is_what_is_declared(typed: str, value: dict[str, Any]) -> None:
    assert baked(*typed.split()) == Oven(**value)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--heat 301", "heat is 301. It takes from 0 to 300"),
        ("--heat nan", "heat is nan"),
        ("--minutes 1.5", "minutes=1.5 is not a whole number"),
        ("--minutes 0", "It takes 1 or more"),
        ("--from botom", "Did you mean bottom"),
        ("--shelves 1,,2", "not a whole number"),
        ("--shelves 0", "shelves is 0"),
        ("--portions some", "It takes 1 or more, or all"),
        ("--watch 0", "watch is 0"),
    ],
)
def test_what_is_beyond_the_limits_is_refused_and_named(typed: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        run(*typed.split())
    assert words in str(refused.value) and refused.value.argument


def test_the_help_says_what_the_declaration_says() -> None:
    text = " ".join(run("--help").split())
    assert "--heat X Degrees; not with --cold-start. [default: 180.0; from 0 to 300]" in text
    assert "--minutes N How long. [default: as the recipe says; 1 or more]" in text
    assert "--cold-start Begin cold. --" in text and "--light / --dark Look in. [default: when it is dark]" in text
    assert "--from [top|bottom] Where from. [default: top]" in text
    assert "--shelves N[,N…] Which are used. [1 or more]" in text and "--dishes DISH What is in it. [repeatable]" in text
    assert "--portions N|all How many. [1 or more, or all]" in text
    assert "[above 0; bare: 5.0]" in text


def test_many_options_stand_in_sections_and_few_do_not() -> None:
    heads = [line.rstrip(":") for line in run("--help").splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads == ["What", "Training", "Output", "Machine"]

    @options.command(lists={"Settings of ovens": options.listed({"gas": Oven})})
    @options.shared("data", "seed")
    def short(data: tuple[str, ...], seed: int) -> None:
        """Short."""

    text = CliRunner().invoke(short, ["--help"], terminal_width=200).output
    assert "\nOptions:\n" in text and "Data:" not in text
    assert "Settings of ovens:\n" in text and "  gas:heat " in text


def test_a_config_gives_defaults_and_what_is_typed_wins(tmp_path: Path) -> None:
    arguments = {"heat": 90, "shelves": [1, 2], "dishes": ["pie"], "light": False, "minutes": None, "portions": "all"}
    (tmp_path / "config.json").write_text(json.dumps({"typed": arguments}))
    printed = baked("--config", str(tmp_path / "config.json"), "--heat", "100")
    assert printed == Oven(heat=100, shelves=(1, 2), dishes=("pie",), light=False, portions="all")


@pytest.mark.parametrize(
    ("content", "words"),
    [("[]", "no arguments in it"), ('{"typed": {"heet": 1}}', "Did you mean heat"), ('{"typed": {"heat": "hot"}}', "not a number")],
)
def test_a_config_is_checked_as_what_is_typed(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=words):
        run("--config", str(tmp_path / "config.json"))


def test_what_would_do_nothing_is_refused_only_when_it_was_typed() -> None:
    @options.command()
    @options.of(Oven)
    @click.pass_context
    def command(ctx: click.Context, /, **_: Any) -> None:
        options.refuse_typed(ctx, ["heat", "cold_start"], "the oven is off", "Turn it on")

    assert CliRunner().invoke(command, ["--minutes", "3"], catch_exceptions=False).exit_code == 0
    with pytest.raises(UserError, match="--cold-start and --heat would do nothing: the oven is off"):
        CliRunner().invoke(command, ["--heat", "180", "--cold-start"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("typed", "crops"),
    [
        ("1,0.6", (1.0, 0.6)),
        ("0.5,1", (1.0, 0.5)),
        (" 0.5 ", (0.5,)),
        ("1,1", (1.0,)),
        ("0", ()),
        ("1.1", ()),
        ("nan", ()),
        ("1,,0.6", ()),
        ("", ()),
    ],
)
def test_crops_are_shares_each_once_the_whole_first(typed: str, crops: tuple[float, ...]) -> None:
    command = options.shared("crops")(click.Command("a"))
    if crops:
        assert command.make_context("a", ["--crops", typed]).params["crops"] == crops
        assert command.make_context("a", [], default_map={"crops": list(crops)}).params["crops"] == crops  # as a config.json has them
    else:
        with pytest.raises(UserError):
            command.make_context("a", ["--crops", typed])


def test_shared_options_say_the_default_of_their_command() -> None:
    command = options.shared("data", "crops", crops="those of A")(click.Command("a"))
    data, crops = sorted(command.params, key=lambda param: str(param.name), reverse=True)
    assert data.opts == ["--data", "--root"] and isinstance(crops, click.Option) and "default: those of A" in str(crops.help)


@pytest.mark.parametrize(
    ("folder", "words", "named"),
    [(Path("i"), ("a", "b"), (Path("i"), ("a", "b"))), (None, ("i", "a"), (Path("i"), ("a",))), (None, ("i",), (Path("i"), ()))],
)
def test_an_index_is_named_first_or_by_its_option(folder: Path | None, words: tuple[str, ...], named: tuple[Path, tuple[str, ...]]) -> None:
    assert index_options.index_and_words(folder, words) == named
    if named[1]:
        with pytest.raises(UserError, match="one word too many: "):
            index_options.index_alone(folder, words)
    else:
        assert index_options.index_alone(folder, words) == named[0]
    with pytest.raises(UserError, match="no index named"):
        index_options.index_and_words(None, ())


@pytest.mark.parametrize(("typed", "right"), [("0.5", True), ("nan", False), ("inf", False), ("2", False)])
def test_a_number_in_a_range_is_a_number(typed: str, right: bool) -> None:
    command = click.Command("a", params=[click.Option(["--share"], type=options.Between(0, 1))])
    if right:
        assert command.make_context("a", ["--share", typed]).params["share"] == 0.5
    else:
        with pytest.raises(click.BadParameter):
            command.make_context("a", ["--share", typed])
