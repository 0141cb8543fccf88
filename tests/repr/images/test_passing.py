"""What could not be read for a passing reason is tried again, whatever was kept of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from repr.catalog import fingerprints, folders
from repr.images import decode, pack, reader
from repr.images.pack import make_pack
from repr.images.reader import Unreadable


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A shop of two images in tmp_path/shop, of which one may not be read until the function is called."""
    (tmp_path / "shop" / "tea").mkdir(parents=True)
    for n, colour in enumerate(("red", "blue")):
        Image.new("RGB", (20, 20), colour).save(tmp_path / "shop" / "tea" / f"{n}.png")
    state = {"refused": True}

    def read(source: object, **options: object) -> Image.Image:
        if state["refused"] and (isinstance(source, bytes) or str(source).endswith("1.png")):
            raise Unreadable("permission denied")
        return real(source, **options)  # type: ignore[arg-type]

    real = reader.read_image
    for module in (decode, pack, fingerprints):
        monkeypatch.setattr(module, "read_image", read)
    return lambda: state.update(refused=False)


@pytest.mark.parametrize("named", [False, True])
def test_a_pack_is_made_again(tmp_path: Path, refused: Callable[[], None], named: bool) -> None:
    catalog, out = folders.read(tmp_path / "shop"), tmp_path / "pack" if named else None
    for _ in range(2):
        assert [image.reason for image in make_pack(catalog, 8, out=out).quarantine] == ["permission denied"]
    refused()
    pack = make_pack(catalog, 8, out=out)
    assert len(pack) == 2 and not pack.quarantine


def test_fingerprints_are_made_again(tmp_path: Path, refused: Callable[[], None]) -> None:
    catalog = folders.read(tmp_path / "shop")
    assert (fingerprints.fingerprints(catalog).content < 0).all()
    refused()
    assert (fingerprints.fingerprints(catalog).content >= 0).all()
    assert (fingerprints.fingerprints(catalog).content >= 0).all()
