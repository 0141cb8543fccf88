"""Hostile uploads: each gets a clean 4xx, before anything is decoded, and the next photograph is answered."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from repr.lookup.index import Index
from repr.server.photographs import wrong_with
from repr.server.settings import MB, Limits
from tests.repr.server.shop import Open, encoded, files, photograph, pixels

RAW = {"Content-Type": "application/octet-stream"}


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says of itself how large it is, with whatever data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header was changed to say so."""
    data = bytearray(encoded(pixels(0), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def moving(kind: str) -> bytes:
    first, *others = [Image.fromarray(pixels(seed)) for seed in range(3)]
    stream = io.BytesIO()
    first.save(stream, kind, save_all=True, append_images=others)
    return stream.getvalue()


WHOLE = encoded(pixels(0, 200), "JPEG")
HOSTILE = {
    "a bomb": (png_of(50_000, 50_000, zlib.compress(bytes(10**6))), 413),
    "over 30 megapixels": (png_of(6000, 5001), 413),
    "65,535 px": (jpeg_of(65_535, 65_535), 413),
    "65,535 px on one side": (jpeg_of(65_535, 8), 413),
    "text": (b"hello", 415),
    "a page": (b"<html><script>alert(1)</script>", 415),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 415),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415),
    "zip": (b"PK\x03\x04" + bytes(100), 415),
    "animated GIF": (moving("GIF"), 422),
    "animated PNG": (moving("PNG"), 422),
    "animated WebP": (moving("WEBP"), 422),
    "pages of TIFF": (moving("TIFF"), 422),
    "truncated": (WHOLE[: len(WHOLE) // 2], 422),
    "its header alone": (WHOLE[:30], 422),
    "no pixels": (png_of(0, 0), 415),
    "half a PNG": (photograph(0)[:200], 422),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_clean_answer(name: str, client: TestClient) -> None:
    data, status = HOSTILE[name]
    for given in ({"files": files(data)}, {"content": data, "headers": RAW}):
        told = client.post("/v1/lookup", **given)  # type: ignore[arg-type]
        assert told.headers["content-type"] == "application/problem+json" and told.json()["remedy"]
        assert 400 <= told.status_code < 500 and (told.status_code == status or name == "no pixels")
    assert client.post("/v1/lookup", files=files(photograph(0))).status_code == 200


def test_pixels_are_told_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def _no(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", _no)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", _no)
    limits = Limits()
    for name in ("a bomb", "over 30 megapixels", "65,535 px", "text"):
        found = wrong_with(HOSTILE[name][0], limits)
        assert found is not None and found.status == HOSTILE[name][1]
    assert wrong_with(png_of(6000, 5000), limits) is None


def test_bodies_that_are_too_long(index: Index, opened: Open) -> None:
    client = opened(index, limits=Limits(max_mb=0.5))
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    assert client.post("/v1/lookup", files=files(encoded(noise))).json()["detail"].startswith("1,0")
    huge = bytes(100 * MB)
    for told in (
        client.post("/v1/lookup", content=huge, headers=RAW),
        client.post("/v1/lookup", content=(huge[start : start + MB] for start in range(0, len(huge), MB)), headers=RAW),
        client.post("/v1/lookup", files=files(huge)),
    ):
        assert (told.status_code, told.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize(
    "given, status",
    [
        ({}, 415),
        ({"json": {"image": "x"}}, 415),
        ({"content": b"", "headers": RAW}, 422),
        ({"data": {"image": "text"}, "files": {"x": (None, "y")}}, 422),
        ({"files": [("photo", ("a.png", photograph(0)))]}, 422),
        ({"files": files(b"")}, 422),
        ({"content": b"nothing of the kind", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"files": files(*[b"x"] * 65)}, 400),
    ],
)
def test_bodies_that_hold_no_photograph(given: dict[str, object], status: int, client: TestClient) -> None:
    told = client.post("/v1/lookup", **given)  # type: ignore[arg-type]
    assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json"), told.text


def test_names_of_files_are_only_shown(client: TestClient) -> None:
    for name in ("../../etc/passwd", "C:\\boot.ini", "a\x00b.png", "x" * 5000, ""):
        told = client.post("/v1/lookup", files=[("image", (name, photograph(0)))])
        if told.status_code == 200:
            query = told.json()["results"][0]["query"]
            assert "/" not in query and "\\" not in query and len(query) <= 200
        else:
            assert told.status_code in (400, 422)


def test_what_phones_send_is_taken(client: TestClient) -> None:
    image = Image.fromarray(pixels(0))
    second = io.BytesIO()
    image.save(second, "MPO", save_all=True, append_images=[image])
    for data in (second.getvalue(), encoded(image, "HEIF"), encoded(image, "WEBP"), encoded(image, "GIF")):
        assert client.post("/v1/lookup", files=files(data)).status_code == 200
