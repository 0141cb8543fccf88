"""The measurement of destruction and construction learning goes on where it was stopped, and trains both for the same time."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from repr.catalog.sources import open_sources
from repr.classify.settings import Settings

TOOLS = Path(__file__).parents[2] / "tools" / "experiments"


@pytest.fixture(scope="module")
def tools() -> tuple[ModuleType, ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        return importlib.import_module("dcl"), importlib.import_module("subtrees")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders of twenty images."""
    root, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    for kind in ("a", "b", "c"):
        (root / kind).mkdir()
        for n in range(20):
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(root / kind / f"{n}.png")
    return root


def test_a_stopped_run_goes_on_with_the_method_that_is_missing(
    tools: tuple[ModuleType, ModuleType], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dcl, asked = tools[0], list[tuple[int, str, int | None]]()

    def trained(_: object, settings: Settings) -> dict[str, float]:
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.append((settings.seed, settings.method if settings.end_to_end else "frozen", settings.size))
        return {"f1_macro": 0.5 + settings.seed / 10, "top1": 0.25, "seconds": 10.0, "epochs": 1.0}

    monkeypatch.setattr(dcl, "trained", trained)
    monkeypatch.setattr(dcl, "lasting", lambda data, settings, seconds: settings)
    words = [str(shop), "--out", str(tmp_path / "dcl.json"), "--seeds", "2", "--size", "32", "--limit", "30"]
    CliRunner().invoke(dcl.main, words)
    assert asked == [(0, "frozen", 64), (0, "dcl", 32), (0, "plain", 64), (1, "frozen", 64)]
    stopped = json.loads((tmp_path / "dcl.json").read_text())
    assert stopped["summary"]["dcl/f1_macro"] == [0.5, None] and stopped["rows"]["train"] == 30
    del asked[:2]
    done = CliRunner().invoke(dcl.main, words, catch_exceptions=False)
    assert done.exit_code == 0 and asked[2:] == [(1, "dcl", 32), (1, "plain", 64)]
    whole = json.loads((tmp_path / "dcl.json").read_text())
    assert whole["summary"]["dcl/f1_macro"][0] == pytest.approx(0.55) and whole["summary"]["dcl - plain/top1"][0] == 0
    assert CliRunner().invoke(dcl.main, [*words, "--epochs", "3"]).exit_code != 0, "figures of other options are not mixed in"


def test_plain_lasts_as_long(tools: tuple[ModuleType, ModuleType], shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dcl, ticks = tools[0], iter([100.0, 101.0, 104.0, 108.0])
    monkeypatch.setattr(dcl, "fit", lambda data, settings, problem: None)
    monkeypatch.setattr(dcl, "clock", lambda: lambda: next(ticks))
    data = dcl.Data(dcl.part_of(open_sources([shop]), "", 0, 0))
    assert dcl.lasting(data, Settings(model="encoder", end_to_end=True, level=1, epochs=50), 22.0).epochs == 7


def test_parts_are_judged_on_rows_that_no_seed_tests_on(tools: tuple[ModuleType, ModuleType], shop: Path) -> None:
    dcl, subtrees = tools
    read = open_sources([shop])
    left = set(subtrees.never_tested(read, 3).column("path"))
    assert left
    for seed in range(3):
        part = dcl.part_of(read, "", 0, seed)
        assert left.isdisjoint(part.column("path")[part.column("split") == "test"])
