"""Look-alikes: re-saved images are found, other products of the same shape are not; candidates against all pairs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from repr.catalog import fingerprints, folders
from repr.catalog.table import Catalog
from repr.images import reader


def tree(root: Path) -> Catalog:
    return folders.read(root)


def test_resaved_images_are_near_and_identical_files_share_their_content(shared: Path, tmp_path: Path) -> None:
    sources = sorted((shared / "freiburg").glob("*/*0000.jpg"))[:12]
    (tmp_path / "a").mkdir()
    for n, source in enumerate(sources):
        with Image.open(source) as image:
            image.load()
        (tmp_path / "a" / f"{n}-first.jpg").write_bytes(source.read_bytes())
        image.resize((120, 120), Image.Resampling.LANCZOS).save(tmp_path / "a" / f"{n}-small.jpg", quality=80)
        (tmp_path / "a" / f"{n}-copy.jpg").write_bytes(source.read_bytes())
    data = tree(tmp_path)
    names = [path.removesuffix(".jpg") for path in data.column("path")]
    prints = fingerprints.fingerprints(data)
    for n in range(len(sources)):
        assert prints.content[names.index(f"a/{n}-first")] == prints.content[names.index(f"a/{n}-copy")]
    found = {tuple(sorted((names[a].split("-")[0], names[b].split("-")[0]))) for a, b in fingerprints.near_pairs(prints)}
    assert all(a == b for a, b in found)
    assert len(found) >= 11


def test_candidates_are_all_pairs_within_the_bits(shared: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**63, (60, 4), dtype=np.uint64)
    bits = np.repeat(base, 4, axis=0)
    for row in bits:
        for bit in rng.choice(256, rng.integers(0, 6), replace=False):
            row[bit // 64] ^= np.uint64(1 << int(bit % 64))
    bits = bits[np.lexsort(bits.T)]
    apart = np.array([[sum(int(x).bit_count() for x in a ^ b) for b in bits] for a in bits])
    expected = {(a, b) for a in range(len(bits)) for b in range(a + 1, len(bits)) if apart[a, b] <= fingerprints.BITS}
    assert {tuple(pair) for pair in fingerprints._alike(bits).tolist()} == expected


def test_unreadable_and_missing_images(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"no image")
    Image.new("L", (5, 5), 7).save(tmp_path / "a" / "2.png")
    data = tree(tmp_path)
    (tmp_path / "a" / "2.png").rename(tmp_path / "a" / "3.png")
    prints = fingerprints.fingerprints(data)
    assert prints.content.tolist() == [-1, -1]
    assert fingerprints.near_pairs(prints).shape == (0, 2)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_every_mode_of_image(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (30, 20))
    file = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    image.save(file)
    bits, thumb = fingerprints.look(file)
    assert bits.shape == (4,) and thumb.shape == (16, 16, 3)


def test_the_cache_notices_a_changed_image(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for n, colour in enumerate(("red", "blue")):
        Image.new("RGB", (30, 30), colour).save(tmp_path / "a" / f"{n}.png")
    before = fingerprints.fingerprints(tree(tmp_path)).content.tolist()
    Image.new("RGB", (30, 30), "red").save(tmp_path / "a" / "1.png")
    after = fingerprints.fingerprints(tree(tmp_path)).content.tolist()
    assert (len(set(before)), len(set(after))) == (2, 1)


def test_stopped_it_does_not_go_through_the_rest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    for n in range(300):
        Image.new("L", (8, 8), n % 256).save(tmp_path / "a" / f"{n}.png")
    seen = []

    def slow(file: Path) -> object:
        seen.append(file)
        time.sleep(0.01)
        return real(file)

    def stopped(items: Iterable[object], *_: object) -> Iterator[object]:
        yield next(iter(items))
        raise KeyboardInterrupt

    real = fingerprints._print
    monkeypatch.setattr(fingerprints, "_print", slow)
    monkeypatch.setattr(fingerprints.progress, "counted", stopped)
    with pytest.raises(KeyboardInterrupt):
        fingerprints.fingerprints(tree(tmp_path))
    assert len(seen) < 100


def test_only_kinds_that_run_no_other_program_are_opened(tmp_path: Path) -> None:
    """An EPS is PostScript, a program, which Pillow hands to Ghostscript; its name may say .jpg."""
    (tmp_path / "a").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "a" / "eps.jpg", format="EPS")
    with pytest.raises(UnidentifiedImageError):
        fingerprints.look(tmp_path / "a" / "eps.jpg")
    assert fingerprints.FORMATS == reader.FORMATS
