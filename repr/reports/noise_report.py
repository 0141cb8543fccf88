"""The page of `repr classify noise find`: the rows whose labels look most wrong, with their images and titles."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from repr.classify.noise import FLAGGED, Findings
from repr.commands import command_line
from repr.evaluation.words import percent
from repr.reports.page import Page

SHOWN = 60  # rows with their images
PAIRS = 15  # of classes


def write(findings: Findings, out: Path) -> Path:
    """Write report.html into the folder."""
    page = Page(f"Labels that look wrong in {findings.catalog.name}", findings.catalog.synthetic)
    page.text(f"{findings.words} Every row was judged by a model of the other {findings.folds - 1} of {findings.folds} folds.")
    page.text(f"What is dropped stands in `{FLAGGED}`, in the column drop: edit it, and take the rows out by:")
    page.code(command_line("repr classify noise apply", out, out="pruned.parquet"))
    if findings.flagged:
        _worst(page, findings)
        _pairs(page, findings)
    return page.write(out / "report.html")


def _worst(page: Page, findings: Findings) -> None:
    page.section("Worst first")
    files, titles = findings.catalog.files(), findings.catalog.table["title"]
    shown = findings.flagged[:SHOWN]
    tiles = [(files[one.row], f"{one.given} → {one.proposed}, {one.margin:.2f}. {titles[one.row].as_py() or ''}") for one in shown]
    more = f"The first {SHOWN} of {len(findings.flagged):,}. " if len(findings.flagged) > SHOWN else ""
    page.tiles(tiles, f"{more}Given label → proposed, and by how much that is likelier.")


def _pairs(page: Page, findings: Findings) -> None:
    page.section("Classes that are taken for each other")
    pairs = Counter((one.given, one.proposed) for one in findings.flagged)
    cells = [[given, proposed, f"{n:,}", percent(n / len(findings.flagged))] for (given, proposed), n in pairs.most_common(PAIRS)]
    page.table(["given", "proposed", "rows", "of the flagged, %"], cells)
