"""What a transfer's weights tell of themselves, as lines of a table."""

from __future__ import annotations

from repr.reports.starts import HEADER, Start, starts_rows


def test_steps_stand_side_by_side_and_what_is_not_told_is_a_dash() -> None:
    random: Start = {"weights": "none", "arch": "resnet18", "history": [], "sizes": [64, 96], "crops": [1.0]}
    steps = ["1. supervised on 'C+C; b' (9 images)", "2. simclr on 'a → b' (4 images): from 1 ('x')"]
    ours: Start = {**random, "weights": "runs/x", "history": steps, "crops": [1.0, 0.5]}
    lines = starts_rows([random, ours], {"none": "none", "runs/x": "mine"})
    assert lines == [
        ["none", "resnet18", "–", "64 px, 96 px"],
        [
            "mine",
            "resnet18",
            "1. supervised on 'C+C; b' (9 images); 2. simclr on 'a → b' (4 images): from 1 ('x')",
            "64 px, 96 px, crops 1,0.5",
        ],
    ]
    assert all(len(line) == len(HEADER) for line in lines)
