"""Settings that commands share: their limits hold wherever they stand, and two of them together do not disturb each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from repr.errors import UserError
from repr.settings import Setting, declared
from repr.shared import SEEDS, Cropped, Divided, Labelled, Machine, Part, Seeded, Source, Writing

OWNERS = (Source, Part, Labelled, Divided, Cropped, Seeded, Machine, Writing)


def one(name: str) -> Setting:
    [setting] = [declarations[name] for owner in OWNERS if name in (declarations := declared(owner))]
    return setting


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("seed", (0, SEEDS), (-1, SEEDS + 1, 0.5, None)),
        ("data_seed", (None, 0, SEEDS), (-1, SEEDS + 1)),
        ("level", (None, 1, 3), (0, 4, "first")),
        ("split", ("random", "grouped"), ("test", "", None)),
        ("crops", ((), (1.0,), (0.1, 0.5)), ((0.05,), (1.5,), 0.5)),
        ("wait", (0.0, 0.5, 1000.0), (-1.0, None)),
        ("workers", (None, 0, 64), (-1, 1.0)),
        ("subset", (None, "mep-for-rpc"), (3,)),
        ("data", ((), ("a", "b")), ("a", (1,))),
    ],
)
def test_limits(name: str, right: tuple[Any, ...], wrong: tuple[Any, ...]) -> None:
    for value in right:
        assert one(name).checked(value) == value
    for value in wrong:
        with pytest.raises(UserError) as refused:
            one(name).checked(value)
        assert refused.value.argument == name and refused.value.remedy


def test_every_setting_has_a_help_and_a_section_and_one_owner() -> None:
    everything = [setting for owner in OWNERS for setting in declared(owner).values()]
    assert len({setting.name for setting in everything}) == len(everything)
    assert all(setting.help.endswith(".") and setting.group for setting in everything)


def test_they_are_put_together_by_inheritance() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Both(Source, Seeded, Machine):
        """Of a command."""

    assert set(declared(Both)) == {*declared(Source), *declared(Seeded), *declared(Machine)}
    both = Both(seed=3, data=("a",))
    assert (both.seed, both.data, both.device, both.workers) == (3, ("a",), "auto", None)
