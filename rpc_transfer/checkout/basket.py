"""From a picture of a counter to the shopping list: boxes, crops, one batch of embeddings, the index, counts.

The index is that of `repr lookup`, with its learner and its judgement of what is unknown: a new product is a few images in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from PIL import Image

from repr.images.boxes import Box
from repr.images.reader import ImageLike, Unreadable, crop_square, name_of, read_image
from repr.lookup.matches import Match, MatchJson
from rpc_transfer.checkout.proposals import Proposal, propose

if TYPE_CHECKING:
    from repr.lookup.index import Index

Proposer = Callable[[Image.Image], list[Proposal]]


class ItemJson(TypedDict):
    """An item, as `predict --json` prints it."""

    box: list[float]
    score: float
    unknown: bool
    matches: list[MatchJson]


class LineJson(TypedDict):
    """A line of the list."""

    product: str
    name: str | None
    barcode: str | None
    count: int


class BasketJson(TypedDict, total=False):
    """A basket; `error` only where the picture cannot be read."""

    query: str
    width: int
    height: int
    basket: list[LineJson]
    unknown: int
    items: list[ItemJson]
    error: str


@dataclass(frozen=True)
class Item:
    """One product of a basket. score: how surely it is one product, by the boxes' own measure; matches: the best first, not empty."""

    box: Box
    score: float
    unknown: bool
    matches: tuple[Match, ...]

    @property
    def confidence(self) -> float:
        """Of box and name together, 0 to 1: what results are ordered by."""
        probability = self.matches[0].probability
        return self.score * (1.0 if probability is None else probability)

    def as_json(self) -> ItemJson:
        """As it stands in `items`."""
        matches = [match.as_json() for match in self.matches]
        return {"box": list(self.box), "score": self.score, "unknown": self.unknown, "matches": matches}


@dataclass(frozen=True)
class Line:
    """How many of one product, as its stored images name it."""

    product: str
    name: str | None
    barcode: str | None
    count: int

    def as_json(self) -> LineJson:
        """As it stands in `basket`."""
        return {"product": self.product, "name": self.name, "barcode": self.barcode, "count": self.count}


@dataclass(frozen=True)
class Basket:
    """What lies on one counter. query: the picture's path, or its place; items in the order of boxes; error: why there is no answer."""

    query: str
    size: tuple[int, int] = (0, 0)
    items: tuple[Item, ...] = ()
    error: str = ""

    @property
    def lines(self) -> list[Line]:
        """The shopping list, most first, without what is unknown."""
        known = [item.matches[0] for item in self.items if not item.unknown]
        first = {match.product: match for match in reversed(known)}
        counts = Counter(match.product for match in known)
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return [Line(product, first[product].name, first[product].barcode, count) for product, count in ordered]

    @property
    def unknown(self) -> int:
        """How many items are none of the index's products."""
        return sum(item.unknown for item in self.items)

    def as_json(self) -> BasketJson:
        """The object that stands in `results`."""
        if self.error:
            return {"query": self.query, "error": self.error}
        lines, items = [line.as_json() for line in self.lines], [item.as_json() for item in self.items]
        width, height = self.size
        return {"query": self.query, "width": width, "height": height, "basket": lines, "unknown": self.unknown, "items": items}


def baskets(pictures: Iterable[ImageLike], index: Index, *, k: int = 5, proposer: Proposer = propose) -> Iterator[Basket]:
    """The basket of each picture, one by one as they come; k products are kept for each box.

    A picture that cannot be read has an error. Raises UserError for an index without images.
    """
    for place, picture in enumerate(pictures):
        name = name_of(picture, place)
        try:
            image = read_image(picture)
        except Unreadable as error:
            yield Basket(name, error=error.reason)
            continue
        yield Basket(name, image.size, tuple(items_of(image, proposer(image), index, k)))


def items_of(image: Image.Image, proposals: list[Proposal], index: Index, k: int) -> list[Item]:
    """Name what is in the boxes, all of them in one batch."""
    if not proposals:
        return []
    crops = [crop_square(image, proposal.box) for proposal in proposals]
    answers = index.answer(index.embedder.images(crops), k)
    return [
        Item(proposal.box, proposal.score, unknown, tuple(matches))
        for proposal, (matches, unknown) in zip(proposals, answers, strict=True)
        if matches
    ]
