"""Embedding by blocks: one file in the end, the same whoever embeds, resumed after an interruption, on Ray too when a worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.arrays import Array
from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.embedding import rays
from repr.embedding.blocks import Block, Look, embed_block, embed_catalog, here
from repr.embedding.embedder import Embedder
from repr.embedding.embeddings import Embeddings, NoneReadable
from repr.errors import UserError
from repr.images.decoded import Quarantined
from repr.images.reader import PASSING
from repr.models.weights import fresh, load_encoder

N = 23


@pytest.fixture(scope="module")
def look() -> Look:
    return Look(fresh("resnet18", 32, 0), 32)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """23 images of 4 products, one of which cannot be read."""
    root = tmp_path_factory.mktemp("shop")
    for n in range(N):
        file = root / f"p{n % 4}" / f"{n:02d}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(file)
    (root / "p1" / "09.png").write_bytes(b"no image")
    return open_sources([root])


@pytest.fixture(scope="module")
def whole(catalog: Catalog, look: Look, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    out = tmp_path_factory.mktemp("out") / "whole.npz"
    embeddings = embed_catalog(catalog, look, out, size=5)
    assert len(embeddings) == N - 1 and [Path(q.path).name for q in embeddings.quarantine] == ["09.png"]
    assert sorted(file.name for file in out.parent.iterdir()) == ["whole.npz"]
    return arrays(out)


def arrays(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as content:
        return dict(content)


def test_the_file_holds_every_readable_image(whole: dict[str, Array], catalog: Catalog, look: Look) -> None:
    direct = Embedder(load_encoder(look.weights, size=32), device="cpu").images(catalog.files())
    np.testing.assert_array_equal(whole["rows"], direct.rows)
    np.testing.assert_allclose(whole["embeddings"], direct.vectors, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(whole["embeddings"], axis=1), 1, atol=1e-5)
    products = [str(product) for product in catalog.column("product")]
    assert whole["labels"].tolist() == [products[row] for row in whole["rows"]]
    assert [path.endswith(f"{catalog.files()[row].name}") for path, row in zip(whole["paths"], whole["rows"], strict=True)] == [True] * (
        N - 1
    )


def test_an_interrupted_one_goes_on_and_ends_the_same(catalog: Catalog, look: Look, tmp_path: Path, whole: dict[str, Array]) -> None:
    seen: list[int] = []

    def some(look: Look, blocks: Iterable[Block]) -> Iterator[tuple[int, Embeddings]]:
        for block in blocks:
            if len(seen) == 2:
                raise KeyboardInterrupt
            seen.append(block.number)
            yield block.number, embed_block(look, block)

    out = tmp_path / "out.npz"
    with pytest.raises(KeyboardInterrupt):
        embed_catalog(catalog, look, out, run=some, size=5)
    torn = out.with_name("out.npz.blocks") / "000001.npz"
    torn.write_bytes(torn.read_bytes()[:100])
    again: list[int] = []

    def counted(look: Look, blocks: Iterable[Block]) -> Iterator[tuple[int, Embeddings]]:
        todo = list(blocks)
        again.extend(block.number for block in todo)
        return here(look, todo)

    embed_catalog(catalog, look, out, run=counted, size=5)
    assert seen == [0, 1] and again == [1, 2, 3, 4] and not torn.parent.exists()
    for name, array in arrays(out).items():
        np.testing.assert_array_equal(array, whole[name])


def test_other_weights_begin_anew_and_nothing_readable_is_told(catalog: Catalog, tmp_path: Path, look: Look) -> None:
    folder = tmp_path / "out.npz.blocks"
    folder.mkdir()
    (folder / "000000.npz").write_bytes(b"of another")
    other = Look(fresh("resnet18", 32, 1), 32)
    assert len(embed_catalog(catalog, other, tmp_path / "out.npz", size=50)) == N - 1
    (tmp_path / "bad" / "p").mkdir(parents=True)
    (tmp_path / "bad" / "p" / "a.png").write_bytes(b"no image")
    with pytest.raises(NoneReadable):
        embed_catalog(open_sources([tmp_path / "bad"]), look, tmp_path / "none.npz")
    assert not (tmp_path / "none.npz").exists()


def workers() -> list[int]:
    """Processes of Ray that embed."""
    names = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::embed_block"):
                names.append(int(process.name))
        except OSError:
            continue
    return names


@pytest.mark.slow
def test_on_ray_a_killed_worker_is_replaced_and_the_vectors_are_the_same_to_the_bit(
    catalog: Catalog, look: Look, tmp_path: Path, whole: dict[str, Array]
) -> None:
    pytest.importorskip("ray")
    killed, ended = list[int](), threading.Event()

    def kill_one() -> None:
        while not killed and not ended.is_set():
            for process in workers()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(0.01)

    thread = threading.Thread(target=kill_one)
    thread.start()
    embed_catalog(catalog, look, tmp_path / "out.npz", run=rays.on_ray("local", workers=2), size=5)
    ended.set()
    thread.join()
    assert killed
    for name, array in arrays(tmp_path / "out.npz").items():
        np.testing.assert_array_equal(array, whole[name])


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rays, "ray", None)
    with pytest.raises(UserError, match="not installed"):
        rays.on_ray("local")


def test_products_of_two_sources_are_told_apart(tmp_path: Path, look: Look) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "milk").mkdir(parents=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (30, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name / "milk" / f"{name}.png")
    embed_catalog(open_sources([tmp_path / "one", tmp_path / "two"]), look, tmp_path / "out.npz")
    assert arrays(tmp_path / "out.npz")["labels"].tolist() == ["one:milk", "two:milk"]


def test_what_failed_in_passing_is_tried_again_when_going_on(catalog: Catalog, look: Look, tmp_path: Path, whole: dict[str, Array]) -> None:
    """A block without an image that a network disk refused for a moment is no block that is done."""

    def stops(of: Look, todo: Iterable[Block]) -> Iterator[tuple[int, Embeddings]]:
        (first, *_) = todo
        number, embeddings = first.number, embed_block(of, first)
        failed = Quarantined(str(first.files[0]), next(iter(PASSING)))
        yield number, Embeddings(embeddings.vectors[1:], embeddings.norms[1:], embeddings.rows[1:], (failed,))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_catalog(catalog, look, tmp_path / "out.npz", run=stops, size=5)
    embed_catalog(catalog, look, tmp_path / "out.npz", size=5)
    assert arrays(tmp_path / "out.npz")["rows"].tolist() == whole["rows"].tolist()
