"""The card of exported weights says what is known, and of what is not that it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from repr.embedding.card import USES, card
from repr.images.frames import Frame
from repr.models.provenance import NOT_KNOWN, Data, Images, Provenance, Record
from repr.models.weights import fresh

RATES = {"per_second": 12.4, "original_per_second": 10.0}
MEASURED = {"images": 20, "cosine": 0.99999, "least": 0.9998, "top1": 0.95, "megabytes": 44.7, **RATES}
SHOP = Record("simclr", data=(Data("A: dairy → C+C", Images(9), Images(9), synthetic=True),), settings={"lr": 0.5}, seed=3)


@pytest.mark.parametrize("kind", USES)
def test_how_it_is_used_names_the_file_and_its_numbers(kind: str) -> None:
    text = card(replace(fresh("resnet18", 64, 0), crops=(1.0, 0.5)), kind, "C+C", measured=MEASURED)
    use = text.partition("## Use")[2]
    assert "C+C" in use and "```python" in use and "{" not in use.replace('{"squares": squares}', "")
    if kind in ("onnx", "torchscript"):
        assert "128, 128" in use and "512" in use, "squares in which the closest crop has 64 px"
    assert "crops 1,0.5" in text and "64 px, middle square, bicubic" in text


def test_what_is_not_known_is_called_so() -> None:
    text = card(replace(fresh("resnet18", 32, 0), provenance=NOT_KNOWN), "onnx", "m.onnx", measured=MEASURED)
    assert "| licence | Unknown: their files do not say." in text and "- not known: the file does not say" in text
    assert "Not known here: measure with `repr evaluate`." in text and "none: no head" in text and "synthetic" not in text
    assert "random weights: nothing was trained" in card(fresh("resnet18", 32, 0), "onnx", "m.onnx", measured=MEASURED)


def test_what_is_known_stands_in_it(tmp_path: Path) -> None:
    weights = replace(fresh("resnet18", 32, 0), provenance=Provenance.of(SHOP), licence="MIT", frame=Frame("shortest", "bicubic", 0.875))
    (tmp_path / "metrics.csv").write_text("epoch,loss,val_acc\n1,3.5,0.1\n2,2.5,\n")
    small = {**MEASURED, "top1": 0.5, "megabytes": 11.2}
    text = card(weights, "onnx", "m.onnx", measured=MEASURED, eight_bits=small, run=tmp_path)
    assert "| licence | MIT |" in text and "'A: dairy → C+C'" in text and "lr 0.5" in text and "**Made on the synthetic shop" in text
    assert "32 px, shortest side, bicubic, 0.875 of it" in text
    last = text.partition("Of the last epoch of training:")[2].partition("##")[0]
    assert "- epoch: 2" in last and "- loss: 2.5" in last and "val_acc" not in last, "the last row, without what it has not"
    assert "On 20 images, this file: cosine 0.99999 (least 0.99980); the same nearest image for 95.0 %; 12 images a second" in text
    assert "the file of 8 bits: cosine 0.99999" in text and "11.2 MB" in text
