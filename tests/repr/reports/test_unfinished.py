"""The page of a run that did not reach its end."""

from __future__ import annotations

from pathlib import Path

from repr.experiments.document import TRIALS
from repr.reports import unfinished
from repr.runs import Run

COMMAND = "repr classify"


def test_a_stopped_run_has_a_page_and_a_finished_one_keeps_its_own(tmp_path: Path) -> None:
    record = Run.create(tmp_path / "run", COMMAND, {"data": ["goods"], "seeds": 3}, data="goods", synthetic=False)
    assert unfinished.write(record.path, COMMAND) is None, "it is still running"
    record.finish("failed", {"error": "no space"})
    page = unfinished.write(record.path, COMMAND)
    assert page == record.path / "report.html"
    words = page.read_text(encoding="utf-8")
    assert "no space" in words and f"{COMMAND} --config" in words and "goods" in words and "parts are finished" not in words
    record.finish("stopped")
    (record.path / TRIALS).mkdir()
    (record.path / TRIALS / "a.json").write_text("{}")
    words = unfinished.write(record.path, COMMAND).read_text(encoding="utf-8")  # type: ignore[union-attr]
    assert "stopped before its end" in words and "1 parts are finished" in words
    record.finish("done")
    assert unfinished.write(record.path, COMMAND) is None


def test_where_there_is_no_such_run_there_is_no_page(tmp_path: Path) -> None:
    record = Run.create(tmp_path / "run", COMMAND, {}, data="goods", synthetic=False)
    record.finish("stopped")
    assert unfinished.write(record.path, "repr evaluate") is None, "of another command"
    assert unfinished.write(tmp_path, COMMAND) is None and unfinished.write(None, COMMAND) is None
