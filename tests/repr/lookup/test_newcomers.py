"""Photographs before they are stored: what is odd about each."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.lookup import newcomers
from repr.lookup.index import Index
from repr.lookup.matches import Match
from repr.models.weights import fresh


def photograph(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def data(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    index = Index.create(tmp_path_factory.mktemp("new") / "i", weights=fresh("resnet18", 64, 0), crops=[1], device="cpu")
    index.add("tea", data(photograph(0)))
    return index


def test_what_is_odd(index: Index) -> None:
    blurred, empty = Image.linear_gradient("L").resize((64, 64)).convert("RGB"), Image.new("RGB", (64, 64), "white")
    given = [data(photograph(0)), data(blurred), data(empty), data(photograph(2)), data(photograph(2)), b"text"]
    kinds = [[finding.kind for finding in one.findings] for one in newcomers.inspect(index, given, "jam")]
    assert kinds[0] == ["doubled"] and "blurred" in kinds[1] and "empty" in kinds[2] and "doubled" not in kinds[3]
    assert kinds[4] == ["doubled"] and kinds[5] == ["unreadable"]
    twin = newcomers.inspect(index, given[:1])[0].findings[0]
    assert twin.product == "tea" and str(twin.image).startswith("index:") and twin.score == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "best, second, product, kinds",
    [
        (0.99, 0.5, "jam", ["resembles"]),
        (0.99, 0.5, "tea", []),
        (0.99, 0.95, "tea", []),
        (0.8, 0.7, "jam", []),
        (0.999, 0.5, "tea", ["doubled"]),
    ],
)
def test_like_another_product(
    index: Index, monkeypatch: pytest.MonkeyPatch, best: float, second: float, product: str, kinds: list[str]
) -> None:
    monkeypatch.setattr(index, "search", lambda *_: [[Match("tea", best, "a.png"), Match("oil", second, "b.png")]])
    assert [finding.kind for finding in newcomers.inspect(index, [data(photograph(7))], product)[0].findings] == kinds


def test_an_empty_index(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "i", weights=fresh("resnet18", 32, 0), crops=[1], device="cpu")
    assert newcomers.inspect(index, [data(photograph(3))])[0].findings == ()
