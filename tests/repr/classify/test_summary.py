"""Rows over seeds, what is compared with what, and the caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from scipy import stats

from repr.classify.settings import Settings
from repr.classify.summary import ClassifyRow, caption, comparisons, left_out, name, redrawn, summarise, title
from repr.experiments.trials import NotRun, Trial, Wanted

SIZES = {"rows/train": 300.0, "rows/test": 9.0}


def made(settings: Settings, top1: Mapping[int, float | str], *, by_seed: bool = True, split: str = "", **more: float) -> ClassifyRow:
    """A row of these accuracies by seed; text is why a seed was not run."""
    found = [
        (
            Wanted(0, seed, settings.model, "", split or f"split {seed}"),
            NotRun(value) if isinstance(value, str) else Trial({**SIZES, **more, "top1": value}, {"held_out": True}),
        )
        for seed, value in top1.items()
    ]
    return summarise(settings, found, by_seed=by_seed)


def top1(row: ClassifyRow) -> tuple[float, float | None]:
    found = row.row.metrics["top1"]
    return found.mean, found.ci95


NGRAM, GATED = Settings(mask=True, split="own"), Settings(model="gated", mask=True, split="own")


def test_means_intervals_and_paired_differences() -> None:
    rows = [made(NGRAM, {0: 0.5, 1: 0.6, 2: 0.7}), made(GATED, {0: 0.71, 1: 0.8, 2: 0.92})]
    assert top1(rows[0]) == pytest.approx((0.6, stats.t.ppf(0.975, 2) * 0.1 / 3**0.5))
    (found,) = comparisons(rows)
    expected = stats.ttest_rel([0.71, 0.8, 0.92], [0.5, 0.6, 0.7])
    assert (found.a, found.b, found.against, found.metric, found.n) == (1, 0, "modality", "top1", 3)
    assert found.difference == pytest.approx(0.21) and found.p == pytest.approx(expected.pvalue)


def test_a_seed_that_cannot_be_run_is_left_out_of_the_mean_and_named() -> None:
    """As with a small limit, where one seed draws a single class; the other seeds are still compared."""
    row = made(NGRAM, {0: "all of one class", 1: 0.6, 2: 0.7})
    assert row.row.seeds == (1, 2) and top1(row)[0] == pytest.approx(0.65) and list(row.trials) == [1, 2]
    assert row.row.note == "not run: all of one class" and row.row.error == "" and "Means over 2 seeds" in caption([row])
    (found,) = comparisons([row, made(GATED, {0: 0.9, 1: 0.8, 2: 0.8})])
    assert found.n == 2 and found.difference == pytest.approx(0.15)


def test_intervals_are_widened_by_the_split_not_by_a_limit() -> None:
    seeds = {0: 0.5, 1: 0.6, 2: 0.7}
    own, anew, once, limited = (
        top1(made(settings, seeds, by_seed=by_seed))[1]
        for settings, by_seed in (
            (NGRAM, True),
            (replace(NGRAM, split="grouped"), True),
            (replace(NGRAM, split="grouped"), False),  # one seed divides the data for all
            (replace(NGRAM, split="grouped", limit=10), True),
        )
    )
    assert own is not None and anew is not None and anew / own == pytest.approx(((1 / 3 + 0.25) * 3) ** 0.5)
    assert limited == anew and once == own
    assert redrawn("own, grouped", by_seed=True) == 0.25 and redrawn("own", by_seed=True) == redrawn("random", by_seed=False) == 0


def pairs(rows: Sequence[ClassifyRow]) -> list[tuple[int, int, str]]:
    return [(test.a, test.b, test.against) for test in comparisons(rows)]


def test_rows_are_compared_with_their_like_alone() -> None:
    both = Settings(model="concat", weights="a", hierarchy="flat", mask=True)
    deep = replace(both, hierarchy="rnn")
    assert pairs([made(deep, {0: 0.6}), made(both, {0: 0.5})]) == [(0, 1, "flat")]
    for other in ({"weights": "b"}, {"weak": "residual"}, {"text_encoder": "bert"}, {"mask": False}, {"level": 1}, {"part": "meats"}):
        assert not pairs([made(replace(deep, **other), {0: 0.6}), made(both, {0: 0.5})])  # type: ignore[arg-type]
    fused, image = Settings(model="concat", weights="a", mask=True), Settings(model="encoder", weights="a")
    assert pairs([made(fused, {0: 0.6}), made(image, {0: 0.5})]) == [(0, 1, "modality")]
    assert not pairs([made(fused, {0: 0.6}), made(replace(image, weights="b"), {0: 0.5})])
    assert not pairs([made(fused, {0: 0.6}), made(Settings(), {0: 0.5})])  # titles whole beside masked ones
    assert not pairs([made(fused, {0: 0.6}), made(Settings(mask=True, ocr=True), {0: 0.5})])  # OCR text beside none
    assert not pairs([made(fused, {0: 0.6}, split="x"), made(image, {0: 0.5}, split="y")])  # other splits
    assert not pairs([made(fused, {0: "broken"}), made(image, {0: 0.5})])


def test_rows_in_words() -> None:
    row = Settings(model="encoder", hierarchy="flat", weights="runs/mine", fine_share=0.2, balanced=True, part="meats").config
    assert name(row, {"runs/mine": "mine"}) == "encoder mine flat 20 % children balanced"
    assert title(row, {"runs/mine": "mine"}) == "encoder mine flat 20 % children balanced, meats"
    assert title(Settings(ocr=True, mask=True, adjust=1.5).config, {}) == "ngram adjusted 1.5 + OCR (masked)"


def test_what_could_not_be_run_is_told_by_reason() -> None:
    rows = [made(replace(NGRAM, level=level), {0: "no weights"}) for level in (1, 2)] + [
        made(GATED, {0: "no weights"}),
        made(NGRAM, {0: 0.5}),
    ]
    assert left_out(rows) == ["Not run: ngram (2 rows), gated: no weights"] and caption(rows[:3]) == "No row was run."


def test_sizes_that_differ_are_a_range() -> None:
    words = caption([made(NGRAM, {0: 0.5}, **{"rows/train": 1000}), made(GATED, {0: 0.5}, **{"rows/train": 2000, "rows/no_text": 3})])
    assert "1,000 to 2,000 training rows" in words and " 9 test rows, split own" in words and words.startswith("Per cent. One seed. ")
    assert "; up to 3 of these without any text." in words
