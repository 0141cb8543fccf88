"""The model card of exported weights: what they are, how they came about, what is known of their quality, and how to use them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from repr.crops import typed
from repr.models.architecture import called
from repr.models.backbones import backbone
from repr.models.weights import Weights

UNKNOWN = "Unknown: their files do not say. Ask those who made them before you publish or sell what comes of them."
USES = {
    "onnx": """```python
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("{file}")
squares = np.zeros((1, {side}, {side}, 3), np.uint8)  # RGB images, made square; normalisation is inside
features = session.run(["features"], {{"squares": squares}})[0]  # (1, {dim})
```""",
    "torchscript": """```python
import torch
model = torch.jit.load("{file}")
features = model(torch.zeros((1, {side}, {side}, 3), dtype=torch.uint8))  # RGB images, made square; normalisation is inside: (1, {dim})
```""",
    "safetensors": """```python
from repr import embed
vectors = embed(["photo.jpg"], "{file}")  # (1, {dim}), of length 1
```""",
    "timm-folder": """```python
import timm
model = timm.create_model("local-dir:{file}", pretrained=True, num_classes=0).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
```""",
}


def card(
    weights: Weights,
    kind: str,
    file: str,
    *,
    measured: Mapping[str, float],
    eight_bits: Mapping[str, float] | None = None,
    run: Path | None = None,
) -> str:
    """The card as Markdown. measured, eight_bits: fields of `Measured`; run: the run folder whose metrics are told."""
    entry = backbone(weights.arch)
    frame = weights.frame
    framed = f"{frame.side} side, {frame.filter}, {frame.share:.3g} of it" if frame else "middle square, bicubic"
    synthetic = " **Made on the synthetic shop: an illustration, not for use on real products.**" if weights.synthetic else ""
    lines = [
        f"# {weights.name}",
        "",
        f"An image encoder for product representations: {called(weights.arch)} ({entry.library}), {entry.dim} numbers an image.{synthetic}",
        "",
        "| | |",
        "| --- | --- |",
        f"| identity | {weights.identity} |",
        f"| image | {weights.size} px, {framed}; crops {typed(weights.crops or (1.0,))} |",
        f"| mean, std | {', '.join(f'{value:g}' for value in weights.mean)}; {', '.join(f'{value:g}' for value in weights.std)} |",
        f"| classes | {len(weights.classes) or 'none: no head'} |",
        f"| licence | {weights.licence or UNKNOWN} |",
        "",
        "## How they came about",
        "",
        *[f"- {line}" for line in weights.provenance.lines() or ["random weights: nothing was trained"]],
        "",
        "## How well they do",
        "",
        *_metrics(run),
        "",
        "## The export against the original",
        "",
        *_against(measured, "this file"),
        *(_against(eight_bits, "the file of 8 bits") if eight_bits else []),
        "",
        "## Use",
        "",
        "To compare images by the cosine of their features. Products that were not learned from are what it is for; measure on your own",
        "images before you rely on it. Not for people, and for nothing where a wrong answer does harm.",
        "",
        USES[kind].format(file=file, side=_side(weights), dim=entry.dim),
    ]
    return "\n".join(lines) + "\n"


def _side(weights: Weights) -> int:
    return -int(-weights.size // min(weights.crops or (1.0,)))


def _metrics(run: Path | None) -> list[str]:
    """The last epoch's metrics of a run folder."""
    if run is None:
        return ["Not known here: measure with `repr evaluate`."]
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    values = [(name, value) for name, value in rows[-1].items() if value] if rows else []
    return ["Of the last epoch of training:", "", *(f"- {name}: {value}" for name, value in values)]


def _against(measured: Mapping[str, float], what: str) -> list[str]:
    cosine, least, top1 = measured["cosine"], measured["least"], 100 * measured["top1"]
    speed, before = measured["per_second"], measured["original_per_second"]
    return [
        f"On {measured['images']:.0f} images, {what}: cosine {cosine:.5f} (least {least:.5f}); the same nearest image for {top1:.1f} %; "
        f"{speed:.0f} images a second beside the original's {before:.0f}; {measured['megabytes']:.1f} MB.",
        "",
    ]
