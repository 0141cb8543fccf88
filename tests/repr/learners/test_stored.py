from __future__ import annotations

import numpy as np
import pytest

from repr.errors import UserError
from repr.learners.stored import Stored, under


@pytest.fixture
def stored() -> Stored:
    arrays = {"rows": np.zeros((3, 2), np.float32), "of": np.array(4), "part": np.array(0.5), "seen": np.zeros(2, np.uint8)}
    return Stored({**arrays, **under("means", {"counts": np.array([1, 2]), "total": np.array([0.5])})}, "shop.safetensors")


def test_arrays_are_taken_by_kind_and_shape(stored: Stored) -> None:
    assert stored.floats("rows", None, 2).shape == stored.floats("rows", 3, None).shape == (3, 2)
    assert stored.whole("of") == 4 and stored.number("part") == 0.5 and stored.pixels("seen", 2).tolist() == [0, 0]
    means = stored.below("means")
    assert "counts" in means and "counts" not in stored and means.ints("counts", None).tolist() == [1, 2]
    assert means.doubles("total", 1).tolist() == [0.5]
    stored.finish()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("row", (3, 2), "there is no array row"),
        ("rows", (3,), r"rows is float32 \(3, 2\), not float32 \(3\)"),
        ("rows", (None, 5), r"rows is float32 \(3, 2\), not float32 \(any, 5\)"),
        ("of", (), r"of is int64 \(\), not float32 \(\)"),
    ],
)
def test_others_are_refused_with_the_place(stored: Stored, name: str, shape: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(UserError, match=rf"^shop.safetensors: (the array )?{message}.*Fetch the file again"):
        stored.floats(name, *shape)


def test_what_nobody_took_is_named(stored: Stored) -> None:
    stored.floats("rows", 3, 2), stored.whole("of"), stored.number("part"), stored.pixels("seen", 2)
    stored.below("means").doubles("total", 1)
    with pytest.raises(UserError, match="nothing is known of the array means/counts"):
        stored.finish()


def test_arrays_that_do_not_go_together(stored: Stored) -> None:
    stored.require(True, "never said")
    with pytest.raises(UserError, match=r"shop.safetensors: more halves than classes"):
        stored.below("means").require(False, "more halves than classes")
