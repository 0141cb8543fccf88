"""What is said of data as they are read: their notes, and what lay among them and was passed over."""

from __future__ import annotations

import logging
from typing import Protocol

from repr.catalog.passed import SYSTEM, PassedOver
from repr.images.sniff import NOT_IMAGES

log = logging.getLogger(__name__)

QUIET = frozenset({SYSTEM, NOT_IMAGES})  # what nobody misses among images


class Announced(Protocol):
    """What a reader has to say."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know."""

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """What lay among the data and was not read."""


def announce(catalog: Announced) -> None:
    """Say the catalog's notes and what was passed over; as a warning where it is more than what systems put beside images."""
    for note in catalog.notes:
        log.info(f"Note: {note}.")
    for one in catalog.passed_over:
        level = logging.INFO if one.reason in QUIET else logging.WARNING
        log.log(level, f"P{one.line()[1:]}.", extra={"passed_over": one.as_json()})  # in their JSON, too, for programs that attach
