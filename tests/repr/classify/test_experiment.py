"""The grid's trials: found again, not run, compared in the same catalog; what flat rows measure."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from repr.catalog.table import Catalog
from repr.classify import experiment
from repr.classify.combinations import combine
from repr.classify.data import Data
from repr.classify.experiment import Refused, run, run_trial
from repr.classify.flat_rows import along
from repr.classify.metrics import RATES
from repr.classify.settings import Settings
from repr.classify.summary import caption, summarise
from repr.errors import UserError
from repr.experiments.trials import Found, NotRun, Trial


def trials(found: Sequence[Sequence[Found]]) -> list[Trial]:
    """All that ran, row by row."""
    return [trial for of_row in found for _, trial in of_row if isinstance(trial, Trial)]


def column(shop: Catalog, name: str, values: Sequence[object]) -> Catalog:
    """The shop with another column."""
    place = shop.table.schema.get_field_index(name)
    return replace(shop, table=shop.table.set_column(place, name, pa.array(values, shop.table.schema.field(place).type)))


def test_a_row_of_the_light_model(shop: Catalog) -> None:
    trial = run_trial(Data(shop, mask=True), Settings(mask=True))
    assert set(trial.metrics) >= {
        *RATES,
        "temperature",
        "seconds",
        "fit_seconds",
        "classes",
        "rows/train",
        "rows/test",
        "rows/unknown_text",
    }
    assert trial.metrics["top1"] == np.mean(trial.arrays["predicted"] == trial.arrays["truth"])
    assert trial.metrics["classes"] == 4 and trial.metrics["rows/test"] == 40 and trial.details["held_out"] is True
    json.dumps([trial.metrics, trial.details], allow_nan=False)


def test_trials_are_found_again_and_only_missing_ones_run(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = combine(Settings(), models=["ngram"], levels=[1, 2])
    first = run(lambda *_: shop, rows[:1], [0, 1], tmp_path).trials
    ran: list[Settings] = []
    original = experiment.run_trial
    monkeypatch.setattr(experiment, "run_trial", lambda data, settings, keep: ran.append(settings) or original(data, settings, keep))  # type: ignore[func-returns-value]
    again = run(lambda *_: shop, rows, [0, 1], tmp_path).trials
    assert ran == [replace(rows[1], seed=seed) for seed in (0, 1)]
    assert [trial.metrics for trial in trials(again)[:2]] == [trial.metrics for trial in trials(first)]
    files = sorted((tmp_path / "trials").iterdir())
    tables = sorted((tmp_path / "per_class").iterdir())
    assert len(files) == 4 and [file.stem for file in files] == [file.stem for file in tables]
    with tables[0].open(encoding="utf-8") as file:
        assert [line["class"] for line in csv.DictReader(file)] == ["Food", "Wear"]
    with np.load(files[0]) as kept:
        assert len(kept["truth"]) == len(kept["predicted"]) == len(kept["confidence"]) == 40
        assert shop.column("split")[kept["rows"]].tolist() == ["test"] * 40


@pytest.mark.parametrize("folder", ["trials", "per_class"])
def test_what_is_damaged_or_gone_is_made_again(shop: Catalog, tmp_path: Path, folder: str) -> None:
    first = run(lambda *_: shop, [Settings(level=1)], [0], tmp_path).trials
    (file,) = (tmp_path / folder).iterdir()
    whole = file.read_bytes()
    if folder == "trials":
        file.write_bytes(whole[:100])
    else:
        file.unlink()
    again = run(lambda *_: shop, [Settings(level=1)], [0], tmp_path).trials
    assert trials(again)[0].metrics["top1"] == trials(first)[0].metrics["top1"] and len(file.read_bytes()) > 100


def test_a_row_that_cannot_be_run_is_a_line_not_an_end(shop: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: Data, settings: Settings, keep: Path | None) -> None:
        raise NotRun("no weights") if settings.level == 1 else UserError("broken", "here", "mend")

    monkeypatch.setattr(experiment, "run_trial", refuse)
    rows = combine(Settings(), models=["ngram"], levels=[1, 2])
    found = run(lambda *_: shop, rows, [0]).trials
    made = [summarise(row, of_row) for row, of_row in zip(rows, found, strict=True)]
    assert [row.row.error for row in made] == ["no weights", "here: broken. mend."] and not any(row.ran for row in made)
    assert [isinstance(of_row[0][1], Refused) for of_row in found] == [False, True]
    with pytest.raises(UserError, match="broken"):
        run(lambda *_: shop, rows[1:], [0])


def test_a_part_that_is_not_there_costs_its_own_rows_alone(shop: Catalog) -> None:
    def opened(seed: int, part: str, split: str) -> Catalog:
        if part == "meats":
            raise UserError("no such part", part, "choose")
        return shop

    rows = [Settings(level=1, part=part) for part in ("meats", "outdoors")]
    lost, there = run(opened, rows, [0, 1]).trials
    assert [str(trial) for _, trial in lost] == ["meats: no such part. choose."] * 2 and len(trials([there])) == 2
    with pytest.raises(UserError, match="no such part"):
        run(opened, rows[:1], [0])


def test_trials_of_one_seed_and_level_share_a_split_whatever_they_read(shop: Catalog) -> None:
    rows = [Settings(level=1), Settings(level=1, mask=True), Settings(level=2)]
    of = {seed: shop.select(np.arange(len(shop)) != seed) for seed in (0, 1)}
    splits = [[wanted.split for wanted, _ in row] for row in run(lambda seed, *_: of[seed], rows, [0, 1]).trials]
    assert splits[0] == splits[1] != splits[2] and len({*splits[0], *splits[2]}) == 4


def test_calibration_is_measured_before_the_adjustment(shop: Catalog) -> None:
    titles = shop.column("title")
    titles[::3] = np.random.default_rng(0).permutation(titles[::3])
    skewed = Data(column(shop, "title", titles.tolist()).select(np.flatnonzero((np.arange(160) % 4 < 3) | (np.arange(160) > 110))))
    plain, adjusted = (run_trial(skewed, Settings(adjust=tau)) for tau in (0.0, 3.0))
    assert (plain.arrays["confidence"] != adjusted.arrays["confidence"]).any()
    assert plain.metrics["ece"] == adjusted.metrics["ece"] and plain.details["reliability"] == adjusted.details["reliability"]


def test_rows_with_nothing_to_see_get_the_shares_of_the_classes(shop: Catalog) -> None:
    """Whatever the temperature, which would make the most frequent class look sure."""
    titles = shop.column("title")
    titles[124] = ""
    found = run_trial(Data(column(shop, "title", titles.tolist())), Settings())
    assert found.metrics["temperature"] is not None and found.metrics["temperature"] < 0.5 and found.metrics["rows/no_text"] == 1
    assert found.arrays["confidence"][4] == pytest.approx(0.25, abs=0.05)


def test_a_validation_part_of_the_data_is_no_training_part(shop: Catalog) -> None:
    split = shop.column("split").astype(object)
    split[3:120:4] = "val"  # all training rows of the last class
    found = run(lambda *_: column(shop, "split", split.tolist()), [Settings()], [0]).trials
    row = summarise(Settings(), found[0])
    assert [row.mean(name) for name in ("rows/train", "rows/untrained", "buckets/none/classes")] == [90, 10, 1]
    assert not row.config.held_out and "own validation part" in caption([row])


def test_top1_without_a_modality_is_measured_on_all_test_rows(shop: Catalog) -> None:
    """Without its title a row of `ngram` shows the OCR text alone, and without either nothing: the shares of the classes."""
    both = column(shop, "ocr", shop.column("title").tolist())
    found = run_trial(Data(both, ocr=True), Settings(ocr=True)).metrics
    assert found["missing/title"] == found["missing/ocr"] == found["top1"]  # they say the same
    blind = run_trial(Data(column(shop, "ocr", [""] * len(shop)), ocr=True), Settings(ocr=True)).metrics
    assert blind["missing/title"] == 0.25 and blind["missing/ocr"] == blind["top1"]


def test_flat_answers_are_measured_along_the_tree_too(shop: Catalog) -> None:
    """Against a loop over the test rows: classes 0 and 1 are below the first one, 2 and 3 below the second."""
    trial = run_trial(Data(shop, mask=True), Settings(mask=True, level=2))
    pairs = list(zip(trial.arrays["truth"].tolist(), trial.arrays["predicted"].tolist(), strict=True))
    shared = sum((truth // 2 == told // 2) + (truth == told) for truth, told in pairs)
    assert trial.metrics["hF"] == trial.metrics["hP"] == shared / (2 * len(pairs))
    heights = [1 if truth // 2 == told // 2 else 2 for truth, told in pairs if truth != told]
    assert trial.metrics["mistake_height"] == (np.mean(heights) if heights else None)
    assert trial.metrics["top1_path"] == trial.metrics["top1"]
    assert "hF" not in run_trial(Data(shop), Settings(level=1)).metrics


def test_a_wrong_answer_below_the_right_class_costs_half(shop: Catalog) -> None:
    problem = Data(shop).problem(2)
    truth = problem.labels[problem.test]
    beside = truth ^ 1  # its sister
    assert along(Data(shop), problem, beside) == {"hP": 0.5, "hR": 0.5, "hF": 0.5, "mistake_height": 1.0, "top1_path": 0.0}
    assert along(Data(shop), problem, (truth + 2) % 4)["mistake_height"] == 2.0
