"""One process of several: what the environment says of it, and the word it leaves for its launcher."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repr import worker
from repr.errors import UserError
from repr.worker import Worker

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_ERROR_FILE", "ROLE_NAME")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_a_launcher_it_is_the_only_one() -> None:
    assert worker.here() == Worker() == Worker(rank=0, world=1, local_rank=0, local_world=1, restarts=0)
    assert worker.speaks() and not worker.launched()


def test_the_environment_says_which_one_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("3", "8", "1", "2", "4"), strict=False):
        monkeypatch.setenv(name, value)
    assert worker.here() == Worker(rank=3, world=8, local_rank=1, local_world=2, restarts=4)
    assert not worker.speaks()


@pytest.mark.parametrize(("rank", "role", "speaks"), [("0", "default", True), ("1", "default", False), ("0", worker.OURS, False)])
def test_the_first_one_speaks_unless_our_launcher_does(monkeypatch: pytest.MonkeyPatch, rank: str, role: str, speaks: bool) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("ROLE_NAME", role)
    assert worker.speaks() is speaks


def test_without_a_launcher_no_word_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    worker.record("failed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [None, UserError("is broken", "a.json", "Mend it", argument="data")])
def test_the_launcher_reads_what_it_failed_of(error: UserError | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are those that torch.distributed.elastic reads."""
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    assert worker.launched()
    worker.record("failed", error)
    content = json.loads((tmp_path / "error.json").read_text())
    assert content["message"]["message"] == "failed" and int(content["message"]["extraInfo"]["timestamp"]) > 0
    if error is None:
        assert content["error"] is None
    else:
        again = UserError(**content["error"])
        assert str(again) == str(error) and again.argument == "data"


@pytest.mark.parametrize("error", [ValueError("a fault"), UserError("is broken", "a.json", "Mend it", argument="data")])
def test_what_goes_wrong_meanwhile_is_left_and_raised(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    with worker.leaving_word():
        pass
    assert not (tmp_path / "error.json").exists()
    with pytest.raises(type(error)), worker.leaving_word():
        raise error
    content = json.loads((tmp_path / "error.json").read_text())
    assert str(error) in content["message"]["message"]
    if isinstance(error, UserError):
        assert content["message"]["message"] == str(error) and UserError(**content["error"]).remedy == "Mend it"
    else:
        assert "Traceback" in content["message"]["message"] and content["error"] is None
