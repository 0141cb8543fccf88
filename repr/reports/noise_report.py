"""The page of `repr classify noise find`: the rows whose labels look most wrong, with their images and titles."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from repr.classify.noise import FLAGGED, Found
from repr.commands import command_line
from repr.evaluation.words import percent
from repr.reports.page import Page
from repr.reports.sheet import SheetRow

SHOWN = 60  # rows with their images
PAIRS = 15  # of classes
TITLE = 60  # letters of a title


def write(found: Found, out: Path) -> Path:
    """Write report.html into the folder."""
    page = Page(f"Labels that look wrong in {found.catalog.name}", found.catalog.synthetic)
    page.text(f"{found.words} Every row was judged by a model of the other {found.folds - 1} of {found.folds} folds.")
    page.text(f"What is dropped stands in `{FLAGGED}`, in the column drop: edit it, and take the rows out by:")
    page.code(command_line("repr classify noise apply", out, out="pruned.parquet"))
    if found.flagged:
        _worst(page, found)
        _pairs(page, found)
    return page.write(out / "report.html")


def _worst(page: Page, found: Found) -> None:
    page.section("Worst first")
    files, titles = found.catalog.files(), found.catalog.table["title"]
    rows = [
        SheetRow(files[one.row], f"{one.given} → {one.proposed}, {one.margin:.2f}. {(titles[one.row].as_py() or '')[:TITLE]}", [])
        for one in found.flagged[:SHOWN]
    ]
    more = f"The first {SHOWN} of {len(found.flagged):,}. " if len(found.flagged) > SHOWN else ""
    page.neighbours(rows, f"{more}Given label → proposed, and by how much that is likelier.")


def _pairs(page: Page, found: Found) -> None:
    page.section("Classes that are taken for each other")
    pairs = Counter((one.given, one.proposed) for one in found.flagged)
    cells = [[given, proposed, f"{n:,}", percent(n / len(found.flagged))] for (given, proposed), n in pairs.most_common(PAIRS)]
    page.table(["given", "proposed", "rows", "of the flagged, %"], cells)
