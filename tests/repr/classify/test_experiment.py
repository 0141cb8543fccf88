from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from repr.catalog.table import Catalog
from repr.classify import experiment
from repr.classify.data import Data, NotRun
from repr.classify.experiment import grid, run, run_trial
from repr.classify.settings import Settings
from repr.classify.summary import against_flat, caption, comparisons, summarise
from repr.classify.trials import folder_name
from repr.errors import UserError
from repr.models.weights import fresh, write_weights

RATES = {"top1", "top5", "ap_micro", "ap_macro", "f1_macro", "f1_weighted", "ece"}


def test_a_row_of_the_light_model(shop: Catalog) -> None:
    row = run_trial(Data(shop, mask=True), Settings(mask=True)).row
    assert set(row) >= RATES | {"model", "modality", "level", "hierarchy", "seconds"}
    assert row["top1"] > 0.9 and row["modality"] == "text" and row["masked"]
    json.dumps(row, allow_nan=False)


def test_rows_are_found_again_and_only_missing_ones_run(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = grid(Settings(), models=["ngram"], levels=[1, 2], hierarchies=[""], seeds=[0, 1])
    first = run(lambda *_: shop, rows[:2], tmp_path)
    ran: list[Settings] = []
    original = experiment.run_trial
    monkeypatch.setattr(experiment, "run_trial", lambda data, settings: ran.append(settings) or original(data, settings))
    again = run(lambda *_: shop, rows, tmp_path)
    assert ran == rows[2:] and again[:2] == first
    folders = sorted((tmp_path / "rows").iterdir())
    assert len(folders) == 4
    with (folders[0] / "per_class.csv").open(encoding="utf-8") as file:
        assert [line["class"] for line in csv.DictReader(file)] == ["Food", "Wear"]
    kept = np.load(folders[0] / "predictions.npz")
    assert len(kept["truth"]) == 40


def test_an_interrupted_row_is_run_again(shop: Catalog, tmp_path: Path) -> None:
    rows = grid(Settings(), models=["ngram"], levels=[2], hierarchies=[""], seeds=[0])
    run(lambda *_: shop, rows, tmp_path)
    (folder,) = (tmp_path / "rows").iterdir()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"status": "running", "result": None}))
    assert run(lambda *_: shop, rows, tmp_path)[0]["top1"] > 0.9


def test_a_row_that_cannot_be_run_is_a_line_not_an_end(shop: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: Data, settings: Settings) -> None:
        raise NotRun("no weights") if settings.level == 1 else UserError("broken", "here", "mend")

    monkeypatch.setattr(experiment, "run_trial", refuse)
    rows = grid(Settings(), models=["ngram"], levels=[1, 2], hierarchies=[""], seeds=[0])
    trials = run(lambda *_: shop, rows)
    assert [trial["note"] for trial in trials] == ["not run: no weights", "not run: here: broken. mend."]
    assert summarise(trials)[0]["top1"] is None and trials[0]["text_encoder"] == trials[0]["weak"] == ""
    with pytest.raises(UserError, match="broken"):
        run(lambda *_: shop, rows[1:])


def test_calibration_is_measured_before_the_adjustment(shop: Catalog) -> None:
    titles = shop.column("title")
    titles[::3] = np.random.default_rng(0).permutation(titles[::3])
    table = shop.table.set_column(shop.table.schema.get_field_index("title"), "title", pa.array(titles, pa.string()))
    skewed = Data(replace(shop, table=table).select(np.flatnonzero((np.arange(160) % 4 < 3) | (np.arange(160) > 110))))
    plain, adjusted = (run_trial(skewed, Settings(adjust=tau)) for tau in (0.0, 3.0))
    assert plain.measured and adjusted.measured and (plain.measured.confidence != adjusted.measured.confidence).any()
    assert all(plain.row[name] == adjusted.row[name] for name in ("ece", "reliability"))


def test_only_what_a_row_depends_on_is_its_identity() -> None:
    text = Settings(model="ngram", weights="a", end_to_end=True)
    assert text.relevant() == Settings(model="ngram", weights="b", device="cpu").relevant()
    assert text.relevant() != Settings(model="ngram", mask=True).relevant()


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="Did you mean ngram"):
        Settings(model="ngramm")
    with pytest.raises(UserError, match="scale"):
        Settings(scale=0)


def test_sizes_that_differ_are_a_range() -> None:
    row = {"top1": 0.5, "seeds": [0], "train": 1000, "held_out": True, "test": 9, "split": "own", "preset": "paper"}
    words = caption([row, row | {"train": 2000}])
    assert "1,000 to 2,000 training rows" in words and " 9 test rows, split own" in words


def test_rows_are_compared_with_their_like_alone() -> None:
    def row(**more: object) -> dict[str, object]:
        known = {"model": "concat", "modality": "image+text", "level": 2, "seeds": [0], "hierarchy": "", "values": {"top1": [0.5]}}
        return known | {"weights": "a", "weak": "children", "text_encoder": "ngram"} | more

    flat = row(hierarchy="flat")
    for name in ("weights", "weak", "text_encoder"):
        assert len(against_flat([row(hierarchy="rnn"), flat])) == 1
        assert not against_flat([row(hierarchy="rnn") | {name: "other"}, flat])
    assert len(comparisons([row(), row(model="encoder", modality="image")])) == 1
    assert not comparisons([row(), row(model="encoder", modality="image", weights="b")])


def trial(model: str, modality: str, seed: int, top1: float) -> dict[str, object]:
    return {"model": model, "modality": modality, "level": 2, "hierarchy": "", "seed": seed, "top1": top1, "seconds": 1.0, "masked": True}


def test_means_intervals_and_paired_differences() -> None:
    trials = [trial("ngram", "text", seed, 0.5 + 0.1 * seed) for seed in range(3)]
    trials += [trial("gated", "image+text", seed, 0.7 + 0.1 * seed) for seed in range(3)]
    rows = summarise(trials)
    assert [row["top1"] for row in rows] == pytest.approx([0.6, 0.8])
    assert rows[0]["ci95"]["top1"] == pytest.approx(4.302653 * 0.1 / 3**0.5)
    (found,) = comparisons(rows)
    assert (found["a"], found["b"], found["n"]) == ("gated", "ngram", 3)
    assert found["difference"] == pytest.approx(0.2) and found["ci95"] == pytest.approx(0, abs=1e-9)


def test_a_seed_that_cannot_be_run_is_left_out_of_the_mean_and_named() -> None:
    """As with a small --limit, where one seed draws a single class."""
    lost = trial("ngram", "text", 0, 0.5) | {"top1": None, "note": "not run: all of one class"}
    sizes = {"train": 300, "held_out": True, "test": 9, "split": "own", "preset": "grouped"}
    (row,) = summarise([lost, *(trial("ngram", "text", seed, 0.5 + seed / 10) | sizes for seed in (1, 2))])
    assert row["seeds"] == [1, 2] and row["top1"] == pytest.approx(0.65) and row["train"] == 300
    assert row["note"] == "not run: all of one class" and "Means over 2 seeds" in caption([row])


def test_intervals_are_widened_by_the_split_not_by_a_limit() -> None:
    rows = [trial("ngram", "text", seed, top1) | {"split": "grouped"} for seed, top1 in enumerate((0.5, 0.6, 0.7))]
    own, redrawn, limited = (
        summarise([row | more for row in rows])[0]["ci95"]["top1"] for more in ({"split": "own"}, {}, {"train": 10, "fine_share": 0.1})
    )
    assert redrawn / own == pytest.approx(((1 / 3 + 0.25) * 3) ** 0.5) and limited == pytest.approx(redrawn)


def test_rows_with_nothing_to_see_get_the_shares_of_the_classes(shop: Catalog) -> None:
    """Whatever the temperature, which would make the most frequent class look sure."""
    titles = shop.column("title")
    titles[124] = ""
    table = shop.table.set_column(shop.table.schema.get_field_index("title"), "title", pa.array(titles, pa.string()))
    found = run_trial(Data(replace(shop, table=table)), Settings())
    assert found.row["temperature"] < 0.5 and found.row["no_text"] == 1
    assert found.measured.confidence[4] == pytest.approx(0.25, abs=0.05)


def test_a_validation_part_of_the_data_is_no_training_part(shop: Catalog) -> None:
    split = shop.column("split").astype(object)
    split[3:120:4] = "val"  # all training rows of the last class
    table = shop.table.set_column(shop.table.schema.get_field_index("split"), "split", pa.array(split.tolist(), pa.string()))
    row = run_trial(Data(replace(shop, table=table)), Settings()).row
    assert row["train"] == 90 and row["untrained"] == 10 and not row["held_out"]
    assert row["buckets"]["none"]["classes"] == 1
    assert "own validation part" in caption(summarise([row]))


def test_one_start_is_one_row_whatever_it_is_called(shop: Catalog) -> None:
    named, usual = (folder_name(Settings(model="encoder", weights=weights), Data(shop)) for weights in ("imagenet", ""))
    assert named == usual != folder_name(Settings(model="encoder", weights="none"), Data(shop))


def test_weights_that_are_looked_at_otherwise_are_another_row(shop: Catalog, tmp_path: Path) -> None:
    weights = fresh("resnet18", 32, 0)
    names = set()
    for i, looks in enumerate(({}, {"crops": (1.0, 0.5)}, {"size": 48})):
        write_weights(tmp_path / f"{i}.safetensors", replace(weights, **looks))  # type: ignore[arg-type]
        names.add(folder_name(Settings(model="encoder", weights=str(tmp_path / f"{i}.safetensors")), Data(shop)))
    assert len(names) == 3
