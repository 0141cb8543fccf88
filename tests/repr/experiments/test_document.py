"""Documents: written and read the same, and refused when they are broken, of a newer schema, or of a run that has not ended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repr.errors import UserError
from repr.evaluation.statistics import Metric
from repr.experiments.document import Comparison, Document, Row, TrialFile, UsedWeights, read, write
from repr.runs import Run

ROW = Row(
    {"learner": "lda", "weights": None, "shots": 10, "crops": (1.0, 0.5), "masked": False},
    {
        "top1": Metric(0.5, 0.1, (0.4, 0.6)),
        "supercategory/Milk/Soy": Metric(0.5, None, (None, 0.5)),
        "seconds": Metric(3.0, None, (3.0, None)),
    },
    (TrialFile(0, "a1", "lda-0.npz"), TrialFile(3, "a2", "lda-3.npz")),
    redrawn=0.25,
    note="half of it",
)
FAILED = Row({"learner": "lda", "weights": "gone"}, {}, error="no such weights")
DOCUMENT = Document(
    command="repr toy",
    data="shop",
    synthetic=True,
    rows=(ROW, FAILED),
    comparisons=(Comparison(0, 1, "flat", "top1", 0.1, None, None, 1),),
    weights=(UsedWeights("mine", "resnet18", ("simclr on 'nuts'",), (64,), (1.0, 0.5)),),
    shown=("top1",),
    named=("learner",),
    alike=("learner",),
    notes=("a note",),
    about={"products": 7, "novel": ("x", "y")},
)


def test_a_document_comes_back_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, DOCUMENT)
    assert read(tmp_path) == DOCUMENT
    assert DOCUMENT.seeds == (0, 3) and ROW.group("supercategory") == {"Milk/Soy": ROW.metrics["supercategory/Milk/Soy"]}


def test_the_file_is_what_the_schema_says(tmp_path: Path) -> None:
    write(tmp_path, DOCUMENT)
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert content["schema"] == 1 and next(iter(content)) == "schema"
    assert content["rows"][0]["metrics"]["top1"] == {"mean": 0.5, "ci95": 0.1, "values": [0.4, 0.6]}
    assert content["rows"][0]["config"]["crops"] == [1.0, 0.5] and content["rows"][1]["metrics"] == {}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"schema": 2}, r"newer version \(schema 2 > 1\)"),
        ({"schema": None}, "not the results of a run"),
        ({"rows": [{"config": {}}]}, r"there is no rows\[0\].metrics"),
        ({"rows": [{"config": {}, "metrics": {"top1": 0.5}}]}, r"rows\[0\].metrics.top1 is 0.5"),
        ({"rows": [{"config": {"a": {"b": 1}}, "metrics": {}}]}, r"rows\[0\].config.a is"),
    ],
)
def test_broken_documents_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    (tmp_path / "results.json").write_text(json.dumps(DOCUMENT.as_json() | changed))
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path)
    assert caught.value.where == str(tmp_path / "results.json")


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results in this folder"):
        read(tmp_path)


def test_results_of_before_a_run_that_was_stopped_are_not_read(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "repr toy", {}, data="shop", synthetic=False)
    write(tmp_path, replace(DOCUMENT, rows=()))
    run.finish("stopped")
    with pytest.raises(UserError, match="this run has not ended"):
        read(tmp_path)
    run.finish("done")
    assert read(tmp_path).rows == ()
