"""What a run says of an epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repr.training.progress import Row, duration, epoch_line

ROW = Row(
    epoch=2, step=8, loss=1.23456, train_acc=0.5, val_acc=None, val_ncm=None, seconds=3.21, data_wait=0.104,
    images_per_second=20.0, lr=0.1, std=0.9, effective_rank=7.0, others={"contrast": 0.25},
)  # fmt: skip


def test_only_what_was_measured_is_said() -> None:
    assert epoch_line(ROW, 5) == "epoch 2/5, loss 1.235, train_acc 50.0%, 3.2 s, data_wait 10.4%"
    assert epoch_line(replace(ROW, train_acc=None, val_ncm=0.75), 5) == "epoch 2/5, loss 1.235, val_ncm 75.0%, 3.2 s, data_wait 10.4%"
    assert "val_acc 0.0%" in epoch_line(replace(ROW, val_acc=0.0), 5), "none right is measured too"


def test_the_columns_stand_in_order_with_empty_cells_and_the_methods_own_last() -> None:
    columns = ROW.columns()
    assert list(columns)[:6] == ["epoch", "step", "loss", "train_acc", "val_acc", "val_ncm"] and list(columns)[-1] == "contrast"
    assert columns["val_acc"] == "" and columns["contrast"] == 0.25 and "others" not in columns


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1.5 h"), (100_000, "27.8 h")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
