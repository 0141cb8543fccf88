"""Networks of any library are trained by every method from where others left them, and what comes of them is used like any weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from repr.catalog.table import Catalog
from repr.learners.networks import described, network_arrays, rebuilt
from repr.learners.stored import Stored
from repr.lookup.index import Index
from repr.methods import METHODS
from repr.models.backbones import head_names
from repr.models.mixing import mix
from repr.models.weights import load_encoder, read_weights

Train = Callable[..., dict[str, Any]]


def moved(before: Path, after: str) -> set[str]:
    """Names of the floating-point tensors that training changed."""
    start, end = read_weights(before).headless().tensors, load_file(after)
    return {name for name, tensor in start.items() if tensor.is_floating_point() and not torch.equal(tensor, end[name])}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", ["timm vit", "clip"])
def test_every_method_goes_on_from_it(method: str, layout: str, train: Train, make_shop: Any, layouts: Any, tmp_path: Path) -> None:
    layouts[layout](tmp_path / "model")
    shop = make_shop(tmp_path / "shop", per_class=4)
    settings = {"method": method, "init": str(tmp_path / "model"), "epochs": 1, "size": 32, "val_share": 0.0, "lr": 0.1}
    weights = train(shop, tmp_path / "run", **settings)["weights"]
    read, start = read_weights(Path(weights)), read_weights(tmp_path / "model")
    assert (read.arch, read.frame, read.mean, read.size) == (start.arch, start.frame, start.mean, 32)
    assert [record.method for record in read.provenance.records] == ["unknown", method] and read.provenance.unknown
    assert len(moved(tmp_path / "model", weights)) > 0.8 * len(start.headless().tensors)


@pytest.mark.parametrize("layout", ["open_clip", "dinov2", "dinov3_vit", "convnext", "timm cnn, cropped"])
def test_other_layouts_are_fine_tuned_and_interpolated(layout: str, train: Train, shop: Catalog, layouts: Any, tmp_path: Path) -> None:
    layouts[layout](tmp_path / "model")
    weights = train(shop, tmp_path / "run", method="supervised", init=str(tmp_path / "model"), size=64, epochs=1, lr=0.05)["weights"]
    tuned, start = read_weights(Path(weights)), read_weights(tmp_path / "model")
    assert tuned.classes and set(head_names(tuned.arch)) <= set(tuned.tensors)
    half = mix(start, tuned, 0.5)
    assert half.frame == start.frame and half.provenance.unknown
    pixels = torch.randint(0, 256, (2, tuned.size, tuned.size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b, c = (load_encoder(each).encode(pixels) for each in (start, half, tuned))
    assert not torch.allclose(a, c) and torch.isfinite(b).all()


def test_a_network_of_timms_by_name_is_trained_from_scratch(train: Train, shop: Catalog, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    read = read_weights(Path(train(shop, tmp_path / "run", arch="test_vit", size=32, epochs=1)["weights"]))
    assert (read.arch, read.size, read.provenance.unknown, read.frame) == ("test_vit", 32, False, None)


@pytest.mark.parametrize("layout", ["timm vit", "siglip"])
def test_an_index_looks_through_their_own_crop(layout: str, shop: Catalog, layouts: Any, tmp_path: Path) -> None:
    layouts[layout](tmp_path / "model")
    index = Index.create(tmp_path / "shop.index", weights=tmp_path / "model", device="cpu")
    index.add_catalog(shop)
    again = Index.open(tmp_path / "shop.index", device="cpu")
    assert again.weights["crops"] == [1.0] and again.embedder.encoder.frame == read_weights(tmp_path / "model").frame
    (file, *_) = shop.files()
    assert again.lookup(file, 1).matches[0].score == pytest.approx(1, abs=1e-4)


def test_a_saved_learner_brings_its_network_along(layouts: Any, tmp_path: Path) -> None:
    layouts["dinov2"](tmp_path / "model")
    encoder = load_encoder(tmp_path / "model")
    about = json.loads(json.dumps(described(encoder)))
    again = rebuilt(about, Stored(network_arrays(encoder.network)))
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert again.frame == encoder.frame and torch.equal(again.encode(pixels), encoder.encode(pixels))
