"""The challenge's Table 1: the paper's five rows beside ours, and what decision-level fusion gains, plainly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from repr.classify.challenge import PAPER, kind_of, remarks
from repr.classify.grid import Request
from repr.classify.request import Answer, ask
from repr.classify.settings import Settings
from repr.classify.summary import ClassifyRow, summarise
from repr.classify.tables import DECISION, FEATURE
from repr.experiments.trials import Trial, Wanted
from repr.reports.classify_report import table, write


def made(model: str, *values: float) -> ClassifyRow:
    """A row with these macro-F1 by its seeds, of a split that the data bring."""
    trials = [Trial({"top1": 0.5, "f1_macro": value}, {"held_out": True}) for value in values]
    found = [(Wanted(0, seed, model, "", "split"), trial) for seed, trial in enumerate(trials)]
    return summarise(Settings(model=model, split="own"), found, by_seed=False)


def test_every_row_of_the_paper_has_a_kind_and_every_row_of_ours_one_of_them() -> None:
    kinds = {kind_of(model, "image+text") for model in (*FEATURE, *DECISION, "committee")}
    assert kinds | {kind_of("encoder", "image"), kind_of("bert", "text+ocr")} == set(PAPER)


def test_what_fusion_gains_is_told_with_its_interval() -> None:
    single = [made("encoder", 0.60, 0.62, 0.61), made("ngram", 0.5, 0.5, 0.5)]
    fused = [made("concat", 0.66, 0.64, 0.71), made("layers", 0.65, 0.66, 0.66), made("mean", 0.9, 0.89, 0.92)]
    papers, best, beside, best_beside = remarks([*single, *fused])[-4:]
    half = stats.t.ppf(0.975, 2) * stats.tstd([5.0, 4.0, 5.0]) / 3**0.5
    assert papers.startswith(f"layers over the better single modality (encoder): +4.7 ± {half:.1f} points") and papers.endswith(
        "above zero"
    )
    assert best.startswith("mean over the better single modality (encoder): +29.3")
    assert beside.startswith("layers over the best feature-level row (concat)") and beside.endswith("it may be nothing")
    assert best_beside.startswith("mean over the best feature-level row (concat): +23.3")


def test_a_loss_is_told_as_one() -> None:
    (line,) = [line for line in remarks([made("encoder", 0.6, 0.61, 0.62), made("layers", 0.5, 0.52, 0.51)]) if " over " in line]
    assert line.endswith("points of macro-F1; below zero")


def test_rows_that_were_not_run_are_said_so() -> None:
    said = remarks([made("ngram", 0.5)])
    assert "text: paper 89.93 / –, ours 50.0 (ngram)" in said and "image: paper 69.21 / –, ours not run" in said and len(said) == 6
    assert "text: paper 89.93 / –, ours 50.0 ± 2.5 (ngram)" in remarks([made("ngram", 0.49, 0.51, 0.5)])


def test_levels_are_told_apart() -> None:
    rows = [made("ngram", 0.5), made("layers", 0.6)]
    fine = [replace(row, config=replace(row.config, level=3)) for row in rows]
    said = remarks([*rows, *fine])
    assert len(said) == 1 + 2 * (5 + 1) and said[7].startswith("Level 3, preset grouped: image: paper")


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory, write_rakuten: Callable[..., Path], offers: Sequence[object]) -> Answer:
    root = tmp_path_factory.mktemp("rakuten")
    data = write_rakuten(root / "data", "ens", offers)
    small = {"size": 32, "scale": 0.05, "epochs": 1, "weights": ("none",), "seeds": 2}
    models = ("encoder", "ngram", "concat", "layer", "mean", "committee")
    return ask("rakuten", Request(data=(str(data),), models=models, split="stratified", **small), root / "run")  # type: ignore[arg-type]


def test_the_challenges_own_files_become_its_table(answer: Answer) -> None:
    assert [row.config.model for row in answer.rows] == ["encoder", "ngram", "concat", "mean", "layer", "committee"]
    assert {row.config.split for row in answer.rows} == {"stratified"} and {row.mean("rows/test") for row in answer.rows} == {12}
    assert {test.metric for test in answer.document.comparisons} == {"f1_macro"} and len(answer.document.comparisons) == 4 * 2
    assert sum(note.partition(":")[0] in PAPER for note in answer.document.notes) == 5
    header, body = table(answer)
    assert "F1 macro" in header and "F1 weighted" in header and len(body) == 6
    assert "Difference of F1 macro in points" in write(answer).read_text(encoding="utf-8")
