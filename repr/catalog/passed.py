"""What lay among the data and is not in the catalog: counted by reason, with some names, so that nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypedDict

EXAMPLES = 5  # names kept of each reason
CLOSED = "folders that cannot be opened"  # begins the reason, why stands behind it
SYSTEM = "hidden files, and what systems and file servers put beside images"


class PassedOverJson(TypedDict):
    """One reason, as every command's JSON has it in the list `passed_over`."""

    reason: str
    count: int
    examples: list[str]


@dataclass(frozen=True)
class PassedOver:
    """Why things are not in the catalog, how many they are (1 or more), and the first EXAMPLES of them by name."""

    reason: str
    count: int
    examples: tuple[str, ...]

    def as_json(self) -> PassedOverJson:
        """The object that stands in `passed_over`."""
        return {"reason": self.reason, "count": self.count, "examples": list(self.examples)}

    def line(self) -> str:
        """The same in words."""
        more = ", …" if self.count > len(self.examples) else ""
        return f"passed over {self.count:,}, {self.reason}: {', '.join(self.examples)}{more}"


@dataclass
class Tally:
    """Counts what is passed over while a source is read."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str, count: int = 1) -> None:
        """Count `name`, or `count` things of which it is one; none for a count of 0."""
        if count < 1:
            return
        self.counts[reason] = self.counts.get(reason, 0) + count
        known = self.examples.setdefault(reason, [])
        if len(known) < EXAMPLES:
            known.append(name)

    def list(self) -> tuple[PassedOver, ...]:
        """What was counted, in the order in which the reasons came up."""
        return tuple(PassedOver(reason, count, tuple(self.examples[reason])) for reason, count in self.counts.items())


def summed(lists: Iterable[Iterable[PassedOver]]) -> tuple[PassedOver, ...]:
    """The sums by reason over several sources."""
    tally = Tally()
    for each in lists:
        for one in each:
            tally.counts[one.reason] = tally.counts.get(one.reason, 0) + one.count
            known = tally.examples.setdefault(one.reason, [])
            known += one.examples[: EXAMPLES - len(known)]
    return tally.list()
