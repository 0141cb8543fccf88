"""What a row's settings come to: what it reads, how it is trained, what its identity is, what results say of it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.classify import ENCODERS, FUSIONS, MODELS
from repr.classify.grid import Request
from repr.classify.hierarchy import NETS, WEAK
from repr.classify.settings import RowConfig, Settings, Shared
from repr.errors import UserError
from repr.records import from_json, to_json
from repr.settings import declared, from_mapping, values

VARIED = {
    "level": st.integers(1, 3),
    "mask": st.booleans(),
    "ocr": st.booleans(),
    "weights": st.sampled_from(["", "imagenet", "runs/mine"]),
    "text_encoder": st.sampled_from(ENCODERS),
    "end_to_end": st.sampled_from([None, True, False]),
    "epochs": st.none() | st.integers(1, 50),
    "lr": st.none() | st.floats(1e-5, 1),
    "scale": st.floats(0.1, 1),
    "seed": st.integers(0, 100),
    "fuse_hidden": st.integers(1, 9),
    "pooling": st.sampled_from(["mean", "pooled"]),
}
ROWS = st.builds(Settings, model=st.sampled_from(list(MODELS)), **VARIED) | st.builds(
    Settings,
    model=st.sampled_from([name for name in MODELS if name not in FUSIONS or name == "concat"]),
    hierarchy=st.sampled_from(list(NETS)),
    **VARIED,
)


@pytest.mark.parametrize(
    ("model", "ocr", "modality", "parts"),
    [
        ("resnet50", True, "image", ()),
        ("ngram", False, "text", ()),
        ("ngram", True, "text+ocr", ("title", "ocr")),
        ("gated", False, "image+text", ("image", "text")),
        ("gated", True, "image+text+ocr", ("image", "text", "title", "ocr")),
    ],
)
def test_what_a_row_sees_and_can_be_without(model: str, ocr: bool, modality: str, parts: tuple[str, ...]) -> None:
    row = Settings(model=model, ocr=ocr)
    assert (row.modality, row.parts) == (modality, parts)


@pytest.mark.parametrize(
    ("model", "hierarchy", "encoder"), [("ngram", "", ""), ("bert", "flat", "bert"), ("concat", "", "lstm"), ("resnet50", "flat", "")]
)
def test_what_makes_the_text_features(model: str, hierarchy: str, encoder: str) -> None:
    assert Settings(model=model, hierarchy=hierarchy, text_encoder="lstm").encoder == encoder


def test_training_follows_the_preset_and_the_scale() -> None:
    assert Settings().training(20) == {"epochs": 20, "lr": 1e-3, "batch_size": 64, "halve_every": 0}
    assert Settings(preset="paper", scale=0.25).training(10) == {"epochs": 2, "lr": 1e-3, "batch_size": 64, "halve_every": 2}
    assert Settings(epochs=7, scale=0.25, lr=0.1, batch_size=8).training(20) == {"epochs": 7, "lr": 0.1, "batch_size": 8, "halve_every": 0}
    assert (
        Settings(scale=0.01).training(5)["epochs"] == 1 and Settings(scale=0.5).scaled(101) == 50 and Settings(scale=0.1).scaled(20) == 16
    )


def test_adamw_is_for_bert_end_to_end_where_no_preset_says_otherwise() -> None:
    """Warm-up over a tenth of the steps, then down to 0 in a line, and weights decayed."""
    row = Settings(model="bert", end_to_end=True, optimiser="adamw", preset="paper")
    recipe = row.recipe(3, "text")
    assert (recipe["optimiser"], recipe["weight_decay"], recipe["halve_every"]) == ("adamw", 0.01, 0)
    assert [round(recipe["schedule"](done), 3) for done in (0.05, 0.1, 0.55, 1.0)] == [0.5, 1.0, 0.5, 0.0]
    assert (
        "optimiser" not in replace(row, optimiser="adam").recipe(3, "text") and row.relevant() != replace(row, optimiser="adam").relevant()
    )
    for other in (replace(row, end_to_end=False), replace(row, model="ngram"), replace(row, hierarchy="flat")):
        assert other.config.optimiser == "adam" and other.relevant() == replace(other, optimiser="adam").relevant()
    assert replace(row, preset="rakuten").recipe(3, "text")["lr"] == 3e-5


@settings(deadline=None)
@given(ROWS)
def test_what_a_row_does_not_look_at_is_not_its_identity(row: Settings) -> None:
    own = row.relevant()
    assert not {"device", "workers"} & set(own) and own == replace(row, device="cpu", workers=1).relevant()
    seen = row.modality
    other = {"weights": "other", "mask": not row.mask, "text_encoder": "bert" if row.text_encoder != "bert" else "lstm"}
    looked_at = {"weights": "image" in seen, "mask": "text" in seen, "text_encoder": "image+text" in seen}
    for name, value in other.items():
        assert (replace(row, **{name: value}).relevant() != own) is looked_at[name], name
    assert replace(row, level=row.level % 3 + 1).relevant() != own


@settings(deadline=None)
@given(ROWS)
def test_the_config_in_results_is_read_back(row: Settings) -> None:
    config = row.config
    assert from_json(RowConfig, to_json(asdict(config))) == config
    assert config.masked == (row.mask and "text" in row.modality) and (config.weak == "") == (row.hierarchy == "")
    assert (config.model, config.level, config.epochs, config.modality) == (row.model, row.level, row.epochs, row.modality)


@pytest.mark.parametrize("weak", WEAK)
def test_weak_supervision_is_said_of_hierarchical_rows_alone(weak: str) -> None:
    assert Settings(hierarchy="flat", weak=weak).config.weak == weak and Settings(weak=weak).config.weak == ""


def test_what_is_beyond_the_limits() -> None:
    with pytest.raises(UserError, match="share of fine labels is for hierarchical nets"):
        Settings(fine_share=0.5)
    for wrong in ({"model": "ngramm"}, {"hierarchy": "round"}, {"level": 0}, {"adjust": -1.0}, {"lr": 0.0}, {"scale": 1.5}, {"limit": -1}):
        with pytest.raises(UserError):
            Settings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": ("ngramm",)}, "Did you mean ngram"),
        ({"nets": ("flatt",)}, "Did you mean flat"),
        ({"levels": (4,)}, "It takes from 1 to 3"),
        ({"shares": (0.0,)}, "It takes above 0 to 1"),
        ({"scale": 0}, "It takes above 0 to 1"),
        ({"lr": float("inf")}, "lr is inf"),
        ({"adjust": -1}, "It takes 0 or more"),
        ({"split": "own"}, "random, stratified, grouped"),
        ({"balanced": True, "adjust": 1.0}, "given with `balanced`"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        Request(**given)
    assert words in str(refused.value) and refused.value.argument == list(given)[-1]


def test_a_request_comes_back_from_its_config() -> None:
    request = Request(data=("a", "b"), models=("ngram", "gated"), levels=(1, 2), mask=True, shares=(0.5,), seeds=2)
    assert Request(**from_mapping(Request, values(request))) == request


@pytest.mark.parametrize(
    ("given", "words"),
    [({"model": "bertt"}, "Did you mean bert"), ({"hierarchy": "rn"}, "Did you mean rnn"), ({"fine_share": 0.5}, "for hierarchical nets")],
)
def test_a_row_is_checked(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Settings(**given)


def test_what_rows_share_is_declared_once() -> None:
    shared = declared(Shared)
    for owner in (Settings, Request):
        assert {name: one for name, one in declared(owner).items() if name in shared} == shared


def test_a_row_is_known_by_what_it_looks_at() -> None:
    text = Settings(model="ngram")
    assert text.relevant() == Settings(model="ngram", size=64, weak="residual", workers=2).relevant()
    assert Settings(model="encoder").relevant() != Settings(model="encoder", size=64).relevant()
