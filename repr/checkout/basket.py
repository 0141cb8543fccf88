"""From an image of a counter to the shopping list: boxes, crops, one batch of embeddings, the index, counts.

The index is that of `repr lookup`, with its learner and its judgement of what is unknown: a new product is a few images in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from PIL import Image

from repr.checkout.proposal import Proposal, Proposer
from repr.errors import UserError
from repr.images.boxes import Box
from repr.images.reader import ImageLike, Unreadable, crop_square, name_of, read_image
from repr.lookup.matches import Match, MatchJson

if TYPE_CHECKING:
    from repr.lookup.photographs import Lookup


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
    """A basket; `error` only where the image cannot be read."""

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
    """What lies on one counter. query: the image's path, or its place; items in the order of boxes; error: why there is no answer."""

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


def baskets(
    images: Iterable[ImageLike], index: Lookup | None, proposer: Proposer, *, k: int = 5, threshold: float | None = None
) -> Iterator[Basket]:
    """The basket of each image, one by one as they come; k products are kept for each box.

    index: None for the names that the detector has itself. threshold: as for `named`. An image that cannot be read has an error. Raises
    UserError for an index without images, and a detector without names.
    """
    for place, source in enumerate(images):
        name = name_of(source, place)
        try:
            image = read_image(source)
        except Unreadable as error:
            yield Basket(name, error=error.reason)
            continue
        proposals = proposer(image)
        items = _by_detector(proposals, threshold) if index is None else named(image, proposals, index, k, threshold)
        yield Basket(name, image.size, tuple(items))


def named(image: Image.Image, proposals: Sequence[Proposal], index: Lookup, k: int = 5, threshold: float | None = None) -> list[Item]:
    """Name what is in boxes of an upright RGB image, all of them in one batch; k products are kept for each.

    threshold: the confidence below which an item is unknown; None for what the index says, whose own threshold is of photographs like
    those that it stores: on a counter, which they are not of, it calls many unknown that it names rightly.
    """
    crops = [crop_square(image, proposal.box) for proposal in proposals]
    answers = index.lookup(crops, k) if crops else []
    if not all(answer.matches for answer in answers):
        raise UserError("the index holds no image", "", "Store some first")
    pairs = zip(proposals, answers, strict=True)
    items = [Item(proposal.box, proposal.score, bool(answer.unknown), answer.matches) for proposal, answer in pairs]
    return [_judged(item, threshold) for item in items]


def _by_detector(proposals: Sequence[Proposal], threshold: float | None) -> list[Item]:
    if any(not one.product for one in proposals):
        raise UserError("the detector has no names of its own", "", "Give an index, or a detector that was trained with a class a product")
    items = [Item(one.box, one.score, False, (Match(one.product, one.score, ""),)) for one in proposals]
    return [_judged(item, threshold) for item in items]


def _judged(item: Item, threshold: float | None) -> Item:
    return item if threshold is None else replace(item, unknown=item.confidence < threshold)
