"""The figures of small fixed tasks are those that were pinned: tools/golden.py computes them, tests/golden.json holds them.

To the last bit where processor and libraries are those of the file. Elsewhere sums of floats round differently: an image between two
products may then go to the other one, and where a network is trained from scratch such differences grow. The tolerances are relative to
numbers above 1. Kept from AVX2, PyTorch differed by at most 1e-15 (vectors), 0.01 (frozen weights) and 0.18 (3 of 17 images).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PINNED = json.loads((ROOT / "tests" / "golden.json").read_text(encoding="utf-8"))
TOLERANCES = {"vectors/": 0.01, "pretrain/": 0.25, "transfer/imagenet": 0.12, "transfer/none/": 0.25}  # by the beginning of a key
WITH_DATA = ("transfer",)


# The others take minutes.
@pytest.mark.parametrize("part", ["vectors", *(pytest.param(part, marks=pytest.mark.slow) for part in ("pretrain", "transfer"))])
def test_figures_are_those_pinned(part: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if part in WITH_DATA:
        request.getfixturevalue("shared")
    out = tmp_path / "golden.json"
    command = [sys.executable, ROOT / "tools" / "golden.py", out, "--part", part]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    figures = json.loads(out.read_text(encoding="utf-8"))
    pinned = {name: values for name, values in PINNED["figures"].items() if name.startswith(f"{part}/")}
    assert figures["figures"].keys() == pinned.keys()
    exact = figures["environment"] == PINNED["environment"]
    moved = {name: (now, pinned[name]) for name, now in figures["figures"].items() if not alike(name, now, pinned[name], exact=exact)}
    assert not moved


def alike(name: str, now: list[Any], then: list[Any], *, exact: bool) -> bool:
    """Whether the values of a figure are the same, or as near as can be asked for."""
    if exact:
        return now == then
    if name.endswith("/weights"):  # a digest: the same or not
        return True
    tolerance = next(value for beginning, value in TOLERANCES.items() if name.startswith(beginning))
    known = [(x, y) for x, y in zip(now, then, strict=True) if x is not None and y is not None]
    return all(abs(x - y) <= tolerance * max(1, abs(y)) for x, y in known)
