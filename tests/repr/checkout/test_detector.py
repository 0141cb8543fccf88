"""A detector: its network, its file, and the same boxes by ONNX Runtime without PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from repr.checkout.choice import proposer_of
from repr.checkout.classical import propose
from repr.checkout.cold import opened
from repr.checkout.detector import Detector, Trained, read_detector, write_detector
from repr.checkout.graph import Graph
from repr.checkout.network import Build, Finder
from repr.errors import UserError
from repr.models.provenance import Provenance
from tests.repr.checkout.boxes import iou

SMALL = Build("resnet18", 64, 32, 1)


@pytest.fixture(scope="module")
def trained() -> Trained:
    torch.manual_seed(0)
    network = Finder(SMALL)
    # Untrained heads say 0.1 everywhere; spread, they say something of each point.
    torch.nn.init.normal_(network.fcos.head.classification_head.cls_logits.weight, std=1.0)
    torch.nn.init.normal_(network.fcos.head.regression_head.bbox_reg.weight, std=0.5)
    return Trained(dict(network.state_dict()), SMALL, 0.2, Provenance(), "small")


@pytest.fixture(scope="module")
def file(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "detector.safetensors"
    write_detector(path, trained)
    return path


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))


def test_every_point_has_a_box_and_a_score(trained: Trained) -> None:
    squares = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        boxes, scores = trained.network()(squares)
    assert boxes.shape == (2, 64 + 16 + 4, 4) and scores.shape == (2, 84, 1)
    assert (boxes[..., 2:] >= boxes[..., :2]).all() and scores.min() >= 0 and scores.max() <= 1


def test_boxes_decode_as_fcos_has_them(trained: Trained) -> None:
    """torchvision's own inference on the same pixels: its best box is ours, with the same score."""
    squares = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    network = trained.network()
    network.fcos.transform.min_size, network.fcos.transform.max_size = (64,), 64
    network.fcos.transform.image_mean, network.fcos.transform.image_std = list(SMALL.mean), list(SMALL.std)
    with torch.inference_mode():
        (theirs,) = network.fcos([squares[0].permute(2, 0, 1).float() / 255])
        boxes, scores = network(squares)
    best = int(scores[0, :, 0].argmax())
    assert float(theirs["scores"][0]) == pytest.approx(float(scores[0, best, 0]), abs=1e-5)
    assert torch.allclose(theirs["boxes"][0], boxes[0, best].clamp(0, 64), atol=1e-3)


def test_a_step_on_one_scene_lowers_the_loss() -> None:
    torch.manual_seed(0)
    network = Finder(SMALL).train()
    pixels = torch.full((2, 3, 64, 64), 0.7)
    pixels[:, :, 16:40, 20:44] = 0.1
    boxes = [torch.tensor([[20.0, 16.0, 44.0, 40.0]]), torch.zeros((0, 4))]
    labels = [torch.zeros(1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)]
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    history = []
    for _ in range(6):
        losses = network.losses(network.outputs(pixels), boxes, labels)
        assert set(losses) == {"classification", "bbox_regression", "bbox_ctrness"}
        loss = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        history.append([loss.item(), losses["bbox_regression"].item()])
    assert history[-1][0] < history[0][0] and history[-1][1] < history[0][1] < 1, "1 is that of boxes without an area, which learn nothing"


def test_backbones_of_timm_have_stages_too() -> None:
    pytest.importorskip("timm", reason="the extra `imagenet` is not installed")
    network = Finder(replace(SMALL, arch="tf_efficientnet_lite0", classes=("a", "b"))).eval()
    with torch.inference_mode():
        assert network(torch.zeros((1, 64, 64, 3), dtype=torch.uint8))[1].shape == (1, 84, 2)
    with pytest.raises(UserError, match="no stages"):
        Finder(replace(SMALL, arch="vgg19"))


def test_a_file_comes_back_as_it_was(trained: Trained, file: Path, image: Image.Image) -> None:
    again = read_detector(file)
    assert again.build == SMALL and again.threshold == 0.2 and again.identity == trained.identity and not again.synthetic
    boxes = Detector(again, device="cpu")(image)
    assert boxes == Detector(trained, device="cpu")(image) == proposer_of(str(file), device="cpu")(image)
    assert boxes and all(one.score >= 0.2 for one in boxes) and [one.score for one in boxes] == sorted(one.score for one in boxes)[::-1]
    assert len(Detector(again, device="cpu", least=0.0)(image)) > len(boxes)
    assert proposer_of("classical") is propose


def test_other_files_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such detector"):
        read_detector(tmp_path / "none")
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", {"kind": "other"})
    with pytest.raises(UserError, match="no detector"):
        read_detector(tmp_path / "a.safetensors")
    write_detector(tmp_path / "b.safetensors", replace(trained, tensors={**trained.tensors, "more": torch.zeros(1)}))
    with pytest.raises(UserError, match="1 unknown"):
        read_detector(tmp_path / "b.safetensors")
    broken = {name: tensor * float("nan") if tensor.is_floating_point() else tensor for name, tensor in trained.tensors.items()}
    write_detector(tmp_path / "c.safetensors", replace(trained, tensors=broken))
    with pytest.raises(UserError, match="not finite"):
        read_detector(tmp_path / "c.safetensors")


@pytest.mark.slow
def test_onnx_has_the_same_boxes_and_loads_no_torch(file: Path, image: Image.Image, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    from repr.checkout.portable import write_onnx

    exports: list[Path] = []

    def export(own: Path, onnx: Path) -> None:
        exports.append(onnx)
        write_onnx(read_detector(own), onnx)

    proposer = opened(str(file), export)
    again = opened(str(file), export)
    assert exports == [file.with_suffix(".onnx")], "written once"
    ours, theirs = Detector(read_detector(file), device="cpu")(image), proposer(image)
    assert len(ours) == len(theirs) > 0 and again(image) == theirs
    assert min(iou(a.box, b.box) for a, b in zip(ours, theirs, strict=True)) >= 0.99
    assert max(abs(a.score - b.score) for a, b in zip(ours, theirs, strict=True)) < 1e-3
    image.save(tmp_path / "image.png")
    code = (
        "import sys, json; from pathlib import Path; from PIL import Image; from repr.checkout.cold import opened\n"
        f"boxes = opened({str(file)!r}, None)(Image.open({str(tmp_path / 'image.png')!r}))\n"
        "assert 'torch' not in sys.modules; print(json.dumps([one.box for one in boxes]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [list(one.box) for one in theirs]
    with pytest.raises(UserError, match="ONNX"):
        (tmp_path / "x.onnx").write_bytes(b"x")
        Graph(tmp_path / "x.onnx")
    with pytest.raises(UserError, match="no such detector"):
        opened(str(tmp_path / "none.safetensors"), export)
