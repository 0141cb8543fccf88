"""An index asked by its ONNX file gives the answers of the index, and PyTorch is not loaded for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from repr.cli.lookup import command
from repr.errors import UserError
from repr.lookup import lists
from repr.lookup.cold import Cold, NoEncoder
from repr.lookup.encoder_file import write_encoder
from repr.lookup.index import Index
from repr.lookup.matches import Answer
from repr.lookup.schema import ENCODER
from repr.models.weights import fresh
from repr.search import calibrated

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
RUN = """
import json, sys
from click.testing import CliRunner
from repr.cli.lookup import command
result = CliRunner().invoke(command, sys.argv[1:], catch_exceptions=False)
assert "torch" not in sys.modules, "PyTorch was loaded"
print(result.stdout)
sys.exit(result.exit_code)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of five images for each of four products, wide ones."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    for product in range(4):
        colours = rng.integers(0, 256, (4, 6, 3))
        for i in range(5):
            file = folder / f"product{product}" / f"{i}.png"
            file.parent.mkdir(exist_ok=True)
            pixels = np.clip(colours + rng.integers(-25, 26, colours.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).resize((90, 60), Image.Resampling.BILINEAR).save(file)
    return folder


@pytest.fixture(scope="module")
def folder(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of them with crops, answered by a learner, and its encoder exported."""
    folder = tmp_path_factory.mktemp("index") / "shop.index"
    index = Index.create(folder, weights=fresh("resnet18", 32, 0), data=shop, crops=(1.0, 0.5), device="cpu")
    index.settle("lda")
    index.close()
    write_encoder(folder)
    return folder


@pytest.fixture(scope="module")
def photographs(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photographs")
    for number, file in enumerate(sorted(shop.rglob("0.png"))):
        with Image.open(file) as image:
            image.rotate(8).save(folder / f"{number}.jpg")
    (folder / "broken.jpg").write_bytes(b"no image")
    return sorted(folder.iterdir())


def named(answer: Answer) -> list[tuple[str, str]]:
    return [(match.product, match.image) for match in answer.matches]


@pytest.mark.parametrize("per_image", [False, True])
def test_answers_are_those_of_the_index(folder: Path, photographs: list[Path], per_image: bool) -> None:
    warm = Index.open(folder, device="cpu").lookup(photographs, 3, per_image=per_image)
    cold = Cold(folder).lookup(photographs, 3, per_image=per_image)
    assert [answer.query for answer in cold] == [str(file) for file in photographs]
    for a, b in zip(warm, cold, strict=True):
        assert (a.unknown, a.error, [(m.product, m.image) for m in a.matches]) == (
            b.unknown,
            b.error,
            [(m.product, m.image) for m in b.matches],
        )
        for one, other in zip(a.matches, b.matches, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4) and one.probability == pytest.approx(other.probability, abs=1e-3)
    assert cold[-1].error and not cold[0].error


def test_many_vectors_are_searched_as_the_index_does(
    folder: Path, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrated, "EXACT", 1)  # as if twenty images were many, and the exact search slow
    monkeypatch.setattr(calibrated, "FEWEST", 2)
    monkeypatch.setattr(calibrated, "_lists", lambda n, d: [2])
    monkeypatch.setattr(calibrated, "WORTH", 0.0)
    monkeypatch.setattr(calibrated, "_cheaper", lambda one, other: other.kind == "exact")
    copy = tmp_path / "copy.index"
    shutil.copytree(folder, copy)
    index = Index.open(copy, device="cpu")
    index.settle("neighbour")
    index.compact()
    assert index.info()["search"]["kind"] != "exact"
    found: list[int] = []
    search = lists.Calibrated.search
    monkeypatch.setattr(lists.Calibrated, "search", lambda self, *given: found.append(1) or search(self, *given))
    for per_image in (False, True):
        cold = Cold(copy).lookup(photographs[:2], 3, per_image=per_image)
        assert list(map(named, cold)) == list(map(named, index.lookup(photographs[:2], 3, per_image=per_image)))
    assert found


def test_pytorch_is_not_loaded(folder: Path, photographs: list[Path]) -> None:
    arguments = [str(folder), *map(str, photographs), "--onnx", "--json"]
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    warm = json.loads(CliRunner().invoke(command, [str(folder), *map(str, photographs), "--json", "--device", "cpu"]).stdout)
    products = [[[match["product"] for match in one["matches"]] for one in each["results"]] for each in (told, warm)]
    assert products[0] == products[1] and any(products[0])


def test_an_encoder_that_is_missing_or_of_other_weights_is_exported(folder: Path, photographs: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.index"
    shutil.copytree(folder, copy)
    (copy / ENCODER).unlink()
    with pytest.raises(NoEncoder, match="there is none yet"):
        Cold(copy)
    result = CliRunner().invoke(command, [str(copy), str(photographs[0]), "--onnx", "--json"])
    assert result.exit_code == 0 and (copy / ENCODER).is_file(), result.exception
    other = Index.create(tmp_path / "other.index", weights=fresh("resnet18", 32, 1), crops=(1.0, 0.5), device="cpu")
    shutil.copy(copy / ENCODER, other.folder)
    with pytest.raises(NoEncoder, match="of other weights than the index"):
        Cold(other.folder)


def test_weights_that_change_under_it_are_told(folder: Path, photographs: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.index"
    shutil.copytree(folder, copy)
    cold = Cold(copy)
    assert cold.lookup(photographs[:1], 1)[0].matches
    Index.open(copy, device="cpu").reindex(fresh("resnet18", 32, 1), crops=(1.0,))
    with pytest.raises(UserError, match="with other weights meanwhile"):
        cold.lookup(photographs[:1], 1)


def test_options_that_do_nothing_are_refused(folder: Path, photographs: list[Path]) -> None:
    result = CliRunner().invoke(command, [str(folder), str(photographs[0]), "--onnx", "--device", "cpu"])
    assert result.exception is not None and "--device would do nothing" in str(result.exception)
