"""What `repr classify` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from repr.classify.summary import ClassifyRow
from repr.classify.tables import TITLES
from repr.experiments.document import Document
from repr.models.names import weights_names


@dataclass(frozen=True)
class Answer:
    """What was found. document: its "about" holds, of a table, the "table"'s number and what the paper prints for each row:
    "paper_top1" and so on, fractions, None for rows of ours and for what it does not say.
    rows: those of the document, typed, with their trials. number: of the table, "" for a grid. out: the run folder, or None."""

    document: Document
    rows: tuple[ClassifyRow, ...]
    number: str = ""
    out: Path | None = None

    @property
    def title(self) -> str:
        """What was run, in words."""
        return TITLES[self.number] if self.number else "Classification"

    @property
    def papers(self) -> tuple[float | None, ...]:
        """What the paper prints as each row's top-1, a fraction; None of rows of ours."""
        printed = self.document.about.get("paper_top1")
        rates = printed if isinstance(printed, tuple) else ()
        return tuple(value if isinstance(value, float) else None for value in rates) or (None,) * len(self.rows)

    @cached_property
    def weights(self) -> dict[str, str]:
        """Short names for the weights of the rows."""
        return weights_names(row.config.weights for row in self.rows if row.config.weights)
