"""What a transfer's weights tell of themselves, as lines of a table."""

from __future__ import annotations

from repr.reports.starts import HEADER, starts_rows


def test_what_is_not_told_is_a_dash_and_runs_of_before_crops_looked_once() -> None:
    torchvision = {"weights": "x.pth", "arch": "resnet18", "method": "", "trained_on": "", "recipe": "", "sizes": [64, 96]}
    ours = {**torchvision, "weights": "runs/x", "method": "simclr", "trained_on": "nuts", "recipe": "4 epochs", "crops": [1.0, 0.5]}
    lines = starts_rows([torchvision, ours], {"x.pth": "x", "runs/x": "mine"})
    assert lines == [
        ["x", "resnet18", "–", "–", "–", "64 px, 96 px"],
        ["mine", "resnet18", "simclr", "nuts", "4 epochs", "64 px, 96 px, crops 1,0.5"],
    ]
    assert all(len(line) == len(HEADER) for line in lines)
