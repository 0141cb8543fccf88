"""What is asked of an index's answers, declared once: who answers, how readily it says that a photograph is not of the shop's, and how
much the search of many images may miss.

Imports nothing heavy, so that --help answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from repr.errors import UserError
from repr.learners import FROZEN, read
from repr.settings import check, setting

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class AnswerSettings:
    """The learner as typed, and the share of known photographs that are to pass as such."""

    learner: str = setting(
        AUTO,
        f"Who ranks products: {AUTO} tries several on the stored images; or {', '.join(FROZEN)}, lda-root, with settings behind a colon.",
        metavar="NAME",
        group="model",
    )
    accept: float = setting(
        0.95, "Share of known photographs not to be called unknown.", low=0, high=1, above=True, below=True, group="model"
    )

    def __post_init__(self) -> None:
        """Raise UserError for values beyond their limits."""
        check(self)

    def checked(self) -> AnswerSettings:
        """Itself. Raises UserError for an unknown learner or setting of one, and for one that trains an encoder. Imports the learner."""
        if self.learner != AUTO and read(self.learner)[0].input != "features":
            remedy = f"Choose from: {', '.join([AUTO, *FROZEN])}"
            raise UserError(f"{self.learner} trains an encoder", "", remedy, argument="learner")
        return self


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How much of what lies nearest is to be found."""

    recall: float = setting(
        0.95, "Share of the ten nearest that the search of many images has to find; 1: exact.", low=0.5, high=1, metavar="X", group="model"
    )
