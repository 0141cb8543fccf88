"""Settings of methods: as typed, their limits, and the table that names them."""

from __future__ import annotations

import pytest

from repr.errors import UserError
from repr.methods import METHODS, load, read
from repr.methods.settings import JointSettings, MethodSettings, MoCoSettings, SimCLRSettings, SupervisedSettings
from repr.settings import declared


@pytest.mark.parametrize(
    ("typed", "name", "settings"),
    [
        ("supervised", "supervised", SupervisedSettings()),
        ("simclr:temperature=0.2,decoupled=true", "simclr", SimCLRSettings(temperature=0.2, decoupled=True)),
        ("moco: queue=8", "moco", MoCoSettings(queue=8)),
        ("joint:contrast=1,projector=yes,label_smoothing=0", "joint", JointSettings(contrast=1, projector=True, label_smoothing=0)),
        ("byol", "byol", MethodSettings()),
        ("vicreg:", "vicreg", MethodSettings()),
    ],
)
def test_a_method_is_read_as_it_is_typed(typed: str, name: str, settings: MethodSettings) -> None:
    assert read(typed) == (name, settings) and type(read(typed)[1]) is METHODS[name].settings


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("simcl", "no such method: simcl. Did you mean simclr"),
        ("simclr:temperatur=1", "Did you mean temperature"),
        ("byol:temperature=1", "It has no settings of its own"),
        ("moco:queue=0", "queue is 0. It takes 1 or more"),
        ("moco:temperature=0", "temperature is 0. It takes 0.0001 or more"),
        ("joint:contrast=1.5", "It takes from 0 to 1"),
        ("supervised:label_smoothing=1", "It takes from 0 to below 1"),
        ("simclr:decoupled=maybe", "not true or false"),
        ("simclr:decoupled=true,decoupled=true", "set twice"),
    ],
)
def test_what_is_no_setting_is_refused(typed: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        read(typed)
    assert words in str(refused.value)


def test_the_constructors_check_too() -> None:
    with pytest.raises(UserError, match="temperature"):
        SimCLRSettings(temperature=0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_there_and_its_settings_explain_themselves(name: str) -> None:
    assert load(name).__name__.lower() == name
    assert all(one.help for one in declared(METHODS[name].settings).values())
