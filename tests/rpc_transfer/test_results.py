"""What reports read of a run: typed configs, facts of the split, trials with their arrays; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.experiments import document
from repr.experiments.document import TRIALS, Document, Row, TrialFile
from repr.experiments.trials import Store, Trial
from rpc_transfer import results
from rpc_transfer.draw import make_split
from rpc_transfer.protocol import SplitFile
from rpc_transfer.results import COMMAND, About, RowConfig

CONFIG = RowConfig("lda", "none", "as given", 10, "all", "train", "test", (1, 1), None, "resnet18", 64, (1.0, 0.5))


def test_a_run_comes_back_typed(shop: Callable[..., Catalog], tmp_path: Path) -> None:
    catalog = shop([3, 4])
    split = make_split(catalog, novel=2, shots=3, seeds=[4], unknown=1)
    SplitFile.of(split, catalog).write(tmp_path / "split.json")
    Store(tmp_path / TRIALS).write("lda-1.npz", Trial({"acc_all": 0.5}, {"steps": []}, {"labels": np.array([1, -1])}))
    rows = (Row(CONFIG.as_config(), {}, (TrialFile(4, "", "lda-1.npz"),)),)
    document.write(tmp_path, Document(COMMAND, "shop", False, rows, about=About.of(split).as_config()))
    run = results.read(tmp_path)
    assert run.rows[0].config == CONFIG
    assert run.about == About(0, split.novel, 4, 2, 1, 12, 6, 3, 2)
    assert run.split.base == split.base and run.split.products[split.novel[0]].supercategory.startswith("supercategory")
    assert run.trials(run.rows[0])[4].arrays["labels"].tolist() == [1, -1]


def test_another_commands_results_are_refused(tmp_path: Path) -> None:
    document.write(tmp_path, Document("repr classify", "shop", False, ()))
    with pytest.raises(UserError, match="the results of `repr classify`"):
        results.read(tmp_path)


def test_a_config_that_is_none_of_a_transfer_is_named(tmp_path: Path) -> None:
    document.write(tmp_path, Document(COMMAND, "shop", False, (Row({**CONFIG.as_config(), "shots": "ten"}, {}),)))
    with pytest.raises(UserError, match=r"results.json: a missing or wrong field .shots is 'ten'"):
        assert results.read(tmp_path).rows
