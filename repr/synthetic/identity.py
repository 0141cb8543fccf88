"""Who a product is: brand, item, flavour and the small things that tell it from its neighbours on the shelf.

A brand fixes palette, emblem, pattern and layout; a SKU adds item (its motif) and flavour (its colour band). So two SKUs of one
brand share most of their look, which is what makes the shop hard. MEP-3M's products come from the same brands but are never
one of the 200 SKUs.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from repr.synthetic.colours import Colour, colour
from repr.synthetic.vocabulary import FLAVOURS, FORMS, SUB_CLASSES, SUPERCATEGORIES, Form, SubClass, Supercategory

LAYOUTS = ("logo top", "logo left", "band middle", "diagonal", "frame")
EMBLEMS = ("ellipse", "shield", "ribbon", "disc", "hexagon", "plate")
BRANDS_A_SUPERCATEGORY = 4
_FIRST, _MIDDLE, _LAST = "云禾麦稻星月晨青悦乐橙松竹溪岚帆", "小満里间上边见知有吾半又", "屋坊集社铺仓舍园匠记"


@dataclass(frozen=True)
class Brand:
    """What all products of a maker share."""

    name: str
    base: Colour
    second: Colour
    accent: Colour
    ink: Colour
    emblem: str
    pattern: str
    layout: str


@dataclass(frozen=True)
class Product:
    """One product as it can be drawn. `look` seeds what is only decoration; `emblem_mark` is the small seal near the edge."""

    supercategory: str
    brand: Brand
    form_name: str
    item: str
    motif: str
    flavour: str
    arrangement: str  # of the motif: one, pair, ring, row, scatter
    mark: str  # the seal's shape
    scale: float  # of the package against its form's size
    amount: str
    look: int
    loud: bool = False  # printed to be told from afar: the motif large, and on every face

    @property
    def form(self) -> Form:
        """The package that it comes in."""
        return FORMS[self.form_name]

    @property
    def band(self) -> Colour:
        """The colour that stands for its flavour."""
        return colour(*FLAVOURS[self.flavour])

    @property
    def ground(self) -> Colour:
        """The brand's base colour, leaning towards the flavour's, as bright and as full as the brand's."""
        mixed = [0.5 * b + 0.5 * f for b, f in zip(self.brand.base, self.band, strict=True)]
        hue = colorsys.rgb_to_hsv(*mixed)[0]
        _, saturation, value = colorsys.rgb_to_hsv(*self.brand.base)
        return colour(hue, saturation * 0.95, value / 255)

    @property
    def size(self) -> tuple[float, float, float]:
        """Width, height, depth in centimetres."""
        width, height, depth = self.form.size
        return width * self.scale, height * self.scale, depth * self.scale

    @property
    def title(self) -> str:
        """The name on the shelf label."""
        return f"{self.brand.name}{self.flavour}味{self.item}{self.amount}"


ARRANGEMENTS = ("one", "pair", "ring", "row", "scatter")
MARKS = ("disc", "star", "square", "flag", "none")


@cache
def brands(seed: int) -> dict[str, tuple[Brand, ...]]:
    """The brands of every supercategory, the same in both parts of the shop."""
    rng = np.random.default_rng([seed, 1])
    taken: set[str] = set()
    return {
        supercategory.name: tuple(_brand(supercategory, number, rng, taken) for number in range(BRANDS_A_SUPERCATEGORY))
        for supercategory in SUPERCATEGORIES
    }


def _brand(supercategory: Supercategory, number: int, rng: np.random.Generator, taken: set[str]) -> Brand:
    name = ""
    while not name or name in taken:
        name = "".join(str(rng.choice(list(letters))) for letters in (_FIRST, _MIDDLE, _LAST))
    taken.add(name)
    hue = supercategory.hues[number % len(supercategory.hues)] + rng.uniform(-0.02, 0.02)
    saturation, value = supercategory.tone[0] + rng.uniform(-0.1, 0.1), supercategory.tone[1] + rng.uniform(-0.08, 0.05)
    dark = colour(hue + rng.choice([0.0, 0.5, 0.62]), 0.85, 0.32)
    return Brand(
        name=name,
        base=colour(hue, saturation, value),
        second=colour(hue + rng.uniform(-0.04, 0.04), saturation * 0.35, min(1.0, value + 0.25)),
        accent=colour(hue + rng.choice([0.12, 0.42, 0.5, 0.88]), 0.85, 0.85),
        ink=dark if rng.random() < 0.5 else (250, 250, 246),
        emblem=EMBLEMS[int(rng.integers(len(EMBLEMS)))],
        pattern=supercategory.patterns[number % len(supercategory.patterns)],
        layout=LAYOUTS[int(rng.integers(len(LAYOUTS)))],
    )


def _draw(
    supercategory: Supercategory, brand: Brand, forms: tuple[str, ...], items: list[tuple[str, str]], flavour: str, rng: np.random.Generator
) -> Product:
    form_name = forms[int(rng.integers(len(forms)))]
    item, motif = items[int(rng.integers(len(items)))]
    scale = float(rng.uniform(0.86, 1.12))
    width, height, depth = FORMS[form_name].size
    volume = width * height * depth * scale**3
    amount = (
        "1件"
        if supercategory.unit == "件"
        else f"{max(1, round(volume * (0.16 if supercategory.unit == 'g' else 0.75) / 5)) * 5}{supercategory.unit}"
    )
    return Product(
        supercategory=supercategory.name,
        brand=brand,
        form_name=form_name,
        item=item,
        motif=motif,
        flavour=flavour,
        arrangement=ARRANGEMENTS[int(rng.integers(len(ARRANGEMENTS)))],
        mark=MARKS[int(rng.integers(len(MARKS)))],
        scale=scale,
        amount=amount,
        look=int(rng.integers(2**31)),
    )


@cache
def skus(seed: int, loud: bool = False) -> dict[int, Product]:
    """The 200 SKUs by category id. A brand keeps to two forms; its SKUs differ in flavour, that is in colour, while flavours last.

    loud: the same products, printed to be told from afar.
    """
    if loud:
        return {category: replace(product, loud=True) for category, product in skus(seed).items()}
    products: dict[int, Product] = {}
    for supercategory in SUPERCATEGORIES:
        rng = np.random.default_rng([seed, 2, supercategory.ids[0]])
        makers = brands(seed)[supercategory.name]
        used: dict[str, list[str]] = {maker.name: [] for maker in makers}
        for number, category in enumerate(supercategory.ids):
            maker = makers[number % len(makers)]
            start = makers.index(maker)
            forms = (supercategory.forms[start % len(supercategory.forms)], supercategory.forms[(start + 1) % len(supercategory.forms)])
            fresh = [flavour for flavour in supercategory.flavours if flavour not in used[maker.name][-len(supercategory.flavours) + 1 :]]
            flavour = str(rng.choice(fresh))
            used[maker.name].append(flavour)
            products[category] = _draw(supercategory, maker, forms, list(supercategory.items), flavour, rng)
    return dict(sorted(products.items()))


def web_product(sub_class: SubClass, seed: int, rng: np.random.Generator) -> Product:
    """A product of a MEP-3M sub-class: the brands and words of its supercategories, but none of the 200 SKUs."""
    supercategories = {supercategory.name: supercategory for supercategory in SUPERCATEGORIES}
    keys = _taken(seed)
    while True:
        supercategory = supercategories[sub_class.supercategories[int(rng.integers(len(sub_class.supercategories)))]]
        makers = brands(seed)[supercategory.name]
        items = [pair for pair in supercategory.items if not sub_class.items or pair[0] in sub_class.items]
        maker = makers[int(rng.integers(len(makers)))]
        product = _draw(supercategory, maker, sub_class.forms or supercategory.forms, items, str(rng.choice(supercategory.flavours)), rng)
        if (product.brand.name, product.item, product.flavour) not in keys:
            return product


@cache
def _taken(seed: int) -> frozenset[tuple[str, str, str]]:
    return frozenset((p.brand.name, p.item, p.flavour) for p in skus(seed).values())


def sub_class(number: int) -> SubClass:
    """The sub-class with this id."""
    return next(s for s in SUB_CLASSES if s.id == number)
