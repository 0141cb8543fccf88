"""The tables of docs/fusion.md are those of the stored figures."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools" / "experiments")
        return importlib.import_module("fusion_table")


@pytest.mark.parametrize("table", ["fused", "pruned", "destroyed", "parted"])
def test_every_line_is_in_the_docs(tables: ModuleType, table: str) -> None:
    text = (ROOT / "docs" / "fusion.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in getattr(tables, table)() if line.startswith("|") and "---" not in line]
    assert len(lines) > 3 and [line for line in lines if line not in text] == []
