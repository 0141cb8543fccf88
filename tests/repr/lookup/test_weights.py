"""The weights of an index: what it notes of them, where they lie during a switch, and that changed ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.errors import UserError
from repr.lookup.weights import ANEW, WEIGHTS, beside, made_with, own_file, read_encoder, weights_file
from repr.models.weights import Weights, fresh, write_weights

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture
def weights(tmp_path: Path, thin: None) -> Weights:
    made = fresh("resnet18", 32, 0)
    write_weights(tmp_path / WEIGHTS, made)
    return made


def test_what_is_noted_is_what_embedding_depends_on(weights: Weights) -> None:
    assert made_with(weights) == {
        **{"identity": weights.identity, "name": weights.name, "arch": "resnet18", "size": 32},
        **{"crops": [], "dim": 512, "synthetic": False},
    }


def test_the_encoder_is_theirs_at_the_index_own_size_and_crops(weights: Weights, tmp_path: Path) -> None:
    noted = made_with(weights)
    encoder = read_encoder(tmp_path, {**noted, "size": 40, "crops": [1.0, 0.5]})  # type: ignore[typeddict-item]
    assert encoder.identity == weights.identity and encoder.size == 40 and encoder.crops == (1.0, 0.5)


def test_other_weights_in_their_place_are_refused(weights: Weights, tmp_path: Path) -> None:
    write_weights(tmp_path / WEIGHTS, fresh("resnet18", 32, 1))
    with pytest.raises(UserError) as raised:
        read_encoder(tmp_path, {**made_with(weights), "crops": [1.0]})  # type: ignore[typeddict-item]
    assert raised.value.message == f"not the weights the index was made with ({weights.identity})" and raised.value.remedy == ANEW


@pytest.mark.parametrize("content", [None, b"", b"cut short"])
def test_weights_that_are_gone_or_broken(weights: Weights, tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / WEIGHTS).unlink()
    if content is not None:
        (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_encoder(tmp_path, {**made_with(weights), "crops": [1.0]})  # type: ignore[typeddict-item]
    assert WEIGHTS in str(raised.value) and raised.value.remedy


def test_weights_of_a_switch_get_their_name_when_they_are_asked_for(weights: Weights, tmp_path: Path) -> None:
    following = fresh("resnet18", 32, 1)
    write_weights(beside(tmp_path, following.identity), following)
    assert weights_file(tmp_path, weights.identity) == tmp_path / WEIGHTS, "those of before stay until the switch"
    assert beside(tmp_path, following.identity).is_file()
    assert own_file(tmp_path, following.identity) == tmp_path / WEIGHTS and not beside(tmp_path, following.identity).exists()
    assert read_encoder(tmp_path, {**made_with(following), "crops": [1.0]}).identity == following.identity  # type: ignore[typeddict-item]


def test_the_next_weights_can_be_read_before_the_switch(weights: Weights, tmp_path: Path) -> None:
    following = fresh("resnet18", 32, 1)
    write_weights(beside(tmp_path, following.identity), following)
    for one in (weights, following):
        assert read_encoder(tmp_path, {**made_with(one), "crops": [1.0]}).identity == one.identity  # type: ignore[typeddict-item]
    assert beside(tmp_path, following.identity).is_file(), "reading alone renames nothing"
