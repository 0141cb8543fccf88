"""Batch-norm statistics measured anew: on training images alone, as the record of the weights says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.images.reader import read_image, square
from repr.models.provenance import STATISTICS
from repr.models.weights import fresh
from repr.training.remeasured import Measured, remeasured

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture
def data(make_shop: Callable[..., Catalog], tmp_path: Path) -> Path:
    """64 training images and 16 of validation, as a catalog file."""
    make_shop(tmp_path / "C+C", val=4).write(tmp_path / "shop.parquet")
    return tmp_path / "shop.parquet"


def test_the_first_layers_statistics_are_those_of_the_training_images(data: Path, tmp_path: Path) -> None:
    weights = fresh("resnet18", 16, 0)
    measured = remeasured(weights, Measured([data]), device="cpu", workers=0)
    files = [file for file in sorted((tmp_path / "C+C").iterdir()) if int("".join(filter(str.isdigit, file.stem))) < 16]
    assert len(files) == 64
    images = torch.from_numpy(np.stack([square(read_image(file), 16) for file in files])).permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1).double() for each in (weights.mean, weights.std))
    maps = torch.nn.functional.conv2d((images - mean) / std, weights.tensors["conv1.weight"].double(), stride=4, padding=1)
    torch.testing.assert_close(measured.tensors["bn1.running_mean"].double(), maps.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(measured.tensors["bn1.running_var"].double(), maps.var((0, 2, 3)), rtol=1e-3, atol=1e-4)
    assert torch.equal(measured.tensors["conv1.weight"], weights.tensors["conv1.weight"])


def test_the_record_says_on_what_and_from_what(data: Path) -> None:
    weights = replace(fresh("resnet18", 16, 0), name="A: dairy")
    record = remeasured(weights, Measured([data], images=32), device="cpu", workers=0).provenance.last
    assert record is not None and record.method == STATISTICS and record.settings == {"images": 32}
    assert [(parent.name, parent.identity) for parent in record.parents] == [("A: dairy", weights.identity)]
    (learned,) = record.data
    assert learned.trained.n == 64 and learned.whole.n == 80, "all that might have been drawn"


def test_the_seed_draws_the_images_and_others_do_not_matter(data: Path, tmp_path: Path) -> None:
    weights = fresh("resnet18", 16, 0)

    def statistics(seed: int) -> list[float]:
        return remeasured(weights, Measured([data], images=8, seed=seed), device="cpu", workers=0).tensors["bn2.running_var"].tolist()  # type: ignore[no-any-return]

    before = statistics(0)
    assert statistics(0) == before and statistics(1) != before
    for file in (tmp_path / "C+C").glob("*1[6-9].png"):  # those of validation
        Image.new("RGB", (24, 24)).save(file)
    assert statistics(0) == before


def test_too_few_images_are_told(data: Path) -> None:
    with pytest.raises(UserError, match="one image has no batch statistics to measure"):
        remeasured(fresh("resnet18", 16, 0), Measured([data], images=1), device="cpu", workers=0)
    with pytest.raises(UserError, match=r"nowhere"):
        remeasured(fresh("resnet18", 16, 0), Measured(["nowhere"]), device="cpu", workers=0)
