"""Rates by batch size."""

from __future__ import annotations

import pytest

from repr.methods.recipe import Recipe


@pytest.mark.parametrize(("rule", "expected"), [("linear", 0.05), ("sqrt", 0.1)])
def test_a_quarter_of_the_batch(rule: str, expected: float) -> None:
    recipe = Recipe("sgd", 0.2, 0.02, rule, 1e-4, 10)
    assert recipe.rate(64, from_weights=False) == pytest.approx(expected)
    assert recipe.rate(64, from_weights=True) == pytest.approx(expected / 10)
    assert recipe.rate(256, from_weights=False) == pytest.approx(0.2)
