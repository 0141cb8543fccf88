"""Interpolated weights: their numbers, and what they say of where they come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from repr.errors import UserError
from repr.models.mixing import between, mix
from repr.models.provenance import MIX, NOT_KNOWN, Provenance
from repr.models.weights import Weights, fresh, load_encoder, read_weights, write_weights

CLASSES = ("tea", "茶", "coffee")


def test_mixing_interpolates(trained: Weights) -> None:
    other = replace(fresh("resnet18", 64, 1), name="other")
    quarter = mix(trained, other, 0.25)
    for name in ("conv1.weight", "layer4.1.bn2.running_var"):
        torch.testing.assert_close(quarter.tensors[name], 0.75 * trained.tensors[name] + 0.25 * other.tensors[name])
    assert quarter.classes == () and "fc.weight" not in quarter.tensors
    assert quarter.size == 64
    assert mix(trained, trained, 0.5).classes == CLASSES and "fc.weight" in mix(trained, trained, 0.5).tensors
    assert mix(trained, other, 0).identity == trained.headless().identity
    assert mix(trained, other, 1).tensors["conv1.weight"].equal(other.tensors["conv1.weight"])


def test_what_cannot_be_mixed_is_refused(trained: Weights) -> None:
    with pytest.raises(UserError, match="cannot mix resnet18 with resnet34"):
        mix(trained, replace(trained, arch="resnet34"), 0.5)
    with pytest.raises(UserError, match="normalise images differently"):
        mix(trained, replace(trained, mean=(0.5, 0.5, 0.5)), 0.5)
    with pytest.raises(UserError, match=r"an alpha of 1\.5"):
        mix(trained, trained, 1.5)


def test_the_record_names_both_and_their_parts(trained: Weights) -> None:
    other = replace(fresh("resnet18", 64, 1), name="C+C → b")
    record = mix(trained, other, 0.25).provenance.last
    assert record is not None and record.method == MIX
    assert [(parent.name, parent.identity, parent.alpha) for parent in record.parents] == [
        ("first", trained.identity, 0.75),
        ("C+C → b", other.identity, 0.25),
    ]
    assert mix(trained, other, 0.25).synthetic and not mix(other, other, 0.25).synthetic


def test_a_mix_of_mixes_holds_each_step_once_and_is_read_again(trained: Weights, tmp_path: Path) -> None:
    soup = trained
    for n in range(12):  # were each step to hold a copy of the one before, there would be 4096 trainings in it
        soup = mix(soup, mix(soup, trained, 0.5), 1 / (n + 2))
    records = soup.provenance.records
    assert [record.method for record in records].count("supervised") == 1 and len(records) == 1 + 2 * 12
    write_weights(tmp_path / "soup.safetensors", soup)
    assert read_weights(tmp_path / "soup.safetensors").provenance == soup.provenance


@pytest.mark.parametrize("alpha", [0, 1])
def test_a_whole_number_is_a_part_too(trained: Weights, alpha: int, tmp_path: Path) -> None:
    """The keys by which records name each other are of the same text before and after a file: 1 is written as 1.0."""
    write_weights(tmp_path / "m.safetensors", mix(mix(trained, trained, alpha), trained, alpha))
    assert len(read_weights(tmp_path / "m.safetensors").provenance.records) == 3


def test_a_mix_with_what_is_not_known_is_not_known_in_part(trained: Weights) -> None:
    half = mix(trained, replace(trained, provenance=NOT_KNOWN, name="theirs"), 0.5).provenance
    assert half.unknown and half.synthetic and len(half.records) == 3


def test_crops_are_those_of_the_first_that_has_any(trained: Weights) -> None:
    close = replace(trained, crops=(1.0, 0.6))
    assert mix(close, trained, 0.5).crops == mix(trained, close, 0.5).crops == (1.0, 0.6)
    assert mix(replace(close, crops=(1.0,)), close, 0.5).crops == (1.0,)


def test_encoders_in_memory_are_mixed_like_files(trained: Weights) -> None:
    other = replace(fresh("resnet18", 32, 1), provenance=Provenance())
    mixed = between(load_encoder(trained), load_encoder(other), 0.25)
    expected = mix(trained, other, 0.25).tensors
    assert all(torch.equal(tensor, expected[name]) for name, tensor in mixed.network.state_dict().items())
