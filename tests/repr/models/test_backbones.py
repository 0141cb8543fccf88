from __future__ import annotations

import sys

import pytest
import torch
import torchvision
from torch import nn

from repr.errors import UserError
from repr.models.backbones import BACKBONES, backbone, build, check_size, empty, expected_shapes, head_names, usual_size

SMALL = ("resnet18", "tf_efficientnet_lite0")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("arch", SMALL)
def test_features_without_a_head_and_scores_with_one(arch: str) -> None:
    images = torch.zeros(2, 3, 64, 64)
    bare, whole = build(arch).eval(), build(arch, 7).eval()
    assert bare(images).shape == (2, backbone(arch).dim)
    assert whole(images).shape == (2, 7)
    assert set(whole.state_dict()) - set(bare.state_dict()) == set(head_names(arch))


@pytest.mark.parametrize("arch", [arch for arch in BACKBONES if arch.startswith("resnet")])
def test_resnets_are_torchvisions(arch: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, arch)(num_classes=5)
    weight, bias = head_names(arch)
    shapes = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert shapes.pop(weight) == (5, backbone(arch).dim) and shapes.pop(bias) == (5,)
    assert shapes == expected_shapes(arch)


def test_images_are_normalised_as_the_published_weights_were_trained() -> None:
    timm = pytest.importorskip("timm")
    published = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert (backbone("tf_efficientnet_lite0").mean, backbone("tf_efficientnet_lite0").std) == (published.mean, published.std)
    preset = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    assert [*backbone("resnet18").mean, *backbone("resnet18").std] == [*preset.mean, *preset.std]


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = (build("resnet18", 3, seed=generator(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(one["fc.weight"], other["fc.weight"])


def test_an_empty_network_has_the_same_tensors() -> None:
    network = empty("resnet18")
    assert {name: tuple(t.shape) for name, t in network.state_dict().items()} == expected_shapes("resnet18")
    assert all(tensor.device.type == "cpu" for tensor in network.state_dict().values())
    assert isinstance(network, nn.Module)


def test_unknown_architectures_offer_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no such architecture: resnet19. Did you mean resnet1"):
        build("resnet19")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert isinstance(build("resnet18"), nn.Module)
    with pytest.raises(UserError, match=r"tf_efficientnet_lite0 needs the package timm.*product-repr\[imagenet\]"):
        build("tf_efficientnet_lite0")


@pytest.mark.parametrize("arch", ["vgg19", "inception_v3"])
def test_the_papers_other_networks_are_torchvisions(arch: str) -> None:
    """Inception without its auxiliary head; on the meta device, for VGG-19 has 140 million numbers."""
    with torch.device("meta"):
        theirs = getattr(torchvision.models, arch)(num_classes=5, **({"init_weights": True} if arch == "inception_v3" else {}))
        features = build(arch).eval()(torch.zeros(2, 3, 96, 96))
    weight, bias = head_names(arch)
    shapes = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items() if not name.startswith("AuxLogits.")}
    assert shapes.pop(weight) == (5, backbone(arch).dim) and shapes.pop(bias) == (5,)
    assert shapes == expected_shapes(arch)
    assert features.shape == (2, backbone(arch).dim)


@pytest.mark.parametrize(
    ("arch", "size", "message"),
    [
        ("resnet18", 15, "resnet18 needs images of 16 px at least, not 15. Give 16 or more"),
        ("vgg19", 31, "vgg19 needs images of 32 px at least"),
        ("inception_v3", 74, "inception_v3 needs images of 75 px at least"),
    ],
)
def test_a_size_that_a_network_cannot_see_is_refused(arch: str, size: int, message: str) -> None:
    with pytest.raises(UserError) as refused:
        check_size(arch, size)
    assert message in str(refused.value) and refused.value.argument == "size"
    assert usual_size(arch, size) == backbone(arch).size and usual_size(arch, 96) == 96
    check_size(arch, size + 1)


def test_patches_must_divide_the_image() -> None:
    pytest.importorskip("timm")
    with pytest.raises(UserError, match=r"its patches of 16 px do not divide images of 168\. Give 160 or 176"):
        check_size("test_vit", 168)
    check_size("test_vit", 176)
    assert usual_size("test_vit", 168) == backbone("test_vit").size == 160
    with pytest.raises(UserError, match=r"mixer_s32_224 sees images of 224 px alone, not 160\. Give 224"):
        check_size("mixer_s32_224", 160)
