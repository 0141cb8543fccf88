from __future__ import annotations

import pytest

from repr.crops import WHOLE, checked, suffix, typed
from repr.errors import UserError


def test_crops_are_each_once_the_whole_image_first() -> None:
    assert checked([0.5, 1, 0.5]) == (1.0, 0.5) and checked((0.1,)) == (0.1,)
    assert typed(checked([0.25, 1])) == "1,0.25"
    assert suffix((1.0, 0.5)) == ", crops 1,0.5" and suffix(WHOLE) == suffix([1.0]) == ""


@pytest.mark.parametrize("crops", [(), (0,), (1.01,), (float("nan"),), (-0.5, 1), (0.09,)])
def test_what_makes_no_sense_is_refused(crops: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"make no sense.*from 0\.1 to 1"):
        checked(crops)
