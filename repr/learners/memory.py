"""The exemplar memory: which images of earlier classes a trained learner keeps, and the one way to pick them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from repr.arrays import Floats, Ints, Pixels
from repr.errors import UserError
from repr.learners.arrays import by_class, unit
from repr.learners.stored import Arrays, Stored


def herd(features: Floats, count: int) -> Ints:
    """(min(count, n),) positions of the exemplars of one class, best first.

    Each next one brings the mean of those picked nearest to the mean of the class, on features of length 1
    (Rebuffi et al., iCaRL, CVPR 2017, algorithm 4). No image is picked twice. features: (n, d).
    """
    directions = unit(features).astype(np.float64)
    mean = directions.mean(axis=0)
    picked: list[int] = []
    total = np.zeros_like(mean)
    free = np.ones(len(directions), dtype=bool)
    for k in range(1, min(count, len(directions)) + 1):
        distances = ((mean - (total + directions) / k) ** 2).sum(axis=1)
        best = int(np.argmin(np.where(free, distances, np.inf)))
        picked.append(best)
        free[best] = False
        total += directions[best]
    return np.array(picked, dtype=np.int64)


class Memory:
    """Images of the classes learned, at most `capacity` (0 or more) in all, equally many a class; None keeps every one, 0 none."""

    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self._kept: dict[int, Pixels] = {}

    def contents(self) -> tuple[Pixels, Ints]:
        """All images kept, uint8 (n, s, s, 3), and their labels (n,), by class number; best exemplars first within a class."""
        if not self._kept:
            return np.zeros((0, 1, 1, 3), dtype=np.uint8), np.zeros(0, dtype=np.int64)
        labels = sorted(self._kept)
        y = np.repeat(np.array(labels, dtype=np.int64), [len(self._kept[c]) for c in labels])
        return np.concatenate([self._kept[c] for c in labels]), y

    def check_room(self, classes: int) -> None:
        """Raise UserError when there is a memory, and not room for one image of each class."""
        if self.capacity and self.capacity < classes:
            remedy = "Raise `memory`, or leave it out to keep every shot"
            raise UserError(
                f"a memory of {self.capacity} images cannot hold one of each of {classes} classes", "", remedy, argument="memory"
            )

    def replace(self, pixels: Pixels, y: Ints, embed: Callable[[Pixels], Floats]) -> None:
        """Keep the best of these images of all classes so far, and nothing else.

        pixels: uint8 (n, s, s, 3), those of `contents` first and in their order; y: (n,); embed: images → features (n, d) by
        the present encoder. A class without a new image keeps the first of what it had (iCaRL, algorithm 5), the others
        are herded.
        """
        if self.capacity == 0:
            return
        groups = list(by_class(y))
        if self.capacity is None:
            self._kept = {c: pixels[rows] for c, rows in groups}
            return
        self.check_room(len(groups))
        room = self.capacity // len(groups)
        herded = [(c, rows) for c, rows in groups if len(rows) > len(self._kept.get(c, ()))]
        picked = {c: rows[:room] for c, rows in groups}
        if herded:
            features = embed(pixels[np.concatenate([rows for _, rows in herded])])
            ends = np.cumsum([len(rows) for _, rows in herded])
            picked |= {c: rows[herd(own, room)] for (c, rows), own in zip(herded, np.split(features, ends[:-1]), strict=True)}
        self._kept = {c: pixels[rows] for c, rows in picked.items()}

    def arrays(self) -> Arrays:
        """The pixels and labels of `contents`."""
        pixels, labels = self.contents()
        return {"pixels": pixels, "labels": labels}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave. Raises UserError for arrays that do not fit."""
        labels = stored.ints("labels", None)
        pixels = stored.pixels("pixels", len(labels), None, None, 3)
        stored.require(pixels.shape[1] == pixels.shape[2], "the exemplars are not square")
        stored.require(self.capacity is None or len(labels) <= self.capacity, f"{len(labels)} exemplars, for a memory of {self.capacity}")
        self._kept = {label: pixels[rows] for label, rows in by_class(labels)}
