"""The leak check, over every way in which weights can come to have seen test images, under names that are meant to mislead."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.sources import divisions, fill_split, open_data, open_sources
from repr.catalog.table import Catalog, Source, build
from repr.images import contents
from repr.models.leaks import leaks
from repr.models.mixing import mix
from repr.models.provenance import IMAGENET, NOT_KNOWN, Provenance, Record, learned_from
from repr.models.weights import Weights, fresh, read_weights, write_weights

pytestmark = pytest.mark.usefixtures("thin")

HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan"]


def shelf(folder: Path, n: int = 40, seed: int = 0) -> Path:
    """n images of noise in two class folders."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        file = folder / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(file)
    return folder


def trained(name: str, data: list[Path], seed: int = 0, start: Weights | None = None, split: str = "random") -> Weights:
    """Weights whose record says that they were trained on the training part of these data; their tensors were not."""
    start = start or fresh("resnet18", 32, 0)
    catalog = open_sources(data)
    rows = np.flatnonzero(fill_split(catalog, split, seed).column("split").astype(str) == "train")
    learned = learned_from(catalog, rows, divisions(catalog, split, seed))
    record = Record("simclr", (start.as_parent(),), learned.data, seed=seed)
    return replace(start, provenance=Provenance.of(record, start.provenance, hashes=learned.hashes), name=name)


def for_tests(data: Path, seed: int = 0) -> Catalog:
    return open_data([data], split="random", seed=seed).in_split("test")


@pytest.fixture(params=HOSTILE)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """40 images in a folder of a hostile name, of which a random split tests 8."""
    return shelf(tmp_path / request.param)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return shelf(tmp_path / "plain", seed=1)


def test_the_same_division_is_clean_and_another_is_named(shop: Path) -> None:
    assert leaks([trained("w", [shop])], for_tests(shop)) == []
    (leak,) = leaks([trained("w", [shop], seed=1)], for_tests(shop))
    ours, theirs = (set(open_data([shop], split="random", seed=seed).in_split("test").column("path")) for seed in (0, 1))
    n = len(ours - theirs)
    assert (leak.kind, leak.share, leak.weights) == ("seen", n / 8, "w")
    start = f"'w' has seen {n} of 8 test images: it was trained on another division of the same data, {shop.name!r}"
    assert str(leak) == f"{start} (32 of 40 images; random split by seed 1)"


def test_data_of_the_same_name_are_not_the_same_data(shop: Path, tmp_path: Path) -> None:
    other = shelf(tmp_path / "elsewhere" / shop.name, seed=1)
    assert leaks([trained("w", [other])], for_tests(shop)) == []


def test_a_moved_and_renamed_copy_is_the_same_data(shop: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shop, tmp_path / "harmless"))
    for n, file in enumerate(sorted(copy.rglob("*.png"))):
        file.rename(file.with_name(f"{n:03}.png"))
    (leak,) = leaks([trained("w", [copy], seed=1)], for_tests(shop))
    assert leak.kind == "seen" and "another division of the same data, 'harmless'" in str(leak)


def test_a_union_is_looked_into(shop: Path, plain: Path) -> None:
    weights = trained("w", [plain, shop], seed=1)
    (leak,) = leaks([weights], for_tests(shop))
    assert leak.kind == "seen" and repr(shop.name) in str(leak) and "plain" not in str(leak)
    both = open_data([plain, shop], split="random", seed=2).in_split("test")
    assert len(leaks([weights], both)) == 2


def test_a_subset_of_what_was_trained_on_is_recognised(shop: Path, tmp_path: Path) -> None:
    fewer = Path(shutil.copytree(shop / "a", tmp_path / "few" / "a")).parent
    (leak,) = leaks([trained("w", [shop], seed=1)], open_sources([fewer]))
    assert leak.kind == "seen" and 0.5 < (leak.share or 0) < 1


def test_all_test_images_were_seen(shop: Path) -> None:
    learned = learned_from(catalog := open_sources([shop]), np.arange(len(catalog)))
    weights = replace(
        fresh("resnet18", 32, 0), provenance=Provenance.of(Record("byol", data=learned.data), hashes=learned.hashes), name="w"
    )
    (leak,) = leaks([weights], for_tests(shop))
    assert str(leak) == f"'w' has seen all 8 test images: it was trained on {shop.name!r} (40 images)" and leak.share == 1


def test_the_first_of_two_trainings_is_not_forgotten(shop: Path, plain: Path) -> None:
    twice = trained("second", [plain], start=trained("first", [shop], seed=1))
    (leak,) = leaks([twice], for_tests(shop))
    assert leak.kind == "seen" and leak.weights == "second"
    again = trained("third", [shop], start=twice)
    assert len(leaks([again], for_tests(shop))) == 1, "the last training kept the test images apart, the first did not"


def test_a_mix_of_mixes_has_seen_what_any_part_saw(shop: Path, plain: Path, tmp_path: Path) -> None:
    clean = trained("clean", [shop])
    soup = mix(mix(clean, trained("other", [shop], seed=1), 0.1), mix(clean, trained("plain", [plain]), 0.5), 0.5)
    write_weights(tmp_path / "soup.safetensors", soup)
    (leak,) = leaks([read_weights(tmp_path / "soup.safetensors")], for_tests(shop))
    assert leak.kind == "seen" and "random split by seed 1" in str(leak)
    assert leaks([mix(clean, trained("plain", [plain]), 0.5)], for_tests(shop)) == []


def test_what_is_not_known_is_never_clean(shop: Path, tmp_path: Path) -> None:
    tensors = fresh("resnet18", 32, 0).tensors
    theirs = Weights(tensors, "resnet18", 32, name="x.pth")
    (leak,) = leaks([theirs], for_tests(shop))
    assert (leak.kind, leak.share) == ("unknown", None)
    assert str(leak) == "'x.pth' may have seen the test images: what it was trained on is not known"
    for partly in (mix(theirs, trained("ours", [shop]), 0.5), trained("further", [shop], start=theirs)):
        (leak,) = leaks([partly], for_tests(shop))
        assert leak.kind == "unknown" and "a part of what it came from is not known" in str(leak)
    assert [leak.kind for leak in leaks([trained("further", [shop], seed=1, start=theirs)], for_tests(shop))] == ["seen", "unknown"]


def test_random_weights_and_imagenets_are_clean_and_open_no_image(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = for_tests(shop)
    shutil.rmtree(shop)
    known = replace(fresh("resnet18", 32, 0), provenance=IMAGENET, name="imagenet")
    assert leaks([fresh("resnet18", 32, 0), known, mix(known, known, 0.5)], images) == []
    assert leaks([replace(known, provenance=NOT_KNOWN)], images)[0].kind == "unknown"


def test_boxes_of_one_photograph_are_one_image(tmp_path: Path) -> None:
    """A scene with two boxes, one to learn from, one to test on: the image was seen."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "scene.png")
    columns: dict[str, list[object]] = {
        "path": ["scene.png", "scene.png"],
        "product": ["tea", "coffee"],
        "split": ["train", "test"],
        "box": [(0.0, 0.0, 20.0, 20.0), (20.0, 20.0, 20.0, 20.0)],
    }
    catalog = build(columns, classes=((), (), ()), sources=(Source("scenes", "rpc", tmp_path),))
    learned = learned_from(catalog, np.array([0]), divisions(catalog, "random", 0))
    record = Record("supervised", data=learned.data)
    weights = replace(fresh("resnet18", 32, 0), provenance=Provenance.of(record, hashes=learned.hashes), name="w")
    (leak,) = leaks([weights], catalog.in_split("test"))
    assert str(leak).startswith("'w' has seen 1 of 1 test images")


def test_a_sketch_too_small_to_tell_says_so(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = for_tests(shop)
    monkeypatch.setattr(contents, "KEPT", 2)
    clean, other = trained("clean", [shop]), trained("other", [shop], seed=1)
    (untold,) = leaks([clean], images)
    assert untold.kind == "untold" and "of 8 whether they are among the 32 of" in str(untold) and untold.share is None
    assert {leak.kind for leak in leaks([other], images)} <= {"seen", "untold"}


def test_of_a_large_training_the_share_is_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "KEPT", 200)
    data = shelf(tmp_path / "C+C", 1200)
    (leak,) = leaks([trained("w", [data], seed=1)], for_tests(data))
    assert leak.share == pytest.approx(0.8, abs=0.2) and "has seen about" in str(leak) and "another division" in str(leak)


def test_the_images_are_called_what_they_are(shop: Path) -> None:
    (leak,) = leaks([trained("w", [shop], seed=1)], for_tests(shop), "images of novel products")
    assert "of 8 images of novel products" in str(leak)
