"""Batch norm's statistics, measured anew: against the averages taken by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from repr.errors import UserError
from repr.models.batchnorm import reestimate_batchnorm
from repr.models.provenance import STATISTICS, Data, Images, Learned
from repr.models.weights import Weights, load_encoder

CLASSES = ("tea", "茶", "coffee")
LEARNED = Learned((Data("shelf", Images(2, "k"), Images(2, "k")),), {"k": "hashes"})


def images(seed: int = 0, n: int = 16, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_batchnorm_is_measured_anew(trained: Weights) -> None:
    batches = [images(seed) for seed in range(3)]
    measured = reestimate_batchnorm(trained, batches, LEARNED)
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
    assert trained.identity != measured.identity == reestimate_batchnorm(trained, batches, LEARNED).identity
    with pytest.raises(UserError, match="no images"):
        reestimate_batchnorm(trained, [], LEARNED)


def test_batchnorm_is_measured_on_all_crops_at_once(trained: Weights) -> None:
    """The variance is that of both crops together, as a batch of twice the images has it."""
    batch = images(0)
    batch[:, 8:24, 8:24] //= 8  # so that the middles are darker, and the variance between the crops matters
    measured = reestimate_batchnorm(replace(trained, crops=(1.0, 0.5)), [batch], LEARNED)
    encoder = load_encoder(trained)
    whole, middle = (part.permute(0, 3, 1, 2) / 255 for part in (batch, batch[:, 8:24, 8:24]))
    middle = torch.nn.functional.interpolate(middle, (32, 32), mode="bilinear", antialias=True, align_corners=False)
    with torch.no_grad():
        stem = encoder.network.conv1((torch.cat([whole, middle]) - encoder._shift) / encoder._scale)
    torch.testing.assert_close(measured.tensors["bn1.running_var"], stem.var((0, 2, 3)), atol=1e-5, rtol=1e-4)


def test_the_images_that_were_measured_on_leave_their_record(trained: Weights) -> None:
    provenance = reestimate_batchnorm(trained, [images()], LEARNED).provenance
    assert [record.method for record in provenance.records] == ["supervised", STATISTICS]
    assert provenance.last is not None and provenance.last.data == LEARNED.data and provenance.last.settings == {"images": 16}
    assert provenance.hashes == {"k": "hashes"} and provenance.last.parents == (trained.as_parent(),)
