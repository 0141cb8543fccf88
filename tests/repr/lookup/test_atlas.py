"""The map: as many images of each product as can be, like ones near."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from repr.lookup.atlas import draw, spread
from repr.lookup.store import NewImage, Product, Store


def test_every_product_before_a_second_image_of_any() -> None:
    owners = np.array([5, 5, 5, 2, 2, 9, 5])
    assert spread(owners, 3).tolist() == [0, 3, 5]
    assert spread(owners, 5).tolist() == [0, 1, 3, 4, 5]
    assert spread(owners, 99).tolist() == list(range(7)) and spread(owners[:0], 3).tolist() == []


def test_like_images_are_near(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 16)).astype(np.float32)
    with closing(Store.create(tmp_path, {})) as store:
        assert draw(store, 16).points == ()
        with store.change("build") as change:
            change.put_products([Product(str(number), category=("food",)) for number in range(3)])
            features = [centres[n % 3] + rng.standard_normal(16).astype(np.float32) / 20 for n in range(120)]
            change.add([NewImage(str(n % 3), f"{n}.png", bytes([n]), feature) for n, feature in enumerate(features)])
        atlas = draw(store, 16)
        assert (atlas.revision, atlas.images, len(draw(store, 16, most=7).points)) == (store.revision, 120, 7)
    places = np.array([(point.x, point.y) for point in atlas.points])
    owners = np.array([int(point.product.id) for point in atlas.points])
    middles = np.array([places[owners == number].mean(axis=0) for number in range(3)])
    assert (np.linalg.norm(places[:, None] - middles, axis=2).argmin(axis=1) == owners).all() and np.abs(places).max() <= 1
