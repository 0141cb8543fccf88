"""The page of a run that was stopped or failed: what happened, how it goes on, what it was told."""

from __future__ import annotations

from pathlib import Path

from repr.commands import command_line
from repr.experiments.document import TRIALS
from repr.reports.page import Page
from repr.runs import Run


def write(folder: Path | None, command: str) -> Path | None:
    """Write report.html into the folder of a run of `command` that did not reach its end, and return its path.

    None where there is no such run: no folder, one of another command, a run that ended well or still goes on.
    """
    if folder is None or not (folder / "config.json").is_file():
        return None
    run = Run.open(folder)
    if run.config["command"] != command or run.config["status"] not in ("stopped", "failed"):
        return None
    page = Page(f"{command} on {run.config['data']}, not finished", run.config["synthetic"])
    error = (run.config.get("result") or {}).get("error", "")
    why = f"**The run failed**: {error}." if run.config["status"] == "failed" else "**The run was stopped before its end.**"
    finished = len(list((folder / TRIALS).glob("*.json")))
    page.text(f"{why} {f'{finished} parts are finished and kept; the' if finished else 'The'} same command goes on from there:")
    page.code(command_line(command, config=folder / "config.json", out=folder))
    page.section("How it was done")
    page.options(run)
    return page.write(folder / "report.html")
