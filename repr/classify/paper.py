"""What the papers print, to stand beside our rows: the package's own file, or one of the user's.

The package's figures are those of Liu, Chen, Du, Gao and Xu, Pattern Recognition 140 (2023) 109519, its tables 4, 5, 6 and 8. It
does not say which averages its AP and F1 are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repr.catalog import sheet
from repr.classify.settings import RowConfig
from repr.errors import UserError

METRICS = ("top1", "top5", "ap", "f1")
COLUMNS = ("table", "row", "level", *METRICS, "source")


@dataclass(frozen=True)
class Printed:
    """What a paper prints of one row: fractions 0-1, None for what it does not say."""

    top1: float
    top5: float | None = None
    ap: float | None = None
    f1: float | None = None
    source: str = ""


Paper = Mapping[tuple[str, str, int], Printed]  # by table, row and level


def read_paper(file: str) -> Paper:
    """What a paper prints, from a CSV with COLUMNS; "" for the package's own.

    row: model, hierarchy and part, those that there are, with blanks between ("bert coarse-to-fine"); the metrics are fractions, those
    behind top1 may be empty or lacking. Raises UserError with the row that is wrong.
    """
    path = Path(file) if file else Path(__file__).with_name("paper.csv")
    if not path.is_file():
        raise UserError("there is no such file", path, f"Give a CSV with the columns {', '.join(COLUMNS)}")
    printed: dict[tuple[str, str, int], Printed] = {}
    for row, entry in sheet.read(path, lambda header: "table" in header).rows:
        where = f"{path}, row {row}"
        try:
            key = entry["table"], entry["row"], int(entry["level"])
            numbers = {name: float(entry[name]) for name in METRICS if name == "top1" or entry.get(name)}
        except (KeyError, ValueError):
            raise UserError(f"not a row of {', '.join(COLUMNS)}", where, "Mend the row") from None
        for number in numbers.values():
            if not 0 <= number <= 1:
                raise UserError(f"a rate of {number:g}", where, "Give fractions, 0 to 1")
        printed[key] = Printed(**numbers, source=entry.get("source", ""))
    return printed


def of_paper(number: str, rows: Sequence[RowConfig], paper: Paper) -> tuple[Printed | None, ...]:
    """What the paper prints of each row of a table, None of those that are ours.

    The paper's rows read whole titles without OCR text and know all labels: others are none of its rows.
    """
    return tuple(
        paper.get((number, " ".join(filter(None, [row.model, row.hierarchy, row.part])), row.level))
        if not row.masked and "ocr" not in row.modality and row.fine_share == 1
        else None
        for row in rows
    )
