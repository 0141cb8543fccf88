from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from PIL import Image

from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.images.decode import decode
from repr.images.reader import read_image, square


@pytest.mark.parametrize("workers", [0, 1, 2, 5, None])
@pytest.mark.parametrize("start", [0, 71, 149, 150])
def test_all_images_come_in_order_whoever_decodes(shelf: Catalog, greys: np.ndarray[Any, Any], workers: int | None, start: int) -> None:
    chunks = list(decode(shelf.files(), None, 8, workers=workers, start=start))
    positions = [int(p) for chunk in chunks for p in chunk.positions]
    assert positions == [g for g in greys.tolist() if g >= start]
    pixels = np.concatenate([chunk.pixels for chunk in chunks]) if chunks else np.empty((0, 8, 8, 3))
    assert pixels.shape == (len(positions), 8, 8, 3)
    assert np.array_equal(pixels[:, 4, 4, 0], positions)
    bad = [entry for chunk in chunks for entry in chunk.bad]
    assert [position for position, _ in bad] == [b for b in (3, 70, 149) if b >= start]
    assert all(reason for _, reason in bad)


def test_it_equals_the_reader_with_boxes_and_fits(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    files, boxes = [], [None, (5.0, 5.0, 20.0, 10.0), (500.0, 0.0, 5.0, 5.0)]
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        files.append(tmp_path / f"{i}.png")
    whole, boxed, outside = decode(files, boxes, 16, fit="pad", margin=0.5, workers=0)  # few images: one a chunk
    assert whole.positions.tolist() == [0] and boxed.positions.tolist() == [1] and outside.positions.tolist() == []
    assert np.array_equal(whole.pixels[0], square(read_image(files[0]), 16, "pad"))
    assert np.array_equal(boxed.pixels[0], square(read_image(files[1], box=boxes[1], margin=0.5), 16, "pad"))
    assert outside.bad[0][0] == 2 and "no part in the image" in outside.bad[0][1]


def test_images_of_every_kind_are_decoded_alike(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    file = tmp_path / "p.png"
    sources = [file, str(file), file.read_bytes(), b"no image", Image.fromarray(pixels), pixels]
    for workers in (0, 2):
        chunks = list(decode(sources, None, 16, workers=workers))
        assert [int(p) for chunk in chunks for p in chunk.positions] == [0, 1, 2, 4, 5]
        squares = np.concatenate([chunk.pixels for chunk in chunks])
        assert (squares == square(read_image(file), 16)).all()
        assert [entry for chunk in chunks for entry in chunk.bad] == [(3, "not an image, or broken at its start (begins with b'no image')")]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_no_image_ends_it(workers: int) -> None:
    with pytest.raises(UserError, match="given as float"):
        list(decode([np.zeros((4, 4, 3), np.uint8)] * 9 + [0.5], None, 8, workers=workers))  # type: ignore[list-item]


def test_a_reader_who_stops_early_stops_the_work(shelf: Catalog) -> None:
    first = list(islice(decode(shelf.files(), None, 8, workers=2), 1))
    assert first[0].positions[0] == 0
