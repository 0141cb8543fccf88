"""What is printed: in the package's proportions, in the colours of brand and flavour, the same wherever it is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from repr.arrays import Array, Pixels
from repr.synthetic.identity import ARRANGEMENTS, EMBLEMS, LAYOUTS, MARKS, Product, skus
from repr.synthetic.labels import LONG_SIDE, Labels, draw_labels
from repr.synthetic.motifs import MOTIFS
from repr.synthetic.vocabulary import SUPERCATEGORIES

PATTERNS = sorted({pattern for supercategory in SUPERCATEGORIES for pattern in supercategory.patterns})
UPRIGHT, WIDE, SIDE = (12.0, 18.0), (20.0, 9.0), (5.0, 18.0)


def drawn(product: Product, front: tuple[float, float] = UPRIGHT) -> Labels:
    return draw_labels(product, front, SIDE)


def has(face: Pixels, colour: tuple[int, int, int]) -> int:
    """How many pixels are of exactly this colour."""
    return int((face == colour).all(axis=2).sum())


def differing(a: Array, b: Array) -> float:
    return float((a != b).any(axis=2).mean())


@pytest.fixture
def product() -> Product:
    return replace(skus(0)[30], arrangement="one", mark="disc")


@pytest.mark.parametrize(("front", "side"), [(UPRIGHT, SIDE), (WIDE, (4.0, 9.0)), ((10.0, 10.0), (10.0, 10.0))])
def test_faces_have_the_proportions_of_the_package(front: tuple[float, float], side: tuple[float, float], product: Product) -> None:
    labels = draw_labels(product, front, side)
    assert labels.front.dtype == np.uint8 and labels.front.shape == labels.back.shape
    assert max(labels.front.shape[:2]) == LONG_SIDE and max(labels.side.shape[:2]) == pytest.approx(0.6 * LONG_SIDE, abs=1)
    assert labels.front.shape[1] / labels.front.shape[0] == pytest.approx(front[0] / front[1], rel=0.02)
    assert labels.side.shape[1] / labels.side.shape[0] == pytest.approx(side[0] / side[1], rel=0.05)
    assert labels.lid.shape == (160, 160, 3)


def test_a_very_thin_face_can_be_drawn(product: Product) -> None:
    assert min(draw_labels(product, (20, 1), (1, 20)).front.shape[:2]) == 24


@pytest.mark.parametrize("category", range(1, 201, 9))
def test_the_colours_of_brand_and_flavour_are_on_it(category: int) -> None:
    product = skus(0)[category]
    labels = drawn(product)
    assert has(labels.front, product.band) > 200, "the flavour's band"
    assert has(labels.front, product.brand.accent) > 50, "the emblem"
    assert has(labels.back, product.ground) > 200 and has(labels.back, product.band) > 200
    assert has(labels.side, product.band) > 200 and has(labels.lid, product.band) > 200


def test_the_same_product_is_printed_the_same(product: Product) -> None:
    for a, b in zip(vars(drawn(product)).values(), vars(drawn(replace(product))).values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_flavour_item_and_brand_show_on_the_front(product: Product) -> None:
    front = drawn(product).front
    flavour = next(p.flavour for p in skus(0).values() if p.flavour != product.flavour)
    assert differing(front, drawn(replace(product, flavour=flavour)).front) > 0.2
    assert differing(front, drawn(replace(product, item="薯片", motif="star")).front) > 0.01
    other = next(p.brand for p in skus(0).values() if p.brand.base != product.brand.base)
    assert differing(front, drawn(replace(product, brand=other)).front) > 0.3


def test_products_of_a_brand_look_more_alike_than_those_of_others() -> None:
    """What makes the shop hard: the palette tells the brand, not the product."""
    products = [p for p in skus(0).values() if p.supercategory in ("dessert", "tissue")]
    colours = np.array([drawn(p).front.reshape(-1, 3).mean(axis=0) for p in products])
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    same = np.array([[a.brand == b.brand for b in products] for a in products])
    apart = ~np.eye(len(products), dtype=bool)
    assert distances[same & apart].mean() < 0.7 * distances[~same].mean()


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern != "plain"])
def test_every_pattern_is_drawn(pattern: str, product: Product) -> None:
    plain, patterned = (
        draw_labels(replace(product, brand=replace(product.brand, pattern=name, layout="logo top")), UPRIGHT, SIDE)
        for name in ("plain", pattern)
    )
    assert differing(plain.front, patterned.front) > 0.03


@pytest.mark.parametrize(
    ("part", "names"), [("layout", LAYOUTS), ("emblem", EMBLEMS), ("arrangement", ARRANGEMENTS), ("mark", MARKS)], ids=lambda v: str(v)[:12]
)
@pytest.mark.parametrize("front", [UPRIGHT, WIDE])
def test_every_kind_of_detail_looks_otherwise(part: str, names: tuple[str, ...], front: tuple[float, float], product: Product) -> None:
    def _front(name: str) -> Pixels:
        if part in ("layout", "emblem"):
            return drawn(replace(product, brand=replace(product.brand, **{part: name})), front).front
        return drawn(replace(product, **{part: name}), front).front

    fronts = [_front(name) for name in names]
    for i, one in enumerate(fronts):
        assert all(differing(one, other) > 0.0005 for other in fronts[i + 1 :]), names[i]


def test_every_motif_can_be_printed(product: Product) -> None:
    fronts = {name: drawn(replace(product, motif=name)).front for name in MOTIFS}
    assert len({front.tobytes() for front in fronts.values()}) == len(MOTIFS)


def test_backs_are_much_the_same(product: Product) -> None:
    """Small print and a table on light ground: with item and look alone changed, most of the back stays."""
    other = replace(product, item="薯片", motif="star", look=product.look + 1)
    assert differing(drawn(product).back, drawn(other).back) < 0.25
    assert has(drawn(product).back, (244, 243, 238)) > 0.1 * drawn(product).back[..., 0].size


@pytest.mark.parametrize("front", [UPRIGHT, WIDE])
def test_loud_products_show_their_motif_on_every_face(front: tuple[float, float], product: Product) -> None:
    """Of quiet ones back, side and lid are much alike."""
    loud, other = (vars(draw_labels(replace(product, loud=True, motif=motif), front, SIDE)) for motif in ("leaf", "star"))
    assert min(differing(loud[face], other[face]) for face in loud) > 0.05


@pytest.mark.parametrize("category", range(1, 201, 17))
def test_loud_products_keep_the_colours_of_brand_and_flavour(category: int) -> None:
    product = replace(skus(0)[category], loud=True)
    front = drawn(product).front
    assert has(front, product.band) > 200 and has(front, product.brand.accent) > 50 and has(front, product.ground) > 50


@pytest.mark.parametrize("size", [(3.0, 30.0), (30.0, 3.0), (10.0, 10.0)])
def test_the_motif_is_repeated_along_a_long_face(size: tuple[float, float], product: Product) -> None:
    """Each on a plate of its own, as large as the face is wide."""
    labels = draw_labels(replace(product, loud=True, motif="star", brand=replace(product.brand, pattern="plain")), size, SIDE)
    front = labels.front if size[1] >= size[0] else labels.front.transpose(1, 0, 2)
    ground = (front[:, front.shape[1] // 2] == product.ground).all(axis=1)
    gaps = int((np.diff(ground.astype(int)) == 1).sum())
    assert gaps >= 6 if min(size) < max(size) else gaps <= 2
