"""Exports give the vectors of the original, are opened by the programs that they are for, and say what they are."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.cli.weights import command
from repr.embedding.exporting import Exported, export
from repr.embedding.graph import Graph
from repr.embedding.portable import resizing
from repr.errors import UserError
from repr.images.views import plain
from repr.models.weights import fresh, load_encoder, read_weights, write_weights

RUN = """
import sys, numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
squares = np.load(sys.argv[2])
np.save(sys.argv[3], np.concatenate([session.run(["features"], {"squares": part})[0] for part in (squares[:1], squares[1:])]))
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    for i in range(12):
        file = folder / str(i % 3) / f"{i}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((70, 50)).save(file)
    return folder


@pytest.fixture(scope="module")
def catalog(shop: Path) -> Catalog:
    return open_data((str(shop),), default="rpc")


@pytest.fixture(scope="module")
def onnx(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path_factory.mktemp("onnx") / "m.onnx"
    return export(fresh("resnet18", 32, 0), "onnx", out, catalog, crops=(1.0, 0.6), eight_bits=True)


def test_an_onnx_file_runs_without_torch_and_takes_any_number(onnx: Exported, tmp_path: Path) -> None:
    encoder = load_encoder(fresh("resnet18", 32, 0), crops=(1.0, 0.6))
    squares = np.random.default_rng(1).integers(0, 256, (5, encoder.side, encoder.side, 3), dtype=np.uint8)
    np.save(tmp_path / "squares.npy", squares)
    arguments = [str(onnx.path), str(tmp_path / "squares.npy"), str(tmp_path / "features.npy")]
    subprocess.run([sys.executable, "-c", RUN, *arguments], check=True)
    with torch.inference_mode():
        expected = encoder.encode(torch.from_numpy(squares)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "features.npy"), expected, rtol=1e-3, atol=1e-4)
    about = Graph(onnx.path).about
    assert (about.identity, about.side, about.crops, about.frame) == (onnx.identity, encoder.side, (1.0, 0.6), None)


def test_eight_bits_are_smaller_and_their_loss_is_told(onnx: Exported) -> None:
    assert onnx.eight_bits is not None and onnx.eight_bits_path is not None
    assert onnx.measured.least >= 0.9999 and onnx.measured.top1 == 1 and onnx.measured.images == 12
    assert 0.9 < onnx.eight_bits.least < onnx.measured.least and onnx.eight_bits.megabytes < 0.4 * onnx.measured.megabytes
    text = onnx.card.read_text(encoding="utf-8")
    assert onnx.identity in text and "random weights: nothing was trained" in text and "the file of 8 bits: cosine 0.9" in text


@pytest.mark.parametrize(("side", "size"), [(64, 32), (53, 32), (20, 32)])
def test_resizing_as_a_matrix_is_the_evaluation_transform(side: int, size: int) -> None:
    batch = torch.randint(0, 256, (2, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    matrix = resizing(side, size)
    torch.testing.assert_close(matrix @ (batch.permute(0, 3, 1, 2).float() / 255) @ matrix.T, plain(batch, size))


@pytest.mark.parametrize("name", ["timm vit", "clip", "dinov2", "open_clip"])
def test_transformers_are_exported(name: str, layouts: Any, catalog: Catalog, tmp_path: Path) -> None:
    layouts[name](tmp_path / "model")
    done = export(tmp_path / "model", "torchscript", tmp_path / "m.pt", catalog)
    assert done.measured.least >= 0.9999
    licence = "apache-2.0" if name == "timm vit" else "Unknown: their files do not say"
    assert "not known: the file does not say" in done.card.read_text() and f"| licence | {licence}" in done.card.read_text()
    loaded = torch.jit.load(str(tmp_path / "m.pt"))
    encoder = load_encoder(tmp_path / "model")
    batch = torch.randint(0, 256, (3, encoder.side, encoder.side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded(batch), encoder.encode(batch), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["timm vit", "dinov2"])
def test_transformers_become_onnx(name: str, layouts: Any, catalog: Catalog, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    layouts[name](tmp_path / "model")
    assert export(tmp_path / "model", "onnx", tmp_path / "m.onnx", catalog, images=3).measured.least >= 0.9999


def test_a_safetensors_file_is_read_again(catalog: Catalog, tmp_path: Path) -> None:
    weights = replace(fresh("resnet18", 32, 0), name="mine")
    done = export(weights, "safetensors", tmp_path / "m.safetensors", catalog, size=64)
    read = read_weights(done.path)
    assert (read.identity, read.name, read.size, read.provenance.unknown) == (weights.identity, "mine", 64, False)


@pytest.mark.parametrize("arch", ["resnet18", "test_vit", "test_convnext"])
def test_a_timm_folder_is_timms_and_ours(arch: str, catalog: Catalog, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    weights = fresh(arch, 96, 0)
    done = export(weights, "timm-folder", tmp_path / "folder", catalog)
    network = timm.create_model(f"local-dir:{tmp_path / 'folder'}", pretrained=True, num_classes=0).eval()
    images = torch.rand((2, 3, 96, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(images), load_encoder(weights).network(images), rtol=1e-3, atol=1e-3)
    again = read_weights(tmp_path / "folder")
    assert again.size == 96 and again.mean == weights.mean and again.provenance.unknown
    assert done.card == tmp_path / "folder" / "README.md" and "timm.create_model" in done.card.read_text()


def test_what_cannot_be_exported_is_told_and_leaves_nothing(layouts: Any, catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="timm has no vgg19"):
        export(fresh("vgg19", 32, 0), "timm-folder", tmp_path / "folder", catalog)
    with pytest.raises(UserError, match="8 bits are for ONNX files"):
        export(fresh("resnet18", 32, 0), "torchscript", tmp_path / "m.pt", catalog, eight_bits=True)
    (tmp_path / "m.pt").mkdir()
    with pytest.raises(UserError, match="is there already"):
        export(fresh("resnet18", 32, 0), "torchscript", tmp_path / "m.pt", catalog)
    assert not (tmp_path / "folder").exists() and not list((tmp_path / "m.pt").iterdir())


def test_the_command_says_what_it_measured(shop: Path, tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", fresh("resnet18", 32, 0))
    typed = ["export", str(tmp_path / "w.safetensors"), "--to", "torchscript", "--data", str(shop), "--out", str(tmp_path / "m.pt")]
    result = CliRunner().invoke(command, [*typed, "--json"])
    assert result.exit_code == 0, result.exception
    content = json.loads(result.stdout)
    assert content["kind"] == "torchscript" and content["measured"]["images"] == 12 and content["measured"]["least"] >= 0.9999
    shown = CliRunner().invoke(command, typed).stdout
    assert "same nearest" in shown and "Model card:" in shown
