"""ONNX files as others run them: what they say of themselves, and what is no such file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repr.embedding.graph import INPUT, NAMES, OUTPUT, About, Graph, opened
from repr.errors import UserError
from repr.images.frames import Frame

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

ABOUT = About("C+C → A: dairy", "abc123", "resnet18", 3, 8, 8, (1.0, 0.5))


def mean_of_squares(path: Path, about: About | None = ABOUT, **changed: str) -> Path:
    """A file that gives the mean colour of each square."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", [INPUT], ["floats"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["floats"], [OUTPUT], axes=[1, 2], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info(INPUT, kinds.UINT8, ["n", 8, 8, 3])],
        [helper.make_tensor_value_info(OUTPUT, kinds.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    texts = {**(about.texts() if about else {}), **changed}
    onnx.helper.set_model_props(model, texts)
    onnx.save(model, path)
    return path


def test_features_are_what_the_file_computes(tmp_path: Path) -> None:
    squares = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    graph = Graph(mean_of_squares(tmp_path / "mean.onnx"), threads=1)
    np.testing.assert_allclose(graph.features(squares), squares.mean(axis=(1, 2)), rtol=1e-5)
    assert graph.features(squares[::2]).shape == (3, 3) and graph.features(squares[:0]).shape == (0, 3)
    assert graph.features(squares).dtype == np.float32


@pytest.mark.parametrize("frame", [None, Frame(), Frame("squash", "box", 0.875, "down", (1, 2, 3))])
def test_what_it_says_of_itself_comes_back(tmp_path: Path, frame: Frame | None) -> None:
    about = replace(ABOUT, frame=frame)
    assert Graph(mean_of_squares(tmp_path / "mean.onnx", about)).about == about and set(about.texts()) == NAMES


def test_names_that_others_wrote_beside_ours_are_no_matter(tmp_path: Path) -> None:
    assert Graph(mean_of_squares(tmp_path / "mean.onnx", author="somebody", note="not JSON {")).about == ABOUT


def test_a_file_that_says_nothing_or_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        Graph(mean_of_squares(tmp_path / "bare.onnx", None))
    with pytest.raises(UserError, match="dim is"):
        Graph(mean_of_squares(tmp_path / "other.onnx", dim=json.dumps("wide")))


@pytest.mark.parametrize("content", [b"", b"not an ONNX file", b"\x00" * 4096])
def test_what_is_no_onnx_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(UserError) as raised:
        opened(tmp_path / "a.onnx", 1)
    assert "not a readable ONNX file" in str(raised.value) and "\n" not in str(raised.value) and "Export it again" in raised.value.remedy


def test_a_file_cut_short_and_one_that_is_not_there(tmp_path: Path) -> None:
    file = mean_of_squares(tmp_path / "a.onnx")
    file.write_bytes(file.read_bytes()[:60])
    for path in (file, tmp_path / "gone.onnx"):
        with pytest.raises(UserError, match="not a readable ONNX file"):
            Graph(path)
