"""Which rows a grid has, and with which weights each is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.classify.combinations import combine
from repr.classify.settings import Settings
from repr.errors import UserError
from repr.models.weights import fresh, write_weights


def test_every_combination_once_models_outermost_and_levels_innermost() -> None:
    rows = combine(Settings(lr=0.1), models=["ngram", "lstm"], levels=[1, 2], hierarchies=["flat", "rnn"], shares=[0.5, 1])
    assert len(rows) == 16 and len(set(rows)) == 16 and {row.lr for row in rows} == {0.1}
    assert [(row.model, row.hierarchy, row.fine_share, row.level) for row in rows[:5]] == [
        ("ngram", "flat", 0.5, 1), ("ngram", "flat", 0.5, 2), ("ngram", "flat", 1.0, 1), ("ngram", "flat", 1.0, 2), ("ngram", "rnn", 0.5, 1)
    ]  # fmt: skip


def test_weights_go_to_the_models_that_can_use_them(tmp_path: Path) -> None:
    own = str(tmp_path / "w.safetensors")
    write_weights(tmp_path / "w.safetensors", fresh("resnet50", 32, 0))

    def weights(model: str, *named: str) -> list[str]:
        return [row.weights for row in combine(Settings(), models=[model], levels=[1], weights=named)]

    assert weights("ngram", own, "imagenet") == [""]
    assert weights("encoder", own, "imagenet") == [own, "imagenet"] and weights("gated") == [""]
    assert weights("resnet50", own, "none") == [own, ""] and weights("vgg19", own) == [""]


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="Did you mean ngram"):
        combine(Settings(), models=["ngramm"], levels=[1])
    with pytest.raises(UserError, match="scale"):
        Settings(scale=0)
    with pytest.raises(UserError, match="level"):
        combine(Settings(), models=["ngram"], levels=[4])
