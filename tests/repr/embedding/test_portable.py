"""An encoder as one graph: its features are the encoder's, with crops, resizing and normalisation inside."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from repr.arrays import Floats, Pixels
from repr.embedding.exporting import Embed, compare
from repr.embedding.graph import About, Graph, opened
from repr.embedding.portable import Portable, about, example, resizing, write_torchscript
from repr.errors import UserError
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder
from repr.records import from_json


def encoder(size: int = 32, crops: tuple[float, ...] = (1.0,)) -> Encoder:
    return load_encoder(replace(fresh("resnet18", size, 0), crops=crops, name="C+C")).eval()


@pytest.mark.parametrize("crops", [(1.0,), (0.5,), (1.0, 0.6), (1.0, 0.77, 0.3)])
def test_the_graph_gives_the_encoders_features(crops: tuple[float, ...]) -> None:
    original = encoder(crops=crops)
    squares = example(original)
    assert squares.shape == (2, original.side, original.side, 3) and squares.dtype == torch.uint8
    with torch.inference_mode():
        torch.testing.assert_close(Portable(original)(squares), original.encode(squares), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("side", "size"), [(64, 32), (40, 32), (32, 32), (20, 32)])
def test_rows_of_a_resizing_matrix_are_weights(side: int, size: int) -> None:
    matrix = resizing(side, size)
    assert matrix.shape == (size, side) and (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(size))
    torch.testing.assert_close(matrix.flip(0, 1), matrix, atol=1e-6, rtol=0)  # left and right are alike
    if side == size:
        torch.testing.assert_close(matrix, torch.eye(size))


def test_a_torchscript_file_holds_what_a_program_must_know(tmp_path: Path) -> None:
    original = encoder(crops=(1.0, 0.5))
    write_torchscript(original, tmp_path / "m.pt")
    texts = dict.fromkeys(about(original).texts(), "")
    loaded = torch.jit.load(str(tmp_path / "m.pt"), _extra_files=texts)  # type: ignore[no-untyped-call]
    assert from_json(About, {name: json.loads(text) for name, text in texts.items()}) == about(original)
    squares = example(original)
    for part in (squares[:1], squares.repeat(3, 1, 1, 1)):  # any number of images
        torch.testing.assert_close(loaded(part), original.encode(part), rtol=1e-3, atol=1e-4)


def test_what_is_no_onnx_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"m\.onnx: not a readable ONNX file \(.*\)\. Export it again"):
        Graph(tmp_path / "m.onnx")
    with pytest.raises(UserError, match="not a readable ONNX file"):
        opened(tmp_path / "none.onnx", 1)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"need the package onnxruntime\. Install it with .*product-repr\[onnx\]"):
        Graph(tmp_path / "m.onnx")


def test_two_ways_of_embedding_are_compared_by_hand() -> None:
    """Four squares, told apart by their first pixel; the second way turns the last one's vector by 40°, and finds it another neighbour."""
    squares = np.zeros((4, 2, 2, 3), np.uint8)
    squares[:, 0, 0, 0] = np.arange(4)

    def by(last: float) -> Embed:
        def embed(part: Pixels) -> Floats:
            angles = np.deg2rad(np.array([0.0, 10.0, 90.0, last]))[part[:, 0, 0, 0]]
            return 7 * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

        return embed

    measured = compare(squares, by(70.0), by(30.0), 3_000_000)
    cosine = np.cos(np.deg2rad(40))
    assert measured.images == 4 and measured.megabytes == 3
    assert measured.least == pytest.approx(cosine, abs=1e-6) and measured.cosine == pytest.approx((3 + cosine) / 4, abs=1e-6)
    assert measured.top1 == 0.75, "the last one's nearest was the third, and is the second"
    same = compare(squares, by(70.0), by(70.0), 1)
    assert same.top1 == 1 and same.least == pytest.approx(1) and same.per_second > 0 and same.original_per_second > 0
