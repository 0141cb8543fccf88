"""What weights tell of themselves, as lines of a table."""

from __future__ import annotations

from dataclasses import replace

from repr.experiments.document import UsedWeights
from repr.reports.weights_table import HEADER, weights_rows


def test_what_is_not_told_is_a_dash() -> None:
    torchvision = UsedWeights("x.pth", "resnet18", (), (64, 96), (1.0,))
    ours = replace(torchvision, name="runs/x", made=("1. simclr on 'nuts'", "2. a mix"), crops=(1.0, 0.5))
    lines = weights_rows([torchvision, ours], {"x.pth": "x", "runs/x": "mine"})
    assert lines == [
        ["x", "resnet18", "64 px, 96 px", "–"],
        ["mine", "resnet18", "64 px, 96 px, crops 1,0.5", "1. simclr on 'nuts'; 2. a mix"],
    ]
    assert all(len(line) == len(HEADER) for line in lines)
