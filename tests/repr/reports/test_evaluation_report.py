"""The folder of an evaluation: its vectors, results and page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repr.evaluation.measure import Constants, Row, measure
from repr.experiments import document
from repr.experiments.evaluations import evaluated
from repr.reports.evaluation_report import save
from repr.runs import Run

CONSTANTS = Constants(k=3, epochs=1, seed=2)


def row(name: str) -> Row:
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    return measure(name, (np.eye(3, 5)[labels] + 0.2 * rng.normal(size=(30, 5))).astype(np.float32), labels, None, labels, CONSTANTS)


def test_vectors_of_somebody_leave_a_page_and_results(tmp_path: Path) -> None:
    rows = [row("mine"), row("theirs")]
    page = save(tmp_path / "run", {"files": (Path("a.npz"), Path("b.npz")), "k": 3, "crops": None}, None, rows, CONSTANTS)
    assert page == tmp_path / "run" / "report.html" and document.read(tmp_path / "run") == evaluated(None, rows, CONSTANTS)
    config = Run.open(tmp_path / "run").config
    assert config["typed"] == {"files": ["a.npz", "b.npz"], "k": 3, "crops": None} and config["result"] == {"rows": 2}
    html = page.read_text(encoding="utf-8")
    assert "Evaluation on mine, theirs" in html and "Map of the embedding" not in html and html.count("<td>mine</td>") >= 1
