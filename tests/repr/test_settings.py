"""Settings declared once: limits, kinds, text, config files and the help all follow from the fields."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import UserError
from repr.settings import again, check, declared, explained, from_mapping, parse, setting, values
from repr.shared import Network, Source
from repr.training.settings import Settings as Pretraining
from rpc_transfer.checkout.settings import Training as Detection
from rpc_transfer.settings import Settings as Transfer


@dataclass(kw_only=True)
class Oven:
    """What the tests declare."""

    heat: float = setting(180.0, "degrees", low=0, high=300)
    minutes: int | None = setting(None, "how long", low=1)
    fan: bool = setting(False, "blow")
    mode: Literal["top", "bottom"] = setting("top", "where from")
    speed: float = setting(1.0, "of the plate", low=0, above=True)
    shelves: tuple[int, ...] = setting((), "which are used", low=1)
    baked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check(self)


def test_a_declaration_says_all_there_is_to_know() -> None:
    settings = declared(Oven)
    assert list(settings) == ["heat", "minutes", "fan", "mode", "speed", "shelves"], "fields without a setting are none"
    assert (settings["heat"].kind, settings["heat"].default, settings["heat"].help, settings["heat"].limits) == (
        float,
        180.0,
        "degrees",
        "from 0 to 300",
    )
    assert settings["minutes"].optional and settings["minutes"].kind is int and settings["minutes"].limits == "1 or more"
    assert settings["mode"].choices == ("top", "bottom") and settings["mode"].limits == "one of top, bottom"
    assert settings["speed"].limits == "above 0" and settings["shelves"].many and settings["fan"].limits == ""


def test_text_becomes_values() -> None:
    assert parse(Oven, "heat=200, fan=TRUE,minutes=3", "oven") == {"heat": 200.0, "fan": True, "minutes": 3}
    assert parse(Oven, "", "oven") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("heet=1", "Did you mean heat"),
        ("heat=hot", "heat=hot is not a number"),
        ("heat=301", "heat is 301. It takes from 0 to 300"),
        ("heat=nan", "heat is nan"),
        ("fan=maybe", "not true or false"),
        ("minutes=1.5", "not a whole number"),
        ("minutes=0", "It takes 1 or more"),
        ("speed=0", "It takes above 0"),
        ("mode=topp", "Did you mean top"),
        ("heat=1,heat=2", "heat is set twice"),
        ("=1", "a setting without a name"),
    ],
)
def test_bad_text_is_refused_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(UserError, match="oven: ") as refused:
        parse(Oven, text, "oven")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "values", [{"heat": True}, {"heat": "200"}, {"fan": 1}, {"minutes": 2.0}, {"mode": "side"}, {"heat": float("inf")}, {"shelves": (0,)}]
)
def test_the_constructor_checks(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as refused:
        Oven(**values)
    assert refused.value.argument == next(iter(values)), "the argument is named, not an option"


@given(heat=st.one_of(st.integers(0, 300), st.floats(0, 300)), minutes=st.none() | st.integers(1), fan=st.booleans())
def test_values_come_back_from_a_config(heat: float, minutes: int | None, fan: bool) -> None:
    oven = Oven(heat=heat, minutes=minutes, fan=fan, shelves=(1, 2))
    assert isinstance(oven.heat, float) and Oven(**from_mapping(Oven, values(oven))) == oven


def test_a_config_with_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match="Did you mean shelves"):
        from_mapping(Oven, {"shelfs": [1]}, "config.json")


def test_the_help_has_a_line_a_setting() -> None:
    lines = explained(Oven)
    assert lines[0] == "heat (default 180.0; from 0 to 300): degrees"
    assert lines[1] == "minutes (default its own choice; 1 or more): how long" and lines[2] == "fan (default false): blow"


def test_what_is_declared_elsewhere_is_taken_over_with_another_default_in_words() -> None:
    @dataclass(kw_only=True)
    class Grill:
        """Declares nothing of its own."""

        heat: float = again(Oven, "heat", usual="as hot as it gets")
        minutes: int | None = again(Oven, "minutes", usual="until it is brown")

        def __post_init__(self) -> None:
            check(self)

    mine, theirs = declared(Grill), declared(Oven)
    for name, words in (("heat", "as hot as it gets"), ("minutes", "until it is brown")):
        assert replace(mine[name], usual="") == replace(theirs[name], usual="") and mine[name].usually == words
    assert Grill().heat == 180.0 and Grill(heat=200).heat == 200.0
    with pytest.raises(UserError, match="heat is 301"):
        Grill(heat=301)
    with pytest.raises(ValueError, match="not enough values"):
        again(Oven, "heet", usual="")


def test_the_settings_that_several_commands_have_are_one_declaration() -> None:
    """Help and limits of the network, and of the seed that divides data, are the same wherever they stand."""
    for name, owners in {"arch": (Network, Pretraining, Transfer, Detection), "data_seed": (Source, Transfer)}.items():
        first, *others = (declared(owner)[name] for owner in owners)
        assert others and all(replace(other, usual="") == replace(first, usual="") for other in others), name
