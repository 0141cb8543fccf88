"""What the report's parts share: short names, the rows looked at, and figures as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from repr.evaluation.statistics import Metric
from repr.experiments.document import Document, Row
from rpc_transfer.results import COMMAND, About, Results, RowConfig, TransferRow
from rpc_transfer.view import View, cells, images, percent, plain

CONFIG = RowConfig("ncm", "none", "as given", 10, 10, "train", "validation", (2,), None, "resnet18", 64, (1.0,))
ABOUT = About(0, ("6", "7"), 5, 2, 0, 1000, 20, 0, 3)


def row(value: float | None, **changes: object) -> Row:
    metrics = {} if value is None else {"harmonic_mean": Metric(value, 0.01, (value,))}
    return Row(replace(CONFIG, **changes).as_config(), metrics, error="" if value is not None else "gone")  # type: ignore[arg-type]


def view(*rows: Row, synthetic: bool = False) -> View:
    return View(Results(Path("nowhere"), Document(COMMAND, "shop", synthetic, rows, about=ABOUT.as_config())))


def typed(metric: Metric | None, error: str = "") -> TransferRow:
    return TransferRow(CONFIG, Row(CONFIG.as_config(), {} if metric is None else {"seconds": metric}, error=error))


def test_most_tables_show_the_rows_with_the_most_shots() -> None:
    shown = view(row(0.9, shots=1), row(0.2, shots=5), row(0.3, shots=5), row(None, shots=5))
    assert [one.config.shots for one in shown.most_shots] == [5, 5, 5] and len(shown.rows) == 4
    assert shown.best is shown.rows[2]
    assert view(row(None)).best is None


def test_weights_have_names_no_longer_than_tell_them_apart() -> None:
    shown = view(row(0.1, weights="runs/a/weights.safetensors"), row(0.1, weights="runs/b/weights.safetensors"), row(0.1))
    names = list(shown.names.values())
    assert len(set(names)) == 3 and all(len(name) < len("runs/a/weights.safetensors") for name in names)


@pytest.mark.parametrize(
    ("weights", "features", "ending"), [("w", "base-trained", ", base-trained"), ("w", "as given", "w"), ("none", "base-trained", "none")]
)
def test_what_a_row_begins_from_names_the_encoder_where_it_was_trained(weights: str, features: str, ending: str) -> None:
    shown = view(row(0.1, weights=weights, features=features))
    assert shown.begins(shown.rows[0]).endswith(ending)


def test_a_synthetic_run_is_called_so() -> None:
    assert "Synthetic images" in view(row(0.1), synthetic=True).label and view(row(0.1)).label == ""


def test_rates_of_a_row_stand_in_cells() -> None:
    ran = TransferRow(CONFIG, Row(CONFIG.as_config(), {"acc_all": Metric(0.5, 0.02, (0.48, 0.5, 0.52))}))
    assert cells(ran, {"acc_all": "all", "acc_novel": "novel"}) == ["50.0 ± 2.0", "–"]
    few = TransferRow(CONFIG, Row(CONFIG.as_config(), {"acc_all": Metric(0.5, 0.25, (0.48, 0.52))}))
    assert cells(few, {"acc_all": "all"}) == ["50.0 (48.0, 52.0)"], "two seeds are points, no interval"
    assert cells(typed(None, "gone"), {"acc_all": "all", "acc_novel": "novel"}) == ["not run", ""]


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric(1.23456, 0.0456, (1.2, 1.25, 1.25)), "1.23 ± 0.046"),
        (Metric(1.23456, 0.0456, (1.2, 1.27)), "1.23"),
        (Metric(12.3, None, (12.3,)), "12.3"),
        (Metric(0.004, 0.001, (0.004,)), "< 0.01"),
        (Metric(-0.004, None, (-0.004,)), "< 0.01"),
        (Metric(0.0, None, (0.0,)), "0"),
        (None, "–"),
    ],
)
def test_other_figures_are_plain(metric: Metric | None, text: str) -> None:
    assert plain(typed(metric), "seconds") == text
    assert plain(typed(metric, "gone"), "seconds") == ""


def test_bars_are_in_per_cent() -> None:
    assert percent(Metric(0.25, 0.5, (0.2, 0.25, 0.3))) == (25.0, 50.0) and percent(Metric(0.25, None, (0.25,))) == (25.0, 0.0)
    assert (images(1), images(5)) == ("1 image", "5 images")
