"""What several draws of the demo have in common."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from repr.synthetic import shop

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> object:
    for folder in ("experiments", ""):
        monkeypatch.syspath_prepend(TOOLS / folder)
    return importlib.import_module("draws")


def test_figures_of_one_draw_and_of_all(draws: object, tmp_path: Path) -> None:
    def draw(seed: int, none: float, given: float, trained: float, right: int) -> dict[str, float]:
        folder = tmp_path / str(seed)
        (folder / "logs").mkdir(parents=True)
        results = [{"query": f"0-product-{n}.jpg", "matches": [{"product": str(n if n < right else -n)}]} for n in range(1, 11)]
        (folder / "logs" / "lookup-1.out").write_text(json.dumps({"results": results}))
        ours, scratch = [("runs/ours", "as given", given), ("runs/ours", "base-trained", trained)], ("none", "base-trained", none)
        rows = [scratch, *ours, ("imagenet", "as given", 0.5)]
        table = [{"config": {"weights": w, "features": f}, "metrics": {"acc_novel": {"mean": value}}} for w, f, value in rows]
        (folder / "summary.json").write_text(json.dumps({"transfer": table}))
        return dict(draws.figures(folder))  # type: ignore[attr-defined]

    of_draws = [draw(0, 0.1, 0.2, 0.3, 9), draw(1, 0.2, 0.1, 0.3, 10), draw(2, 0.1, 0.15, 0.25, 8)]
    assert of_draws[0]["lookup, first right"] == pytest.approx(80) and of_draws[0]["pretrained over scratch"] == pytest.approx(20)
    assert of_draws[0]["pretrained over scratch, as given"] == pytest.approx(10) and of_draws[0]["novel, ImageNet's, as given"] == 50
    gain = draws.together(of_draws)["pretrained over scratch"]  # type: ignore[attr-defined]
    assert gain["mean"] == pytest.approx(15) and gain["asked"] == "at least 8"
    assert gain["ci95"] == pytest.approx(stats.t.ppf(0.975, 2) * np.std([20, 10, 15], ddof=1) / np.sqrt(3))


def test_kept_figures_are_a_table(draws: object) -> None:
    rows = [{"seed": seed, "lookup, first right": right} for seed, right in enumerate((80.0, 82.0, 84.0))]
    printed = draws.table(rows)  # type: ignore[attr-defined]
    assert printed.splitlines()[-1] == "| lookup, first right | 82.0 | 77.0 to 87.0 | 80, 82, 84 | at least 80 |"
    assert " to " not in draws.table(rows[:2])  # type: ignore[attr-defined]


def test_by_pixels_a_shop_is_hard_but_not_hopeless(draws: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 2, 12, 6, 1_000_000, 60))
    folder = shop.draw_shop(tmp_path / "shop", scale="tiny", parts=["rpc"], workers=1)
    assert 0 <= draws.by_pixels(folder / "rpc") < 30  # type: ignore[attr-defined]
    assert "demo" in sys.modules


def test_the_docs_hold_what_is_printed(draws: object) -> None:
    page = (TOOLS.parent / "docs" / "results.md").read_text(encoding="utf-8")
    for kept in sorted((TOOLS / "bench" / "results").glob("draws*.json")):
        found = json.loads(kept.read_text(encoding="utf-8"))
        assert draws.table(found["rows"]) in page, f"print it anew: tools/experiments/draws.py --show {kept}"  # type: ignore[attr-defined]
        assert found["written"] in page
