"""Each benchmark runs, and prints the one object that its readers take. How fast anything is, no test asks."""

from __future__ import annotations

import importlib
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "tools" / "bench"
QUICK = [
    "align.py --records 1200",
    "catalog.py --records 700",
    "counter.py --share 0.05",
    "increment.py --products 300 --learner lda",
    "retrieval.py --vectors 400 --dim 16 --products 40",
]
SLOW = [
    "basket.py --only small --weights none --rounds 1 --train small --steps 1 --batch-size 2 --device cpu",
    "index.py --share 0.002",
    "beside.py --share 0.02 --work lookup",
    "embedding.py --set '220 px' --images 8 --size 32 --rounds 1 --device cpu",
    "naive.py --set '220 px' --images 40 --method supervised --size 32 --rounds 1 --device cpu",
    "naive.py --set '2592 x 1944 px' --images 16 --method simclr --size 32 --rounds 1 --device cpu",
    "serve.py --images 24 --clients 4 --requests 100 --seconds 2",
    "titles.py --records 1200 --epochs 1",
    "training.py --size 32 --batch-size 4 --steps 2 --rounds 1 --device cpu",
    "training.py --arch tf_efficientnet_lite0 --method vicreg --size 32 --batch-size 4 --steps 2 --rounds 1 --device cpu",
]


@pytest.mark.parametrize("command", [*QUICK, *(pytest.param(command, marks=pytest.mark.slow) for command in SLOW)])
def test_a_benchmark_prints_its_rows(command: str) -> None:
    name, *words = shlex.split(command)
    done = subprocess.run([sys.executable, str(BENCH / name), *words, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout)["rows"]
    assert rows and all(row["name"] and math.isfinite(row["ratio"]) and row["ratio"] > 0 for row in rows)


@pytest.mark.slow
def test_memory_and_speed_of_a_network_are_printed_and_kept(tmp_path: Path) -> None:
    words = [str(BENCH / "backbones.py"), "--kind", "resnet18:32", "--images", "2", "--json", "--keep", str(tmp_path / "kept.json")]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    [row] = json.loads(done.stdout)["rows"]
    assert (row["kind"], row["size"], row["dim"]) == ("resnet18", 32, 512) and row["images_per_second"] > 0 and row["training_mb"] > 100
    assert json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))["rows"] == [row]


def test_what_a_benchmark_found_is_kept_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    keep = importlib.import_module("keep")
    assert keep.main(["increment", "--products", "0", "--learner", "ncm"], tmp_path) == 0
    kept = json.loads((tmp_path / "increment.json").read_text(encoding="utf-8"))
    assert kept["command"] == "python tools/bench/increment.py --products 0 --learner ncm"
    assert [row["products"] for row in kept["rows"]] == [166, 166] and kept["environment"]["cpus"] >= 1 and kept["written"]
    assert keep.main(["increment", "--learner", "nobody"], tmp_path / "none") == 2 and not (tmp_path / "none").exists()
