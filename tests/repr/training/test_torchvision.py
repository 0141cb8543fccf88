"""Weights that a training wrote, in torchvision's own network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torchvision
from safetensors.torch import load_file

from repr.catalog.table import Catalog
from repr.methods.settings import SupervisedSettings

Train = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(("own", "missing"), [(SupervisedSettings(), []), (SupervisedSettings(projector=True), ["fc.weight", "fc.bias"])])
def test_they_load_strictly_and_without_a_head_only_the_head_is_missing(
    train: Train, shop: Catalog, tmp_path: Path, own: SupervisedSettings, missing: list[str]
) -> None:
    result = train(shop, tmp_path / "run", own=own, epochs=1)
    network = torchvision.models.resnet18(num_classes=4)
    assert network.load_state_dict(load_file(result["weights"]), strict=not missing) == (missing, [])
