"""Where no data are named: the environment's, else the synthetic shop, which is said first of all."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from repr.catalog import fallback


def test_data_that_are_named_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPC_ROOT", "elsewhere")
    assert fallback.or_synthetic((Path("a"), "b"), "rpc") == ("a", "b")


@pytest.mark.parametrize(("default", "variable"), [("mep3m", "MEP3M_ROOT"), ("rpc", "RPC_ROOT")])
def test_the_environment_names_data(
    default: fallback.Kind, variable: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(variable, "elsewhere")
    with caplog.at_level(logging.INFO):
        assert fallback.or_synthetic((), default) == ("elsewhere",)
    assert not caplog.messages


def test_else_the_synthetic_shop_is_drawn_and_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("RPC_ROOT", raising=False)

    def drawn(part: str) -> Path:
        logging.getLogger("repr.synthetic.shop").info("Drawing")
        return tmp_path / part

    monkeypatch.setattr(fallback, "synthetic_root", drawn)
    with caplog.at_level(logging.INFO):
        assert fallback.or_synthetic((), "rpc") == (str(tmp_path / "rpc"),)
    said, then = caplog.messages
    assert "using the synthetic shop" in said and "$RPC_ROOT" in said and then == "Drawing"
