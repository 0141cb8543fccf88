"""The notebooks of examples/ run from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def ran(name: str) -> dict[str, Any]:
    """What a notebook's code cells leave, run in order in one namespace."""
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{name}, cell {number}", "exec"), names)
    return names


def test_notebooks_hold_no_outputs() -> None:
    """What a run prints would go stale."""
    for file in EXAMPLES.glob("*.ipynb"):
        assert not any(cell.get("outputs") for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]), file.name


def test_looking_up(capsys: pytest.CaptureFixture[str]) -> None:
    names = ran("lookup")
    assert names["right"] >= 6, "by chance it would be one of twelve"
    assert names["answer"] == "product-20"
    assert "product-20" not in {match.product for match in names["index"].lookup(names["photographs"](20, 4)[3], k=20).matches}
    assert "first right" in capsys.readouterr().out


def test_taking_in_products() -> None:
    accuracy = ran("new_products")["accuracy"]
    assert set(accuracy) == {"neighbour", "ncm", "lda-root"}
    assert all(of["novel"] > 3 / 18 and of["base"] > 3 / 18 for of in accuracy.values()), "three times chance"
