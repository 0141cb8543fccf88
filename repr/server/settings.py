"""What a service is told: where it listens, and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass

from repr.settings import check, setting

MB = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a service takes, and how long; whatever is beyond gets an answer that says so."""

    max_mb: float = setting(20.0, "Largest photograph, in MiB; a request holds up to four of these.", low=0, above=True, group="data")
    max_megapixels: float = setting(
        30.0, "Largest photograph, in millions of pixels, told before it is decoded.", low=0, above=True, group="data"
    )
    max_photographs: int = setting(64, "Photographs a request.", low=1, high=1024, group="data")
    queue: int = setting(256, "Photographs that wait at a time; more are sent away for a while (429).", low=1, group="machine")
    batch: int = setting(64, "Photographs of several requests that share a forward pass, at most.", low=1, high=1024, group="machine")
    timeout: float = setting(30.0, "Seconds until a request is given up (504).", low=0, above=True, group="machine")

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits."""
        check(self)

    @property
    def photograph_bytes(self) -> int:
        """Of one photograph."""
        return int(self.max_mb * MB)

    @property
    def body_bytes(self) -> int:
        """Of all of a request."""
        return 4 * self.photograph_bytes + MB

    @property
    def pixels(self) -> int:
        """Of one photograph."""
        return int(self.max_megapixels * 1e6)
