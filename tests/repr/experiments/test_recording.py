"""A run folder ends as it should, whatever happens to the run."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from repr.errors import UserError
from repr.experiments import document
from repr.experiments.document import TRIALS, Document, Row
from repr.experiments.recording import finish, recording
from repr.experiments.trials import Store, Trial
from repr.runs import Run

FOUND = Document("repr classify", "shop", False, (Row({"model": "ngram"}, {}),))


def test_a_run_that_ends_well_can_be_read(tmp_path: Path) -> None:
    with recording(tmp_path / "run", "repr classify", {"seeds": 2}, data="shop", synthetic=True) as record:
        assert Run.open(tmp_path / "run").config["status"] == "running"
        finish(record, FOUND)
    config = Run.open(tmp_path / "run").config
    assert (config["status"], config["result"], config["synthetic"]) == ("done", {"rows": 1}, True)
    assert document.read(tmp_path / "run") == FOUND


@pytest.mark.parametrize("existed", [False, True])
def test_bad_input_leaves_nothing_and_takes_nothing_away(tmp_path: Path, existed: bool) -> None:
    if existed:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UserError), recording(tmp_path / "run", "repr classify", {}, data="shop", synthetic=False):
        raise UserError("bad", "", "mend")
    assert (tmp_path / "run").exists() is existed
    assert not existed or (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_trials_of_a_stopped_run_stay_and_its_results_are_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(KeyboardInterrupt), recording(tmp_path / "run", "repr classify", {}, data="shop", synthetic=False):
        Store(tmp_path / "run" / TRIALS).write("a.npz", Trial({"top1": 0.5}))
        raise KeyboardInterrupt
    assert Run.open(tmp_path / "run").config["status"] == "stopped" and (tmp_path / "run" / TRIALS / "a.npz").is_file()
    assert f"The finished trials are in {tmp_path / 'run'}." in caplog.messages
    with pytest.raises(UserError, match="has not ended"):
        document.read(tmp_path / "run")


def test_one_process_alone_writes_a_folder(tmp_path: Path) -> None:
    with recording(tmp_path / "run", "repr classify", {}, data="shop", synthetic=False) as record:
        with pytest.raises(UserError, match="another process"), recording(tmp_path / "run", "repr classify", {}, data="", synthetic=False):
            pytest.fail("both")
        finish(record, FOUND)
    with pytest.raises(UserError, match="holds a run of"), recording(tmp_path / "run", "repr evaluate", {}, data="", synthetic=False):
        pytest.fail("another command's")
