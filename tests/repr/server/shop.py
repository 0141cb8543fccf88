"""Photographs and a small index of them, for the tests of the service."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from repr.lookup.index import Index
from repr.models.weights import fresh

READ, WRITE = "reading-0123456789", "writing-0123456789"
AS_WRITER = {"Authorization": f"Bearer {WRITE}"}
Open = Callable[..., TestClient]


def pixels(seed: int, side: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def encoded(image: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def photograph(seed: int) -> bytes:
    return encoded(pixels(seed))


def files(*data: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{number}.png", one)) for number, one in enumerate(data)]


def fill(folder: Path) -> Index:
    """tea and jam of two images each, oil of one."""
    for seed, name in enumerate(["tea/a.png", "tea/b.png", "jam/a.png", "jam/b.png", "oil/a.png"]):
        file = folder / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photograph(seed))
    return Index.create(folder / "index", weights=fresh("resnet18", 32, 0), data=folder / "shop", crops=[1], device="cpu")
