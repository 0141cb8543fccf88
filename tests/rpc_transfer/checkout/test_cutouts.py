"""Cut-outs: the product alone, whole or shrunk; what cannot be cut out is told by file, and what is kept comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.images.reader import Unreadable
from rpc_transfer.checkout.cutouts import POSES, Exemplar, cut_out, read_cut_out, shapes_of, write_product


def photograph(file: Path, width: int, height: int = 40, *, colour: tuple[int, int, int] = (180, 30, 30)) -> Path:
    """A block of one colour in the middle of a grey ground of 100 × 80."""
    pixels = np.full((80, 100, 3), 150, np.uint8)
    left, top = (100 - width) // 2, (80 - height) // 2
    pixels[top : top + height, left : left + width] = colour
    Image.fromarray(pixels).save(file)
    return file


def boxed(file: Path, width: int, height: int = 40) -> Exemplar:
    return Exemplar(file, ((100 - width) / 2, (80 - height) / 2, float(width), float(height)))


def test_the_product_is_cut_out_to_its_edges(tmp_path: Path) -> None:
    made = cut_out(boxed(photograph(tmp_path / "a.png", 50), 50), "ground", 1.0)
    assert made.dtype == np.uint8 and abs(made.shape[0] - 40) <= 2 and abs(made.shape[1] - 50) <= 2
    inside = made[made[..., 3] == 255][:, :3]
    assert (np.abs(inside.astype(int) - (180, 30, 30)).max(axis=1) < 10).mean() > 0.97, "little of the ground comes along"


def test_a_shrunk_one_has_the_same_shape(tmp_path: Path) -> None:
    exemplar = boxed(photograph(tmp_path / "a.png", 50), 50)
    whole, half = cut_out(exemplar, "ground", 1.0), cut_out(exemplar, "ground", 0.5)
    assert [abs(2 * b - a) <= 1 for a, b in zip(whole.shape[:2], half.shape[:2], strict=True)] == [True, True]
    assert min(cut_out(exemplar, "ground", 0.001).shape[:2]) == 4, "never less than can be seen"


@pytest.mark.parametrize("box", [(200.0, 10.0, 20.0, 20.0), (10.0, 10.0, 0.0, 20.0), (-50.0, 0.0, 40.0, 40.0), (10.0, 10.0, 1.0, 1.0)])
def test_a_box_outside_or_of_no_size_is_unreadable(tmp_path: Path, box: tuple[float, float, float, float]) -> None:
    with pytest.raises(Unreadable, match="a box outside the image, or of no size"):
        cut_out(Exemplar(photograph(tmp_path / "a.png", 50), box), "ground", 1.0)


def test_a_box_over_the_edge_is_cut_there(tmp_path: Path) -> None:
    made = cut_out(Exemplar(photograph(tmp_path / "a.png", 50), (25.0, 20.0, 500.0, 500.0)), "ground", 1.0)
    assert made.shape[0] <= 60 and made.shape[1] <= 75


def test_polygons_say_what_the_product_is(tmp_path: Path) -> None:
    file = photograph(tmp_path / "a.png", 50)
    triangle = (30.0, 20.0, 70.0, 20.0, 30.0, 59.0)
    made = cut_out(Exemplar(file, (25.0, 20.0, 50.0, 40.0), (triangle,)), "ground", 1.0)
    assert made.shape[:2] == (40, 41) and 0.4 < (made[..., 3] == 255).mean() < 0.6 and made[0, 0, 3] == 255 and made[-1, -1, 3] == 0
    with pytest.raises(Unreadable, match="an empty mask"):
        cut_out(Exemplar(file, (25.0, 20.0, 50.0, 40.0), ((300.0, 300.0, 310.0, 300.0, 310.0, 310.0),)), "ground", 1.0)


def test_what_is_kept_comes_back_as_it_was_without_thin_poses(tmp_path: Path) -> None:
    widths = [50, 48, 46, 6]  # the last one is seen along its edge
    exemplars = [boxed(photograph(tmp_path / f"{n}.png", width), width) for n, width in enumerate(widths)]
    (tmp_path / "broken.png").write_bytes(b"no image")
    bad = write_product(tmp_path / "cut", [*exemplars, Exemplar(tmp_path / "broken.png", None)], "ground", 1.0)
    assert [Path(file).name for file, _ in bad] == ["broken.png"] and all(reason for _, reason in bad)
    assert len(shapes_of(tmp_path / "cut")) == 3
    for number, exemplar in enumerate(exemplars[:3]):
        np.testing.assert_array_equal(read_cut_out(tmp_path / "cut", number), cut_out(exemplar, "ground", 1.0))
    areas = [int((read_cut_out(tmp_path / "cut", n)[..., 3] > 127).sum()) for n in range(3)]
    assert min(areas) >= POSES * max(areas)


def test_a_product_without_a_usable_exemplar_has_none(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    bad = write_product(tmp_path / "cut", [Exemplar(tmp_path / "broken.png", None), Exemplar(tmp_path / "gone.png", None)], "ground", 1.0)
    assert len(bad) == 2 and shapes_of(tmp_path / "cut").shape == (0, 2)
    assert sorted(file.name for file in (tmp_path / "cut").iterdir()) == ["pixels.npy", "shapes.npy"]
