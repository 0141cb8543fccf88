"""Folders of timm, open_clip and transformers: our vectors are those of the library itself, from the same file of an image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import cosine_similarity

from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.images.reader import read_image, square
from repr.models.backbones import backbone
from repr.models.weights import load_encoder, read_weights, write_weights

NAMES = (
    *("timm vit", "timm cnn, cropped", "timm, another size", "timm resnet", "open_clip", "open_clip, squashed", "open_clip, padded"),
    *("open_clip resnet", "open_clip around timm", "dinov2", "dinov3_vit", "siglip", "clip", "convnext", "vit"),
)
Layouts = dict[str, Callable[[Path], Any]]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Smooth and noisy images, wide, high and square, larger and smaller than what networks see, odd sides among them."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    files = []
    for number, (width, height) in enumerate(((333, 201), (150, 257), (224, 224), (31, 47))):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        noise = rng.integers(-20, 21, (height, width, 3))
        file = folder / f"{number}.png"
        Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8)).save(file)
        files.append(file)
    return files


@pytest.fixture(scope="module", params=NAMES)
def layout(request: pytest.FixtureRequest, layouts: Layouts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("layouts") / "model"
    return folder, layouts[request.param](folder)


def test_images_are_prepared_to_the_pixel_and_vectors_are_theirs(layout: tuple[Path, Any], photographs: list[Path]) -> None:
    folder, theirs = layout
    encoder = load_encoder(folder)
    assert encoder.frame is not None
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (encoder.mean, encoder.std))
    for file in photographs:
        with Image.open(file) as image:
            expected = theirs.pixels(image.convert("RGB")) * std + mean
        ours = torch.from_numpy(square(read_image(file), encoder.size, encoder.frame).copy()).permute(2, 0, 1) / 255
        assert ours.shape == expected.shape
        assert float((ours - expected).abs().max()) <= 1.01 / 255, "more than one level of 256"
    with torch.no_grad(), Image.open(photographs[0]) as image:
        expected = theirs.vectors(torch.stack([theirs.pixels(image)]))
    features = torch.from_numpy(Embedder(encoder, device="cpu").images(photographs[:1]).features)
    assert features.shape == expected.shape == (1, backbone(encoder.arch).dim)
    assert float(cosine_similarity(features, expected)) >= 0.99999
    with torch.no_grad(), Image.open(photographs[0]) as image:
        pixels = torch.stack([theirs.pixels(image)])
        assert float(cosine_similarity(encoder.network(pixels), theirs.vectors(pixels))) >= 0.999999


def test_what_is_read_is_written_and_read_again(layout: tuple[Path, Any], tmp_path: Path) -> None:
    weights = read_weights(f"local-dir:{layout[0]}")
    assert weights.provenance.unknown and weights.name == "model" and weights.crops == (1.0,)
    write_weights(tmp_path / "w.safetensors", weights)
    again = read_weights(tmp_path / "w.safetensors")
    assert (again.identity, again.frame, again.arch, again.size) == (weights.identity, weights.frame, weights.arch, weights.size)
    batch = torch.randint(0, 256, (2, weights.size, weights.size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(load_encoder(again).encode(batch), load_encoder(weights).encode(batch))


@pytest.mark.parametrize("name", ["timm vit", "open_clip", "dinov2", "clip", "vit"])
def test_transformers_take_other_sizes_that_their_patches_divide(name: str, layouts: Layouts, tmp_path: Path) -> None:
    layouts[name](tmp_path / "model")
    weights = read_weights(tmp_path / "model")
    step = backbone(weights.arch).step
    encoder = load_encoder(weights, size=weights.size + step)
    assert encoder.encode(torch.zeros((1, encoder.size, encoder.size, 3), dtype=torch.uint8)).shape == (1, encoder.dim)
    with pytest.raises(UserError, match=rf"its patches of {step} px do not divide images of {weights.size + 1}"):
        load_encoder(weights, size=weights.size + 1)


def test_an_open_clip_transformer_at_another_size_is_open_clips(layouts: Layouts, tmp_path: Path) -> None:
    """As its own loader fits the positions when the config asks for another size."""
    open_clip = pytest.importorskip("open_clip")
    layouts["open_clip"](tmp_path / "model")
    theirs = open_clip.create_model(f"local-dir:{tmp_path / 'model'}", force_image_size=48).eval()
    batch = torch.rand((2, 3, 48, 48), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(load_encoder(tmp_path / "model", size=48).network(batch), theirs.encode_image(batch))


def test_the_head_of_a_timm_folder_comes_along(layouts: Layouts, tmp_path: Path) -> None:
    layouts["timm cnn, cropped"](tmp_path / "model")
    weights = read_weights(tmp_path / "model")
    assert weights.classes == tuple("01234") and {"head.fc.weight", "head.fc.bias"} <= set(weights.tensors)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    flat = {**config.pop("pretrained_cfg"), **config, "label_names": ["tea", "milk", "rice", "salt", "oil"]}
    (tmp_path / "model" / "config.json").write_text(json.dumps(flat))  # the older form, with all of it at the top
    again = read_weights(tmp_path / "model")
    assert again.classes[0] == "tea" and (again.identity, again.size, again.frame) == (weights.identity, weights.size, weights.frame)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_weights_of_16_bits_are_read_as_float32(kind: torch.dtype, layouts: Layouts, tmp_path: Path) -> None:
    for name, file in (("timm vit", "model"), ("open_clip", "open_clip_model"), ("dinov2", "model")):
        folder = tmp_path / name
        layouts[name](folder)
        tensors = load_file(folder / f"{file}.safetensors")
        save_file({key: tensor.to(kind) for key, tensor in tensors.items()}, folder / f"{file}.safetensors", {"format": "pt"})
        read = read_weights(folder)
        assert all(tensor.dtype == torch.float32 for tensor in read.tensors.values() if tensor.is_floating_point())


@pytest.mark.parametrize(("name", "file"), [("timm vit", "model"), ("open_clip", "open_clip_model"), ("dinov2", "model")])
def test_weights_of_8_bits_are_refused(name: str, file: str, layouts: Layouts, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    layouts[name](folder)
    tensors = load_file(folder / f"{file}.safetensors")
    save_file({key: (tensor * 9).to(torch.int8) for key, tensor in tensors.items()}, folder / f"{file}.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"weights of 8 bits \(\d+ tensors.*16 or 32 bits"):
        read_weights(folder)


@pytest.mark.parametrize(
    ("name", "lost", "message"),
    [
        ("timm vit", "config.json", r"no config\.json in this folder"),
        ("timm vit", "model.safetensors", r"no model\.safetensors in this folder"),
        ("open_clip", "open_clip_config.json", r"no open_clip_config\.json in this folder"),
        ("open_clip", "open_clip_model.safetensors", r"no open_clip_model\.safetensors in this folder"),
        ("dinov2", "config.json", r"no config\.json in this folder"),
        ("dinov2", "preprocessor_config.json", r"no preprocessor_config\.json in this folder"),
        ("dinov2", "model.safetensors", r"no model\.safetensors in this folder"),
    ],
)
def test_a_file_that_is_missing_is_named(name: str, lost: str, message: str, layouts: Layouts, tmp_path: Path) -> None:
    layouts[name](tmp_path / "model")
    (tmp_path / "model" / lost).unlink()
    with pytest.raises(UserError, match=message):
        read_weights(tmp_path / "model")


def test_a_folder_of_a_tokenizer_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match="a tokenizer, and no weights"):
        read_weights(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(UserError, match="a tokenizer, and no weights"):
        read_weights(tmp_path)


def test_files_that_do_not_fit_each_other_are_told(layouts: Layouts, tmp_path: Path) -> None:
    layouts["open_clip"](tmp_path / "a")
    layouts["open_clip, wider"](tmp_path / "b")
    shutil.copy(tmp_path / "b" / "open_clip_model.safetensors", tmp_path / "a")
    with pytest.raises(UserError, match=r"not the weights of its open_clip_config\.json: \d+ of another shape"):
        read_weights(tmp_path / "a")
    layouts["timm vit"](tmp_path / "c")
    layouts["timm, another vit"](tmp_path / "d")
    shutil.copy(tmp_path / "d" / "model.safetensors", tmp_path / "c")
    with pytest.raises(UserError, match=r"not the weights of test_vit\S*: \d+ (unknown|missing)"):
        read_weights(tmp_path / "c")
    layouts["dinov2"](tmp_path / "e")
    layouts["vit"](tmp_path / "f")
    shutil.copy(tmp_path / "f" / "model.safetensors", tmp_path / "e")
    with pytest.raises(UserError, match=r"not the weights of its config\.json: \d+ missing"):
        read_weights(tmp_path / "e")


def test_kinds_that_are_not_known_are_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "dinov22"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"a dinov22, of which we know no image tower. Did you mean dinov2"):
        read_weights(tmp_path)
    (tmp_path / "config.json").write_text('{"architecture": "test_vitt", "pretrained_cfg": {}}')
    with pytest.raises(UserError, match=r"timm has no network test_vitt. Did you mean test_vit"):
        read_weights(tmp_path)
    (tmp_path / "config.json").write_text('{"something": 1}')
    with pytest.raises(UserError, match=r"neither an architecture \(timm\) nor a model_type"):
        read_weights(tmp_path)
    with pytest.raises(UserError, match="no such weights"):
        read_weights("local-dir:/nowhere/at/all")


@pytest.fixture(scope="module")
def written(layouts: Layouts, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder of each kind, made once."""
    root = tmp_path_factory.mktemp("written")

    def folder(name: str) -> Path:
        if not (root / name).exists():
            layouts[name](root / name)
        return root / name

    return folder


TIMM, OPEN_CLIP, PREPROCESS = ("timm vit", "config.json"), ("open_clip", "open_clip_config.json"), ("dinov2", "preprocessor_config.json")


@pytest.mark.parametrize(
    ("place", "keys", "value", "message"),
    [
        (TIMM, ("pretrained_cfg", "interpolation"), "sharp", "images resized by 'sharp' and cropped by 'center'. We know nearest"),
        (TIMM, ("pretrained_cfg", "crop_mode"), "left", "images resized by 'bicubic' and cropped by 'left'"),
        (TIMM, ("pretrained_cfg", "crop_pct"), "most", "'most' where a number is wanted"),
        (TIMM, ("pretrained_cfg", "mean"), [0.1, None, 0.3], "None where a number is wanted"),
        (TIMM, ("pretrained_cfg", "input_size"), [1, 160, 160], "a network of images with 1 channels"),
        (TIMM, ("pretrained_cfg", "input_size"), [3, 160, 176], "images of 3×160×176 are not square"),
        (TIMM, ("pretrained_cfg", "input_size"), "large", "does not say rightly which network it is"),
        (TIMM, ("pretrained_cfg",), 7, "does not say rightly which network it is"),
        (TIMM, ("num_classes",), "many", "does not say rightly which network it is"),
        (TIMM, ("model_args",), ["depth"], "does not say rightly which network it is"),
        (OPEN_CLIP, ("model_cfg", "vision_cfg"), [], "no model_cfg with a vision_cfg in it"),
        (OPEN_CLIP, ("model_cfg", "embed_dim"), "24", "no vision_cfg and embed_dim in it"),
        (OPEN_CLIP, ("model_cfg", "vision_cfg", "depth_of_field"), 3, "this open_clip knows no depth_of_field of image towers"),
        (OPEN_CLIP, ("preprocess_cfg", "size"), [32, 48], "images of 32×48 are not square"),
        (OPEN_CLIP, ("preprocess_cfg", "size"), "large", "does not say rightly which network it is"),
        (OPEN_CLIP, ("preprocess_cfg", "resize_mode"), "tallest", "images resized by 'tallest'. We know "),
        (OPEN_CLIP, ("preprocess_cfg", "fill_color"), "red", "does not say rightly which network it is"),
        (PREPROCESS, ("crop_size",), {"height": 32, "width": 24}, "images are not made square"),
        (PREPROCESS, ("rescale_factor",), 1.0, "images are not resized, or not scaled to 0..1"),
        (PREPROCESS, ("image_processor_type",), "NoSuchProcessor", "transformers cannot read it"),
    ],
)
def test_what_a_config_says_wrongly_is_told(
    place: tuple[str, str], keys: tuple[str, ...], value: object, message: str, written: Callable[[str], Path], tmp_path: Path
) -> None:
    name, file = place
    folder = shutil.copytree(written(name), tmp_path / "C+C")
    content = json.loads((folder / file).read_text())
    part = content
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(UserError) as refused:
        read_weights(folder)
    assert message in str(refused.value) and "C+C" in str(refused.value)


def test_one_number_stands_for_three_colours_in_a_timm_folder_too(written: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(written("timm vit"), tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    content["pretrained_cfg"] |= {"mean": 0.5, "std": 0.25, "crop_mode": "border"}
    (folder / "config.json").write_text(json.dumps(content))
    weights = read_weights(folder)
    assert (weights.mean, weights.std) == ((0.5,) * 3, (0.25,) * 3) and weights.frame is not None and weights.frame.fill == (128, 128, 128)
