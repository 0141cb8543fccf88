"""The Rakuten challenge's files, drawn small; tiny random models in the layouts of other libraries, and what those make of an image."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn


class Offer(NamedTuple):
    """One product to be written: title and description as a shop has them, its image a file or pixels, its class."""

    title: str
    description: str
    image: Path | np.ndarray | None
    code: int


Write = Callable[[Path, str, Sequence[Offer]], Path]
HEADS = {
    "sigir": ["Integer_id", "Title", "Description", "Image_id", "Product_id"],
    "ens": ["", "designation", "description", "productid", "imageid"],
}
WORDS = {
    10: "livre roman d&#39;amour",
    2280: "magazine <b>ancien</b> n&deg; 12",
    1281: "jeu de soci&eacute;t&eacute;",
    2583: "pompe piscine &amp; filtre",
}


@pytest.fixture(scope="session")
def write_rakuten() -> Write:
    """Write offers into a folder in the layout "sigir" or "ens"; ids beyond 32 bits."""

    def write(root: Path, layout: str, offers: Sequence[Offer], part: str = "train") -> Path:
        folder = root / "images" / f"image_{part}"
        folder.mkdir(parents=True, exist_ok=True)
        products, labels = [], []
        for n, offer in enumerate(offers):
            product, image = 3_000_000_000 + 7 * n, 5_000_000_000 + n
            path = folder / f"image_{image}_product_{product}.jpg"
            if isinstance(offer.image, Path):
                path.write_bytes(offer.image.read_bytes())
            elif offer.image is not None:
                Image.fromarray(offer.image).save(path)
            ids = [image, product] if layout == "sigir" else [product, image]
            products.append([n, offer.title, offer.description, *ids])
            labels.append([offer.code] if layout == "sigir" else [n, offer.code])
        mark, end = ("\t", "tsv") if layout == "sigir" else (",", "csv")
        names = (f"X_{part}.tsv", f"Y_{part}.tsv") if layout == "sigir" else (f"X_{part}_update.csv", f"Y_{part}_CVw08PX.csv")
        head = ["Prdtypecode"] if layout == "sigir" else ["", "prdtypecode"]
        if layout == "ens":
            labels.reverse()  # joined by their index, not by their place
        for name, header, rows in ((names[0], HEADS[layout], products), (names[1], head, labels)):
            assert name.endswith(end)
            with (root / name).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, delimiter=mark).writerows([header, *rows])
        return root

    return write


@pytest.fixture(scope="session")
def offers() -> list[Offer]:
    """120 offers of 4 classes: titles with HTML, descriptions with line breaks or missing, images of one colour a class."""
    rng = np.random.default_rng(0)
    pairs = []
    for n in range(120):
        code = list(WORDS)[n % 4]
        pixels = np.clip(
            np.array([(200, 40, 40), (40, 180, 40), (40, 40, 200), (200, 200, 40)][n % 4]) + rng.normal(0, 40, (24, 24, 3)), 0, 255
        )
        words = " ".join(rng.permutation(WORDS[code].split())[: 2 + n % 3])
        description = "" if n % 5 == 0 else "nan" if n % 7 == 0 else f'<p>Très bon état,\n{words}</p><br />"comme neuf"'
        pairs.append(Offer(f"{words} {n}", description, pixels.astype(np.uint8), code))
    return pairs


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
VISION = {"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16}
TEXT = {"context_length": 8, "vocab_size": 60, "width": 16, "heads": 1, "layers": 1}


@dataclass(frozen=True)
class Theirs:
    """pixels: an image → (3, s, s), normalised, as the library prepares it; vectors: (b, 3, s, s) → (b, d), as it embeds them."""

    pixels: Callable[[Image.Image], Tensor]
    vectors: Callable[[Tensor], Tensor]


def shaken(network: nn.Module) -> nn.Module:
    """Nothing in it is 0 or 1: layer scales, biases and batch norms as after some training."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator)
                tensor.copy_(0.5 + noise if name.endswith("running_var") else tensor + 0.2 * (noise - 0.5))
    return network.eval()


def timm_folder(folder: Path, name: str = "test_vit", **arguments: Any) -> Theirs:
    """A network of timm's, as `save_for_hf` writes it."""
    timm = pytest.importorskip("timm")
    hub = pytest.importorskip("timm.models._hub")
    network = shaken(timm.create_model(name, num_classes=5, **arguments))
    hub.save_for_hf(network, folder, safe_serialization=True, model_args=arguments)
    again = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    config = timm.data.resolve_model_data_config(again)
    return Theirs(timm.data.create_transform(**config, is_training=False), again)


def open_clip_folder(folder: Path, vision: dict[str, Any] = VISION, **preprocess: Any) -> Theirs:
    """A CLIP as open_clip's push_to_hf_hub writes it."""
    open_clip = pytest.importorskip("open_clip")
    model = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT, "quick_gelu": True}
    network = shaken(open_clip.model.CLIP(**{**model, "vision_cfg": dict(vision), "text_cfg": dict(TEXT)}))
    folder.mkdir()
    config = {"model_cfg": model, "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.25], **preprocess}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    again, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return Theirs(transform, again.eval().encode_image)


def transformers_folder(folder: Path, kind: str) -> Theirs:
    """One of transformers' models, as `save_pretrained` writes it, with its image processor."""
    library = pytest.importorskip("transformers")
    library.utils.logging.disable_progress_bar()
    patches = {"image_size": 32, "patch_size": 8, **SMALL}
    texts = {**SMALL, "vocab_size": 60, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "projection_dim": 24}
    stages = {"hidden_sizes": [16, 16, 24, 32], "depths": [1, 1, 2, 1], "image_size": 64}
    square, cut = {"height": 32, "width": 32}, {"shortest_edge": 40}
    towers: dict[str, tuple[str, Any, str, dict[str, Any]]] = {
        "dinov2": ("Dinov2Model", {**patches, "patch_size": 8}, "BitImageProcessor", {"size": cut, "crop_size": square}),
        "dinov3_vit": ("DINOv3ViTModel", {**patches, "num_register_tokens": 2}, "DINOv3ViTImageProcessor", {"size": square}),
        "siglip": ("SiglipModel", {"vision_config": patches, "text_config": texts}, "SiglipImageProcessor", {"size": square}),
        "clip": (
            "CLIPModel",
            {"vision_config": patches, "text_config": texts, "projection_dim": 24},
            "CLIPImageProcessor",
            {"size": {"shortest_edge": 32}, "crop_size": square},
        ),
        "convnext": ("ConvNextForImageClassification", stages, "ConvNextImageProcessor", {"size": {"shortest_edge": 64}, "crop_pct": 0.9}),
        "vit": ("ViTForImageClassification", patches, "ViTImageProcessor", {"size": square}),
    }
    of, config, processor_of, options = towers[kind]
    network = shaken(getattr(library, of)(library.AutoConfig.for_model(kind, **config)))
    network.save_pretrained(folder)  # type: ignore[operator]
    getattr(library, processor_of)(**options).save_pretrained(folder)
    # By Pillow where the kind has that: transformers' two ways of resizing by bicubic differ from each other by up to two levels.
    processor = library.AutoImageProcessor.from_pretrained(folder, backend="pil")
    again = getattr(library, of).from_pretrained(folder).eval()

    def vectors(batch: Tensor) -> Tensor:
        if kind in ("siglip", "clip"):
            features = again.get_image_features(pixel_values=batch)
            return features if isinstance(features, Tensor) else features.pooler_output
        if kind == "vit":
            return again.vit(pixel_values=batch).last_hidden_state[:, 0]
        return (again.convnext if kind == "convnext" else again)(pixel_values=batch).pooler_output

    return Theirs(lambda image: processor(images=image, return_tensors="pt")["pixel_values"][0], vectors)


LAYOUTS: dict[str, Callable[[Path], Theirs]] = {
    "timm vit": lambda folder: timm_folder(folder),
    "timm, another vit": lambda folder: timm_folder(folder, "test_vit2"),
    "timm cnn, cropped": lambda folder: timm_folder(folder, "test_convnext"),
    "timm, another size": lambda folder: timm_folder(folder, img_size=96, global_pool="avg"),
    "timm resnet": lambda folder: timm_folder(folder, "test_resnet"),
    "open_clip": lambda folder: open_clip_folder(folder, interpolation="bilinear"),
    "open_clip, wider": lambda folder: open_clip_folder(folder, {**VISION, "width": 48}),
    "open_clip, squashed": lambda folder: open_clip_folder(folder, resize_mode="squash"),
    "open_clip, padded": lambda folder: open_clip_folder(folder, resize_mode="longest", fill_color=7),
    "open_clip resnet": lambda folder: open_clip_folder(
        folder, {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 16, "patch_size": None}
    ),
    "open_clip around timm": lambda folder: open_clip_folder(
        folder, {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "timm_model_pretrained": False}
    ),
    **{
        kind: lambda folder, kind=kind: transformers_folder(folder, kind)
        for kind in ("dinov2", "dinov3_vit", "siglip", "clip", "convnext", "vit")
    },
}


@pytest.fixture(scope="session")
def layouts() -> dict[str, Callable[[Path], Theirs]]:
    """Writers of folders, by name."""
    return LAYOUTS
