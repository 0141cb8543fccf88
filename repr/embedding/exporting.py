"""Weights exported for other programs: written, opened again, and compared with the original on real images before they stay."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from repr.arrays import Floats, Pixels
from repr.catalog.table import Catalog
from repr.crops import WHOLE
from repr.embedding.card import card
from repr.embedding.eight_bits import quantised
from repr.embedding.graph import Graph
from repr.embedding.portable import write_onnx, write_torchscript
from repr.errors import UserError
from repr.files import replacing, write_json
from repr.images.decode import decode
from repr.models.backbones import backbone, head_names
from repr.models.encoder import Encoder
from repr.models.timm_networks import architecture_of, library
from repr.models.weights import Weights, load_encoder, read_weights, write_weights
from repr.vectors import normalised

Kind = Literal["onnx", "torchscript", "safetensors", "timm-folder"]
KINDS: tuple[Kind, ...] = ("onnx", "torchscript", "safetensors", "timm-folder")
NAMES: dict[Kind, str] = {"onnx": "model.onnx", "torchscript": "model.pt", "safetensors": "model.safetensors", "timm-folder": "model"}
KEPT = ("first_conv", "classifier", "fixed_input_size", "license")  # of timm's own pretrained_cfg
SAME = 0.9999  # cosine of an export with its original on every image
TURNS = 3  # of timing; the median counts
Embed = Callable[[Pixels], Floats]


@dataclass(frozen=True)
class Measured:
    """An export against its original on the same images.

    cosine, least: mean and smallest cosine of an image's two vectors; top1: share of images whose nearest other image is the same one;
    per_second: images a second, from squares in memory, and of the original beside it; megabytes: of the files.
    """

    images: int
    cosine: float
    least: float
    top1: float
    per_second: float
    original_per_second: float
    megabytes: float


@dataclass(frozen=True)
class Exported:
    """What was written. card: the model card; eight_bits: of the ONNX file of 8 bits, None where none was asked for."""

    kind: Kind
    path: Path
    card: Path
    weights: str
    identity: str
    measured: Measured
    eight_bits_path: Path | None = None
    eight_bits: Measured | None = None

    def as_json(self) -> dict[str, object]:
        """It as JSON-able values."""
        values = {**asdict(self), "path": str(self.path), "card": str(self.card)}
        return {**values, "eight_bits_path": str(self.eight_bits_path) if self.eight_bits_path else None}


def export(
    spec: str | Path | Weights,
    kind: Kind,
    out: Path,
    catalog: Catalog,
    *,
    images: int = 64,
    size: int | None = None,
    crops: tuple[float, ...] = (),
    eight_bits: bool = False,
    workers: int | None = None,
) -> Exported:
    """Write weights as `kind` to `out`, a file, or for "timm-folder" a folder, with a model card beside or in it.

    catalog: real images to compare on, of which `images` are taken, evenly. eight_bits: an ONNX file of 8 bits beside it, calibrated on
    those images. Raises UserError when the export gives other vectors than the original, which then is not kept, and for what cannot be
    exported so.
    """
    if eight_bits and kind != "onnx":
        raise UserError("8 bits are for ONNX files", "", "Choose onnx with `to`, or leave `int8` out", argument="int8")
    if out.exists() and (kind == "timm-folder") != out.is_dir():
        raise UserError("is there already, and not what is written", out, "Choose another `out`")
    weights = spec if isinstance(spec, Weights) else read_weights(spec)
    weights = replace(weights, size=size or weights.size, crops=crops or weights.crops or WHOLE)
    if kind == "timm-folder" and weights.crops != WHOLE:
        weights = replace(weights, crops=WHOLE)  # timm has no crops; the card says so
    encoder = load_encoder(weights)
    squares = _squares(catalog, encoder, images, workers)
    with replacing(out) as temporary:
        embed = _write(weights, encoder, kind, temporary)
        measured = compare(squares, _original(encoder), embed, _bytes(temporary))
        if measured.least < SAME:
            message = f"the exported network gives other vectors (cosine {measured.least:.5f}, not {SAME})"
            raise UserError(message, out, "Export as another kind, or at the network's own size")
    place, small = None, None
    if eight_bits:
        place = out.with_name(f"{out.stem}.int8.onnx")
        quantised(out, place, squares)
        small = compare(squares, _original(encoder), Graph(place).features, _bytes(place))
    text = card(weights, kind, out.name, measured=asdict(measured), eight_bits=asdict(small) if small else None, run=_run_of(spec))
    page = out / "README.md" if kind == "timm-folder" else out.with_name(f"{out.name}.md")
    with replacing(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Exported(kind, out, page, weights.name, weights.identity, measured, place, small)


def compare(squares: Pixels, original: Embed, exported: Embed, n_bytes: int) -> Measured:
    """Two ways of embedding the same (n, side, side, 3) uint8 squares, one against the other."""
    first, seconds = _timed(original, squares)
    second, others = _timed(exported, squares)
    a, b = normalised(first), normalised(second)
    cosines = (a * b).sum(axis=1)
    return Measured(
        len(squares),
        float(cosines.mean()),
        float(cosines.min()),
        float((_nearest(a) == _nearest(b)).mean()),
        len(squares) / others,
        len(squares) / seconds,
        n_bytes / 1e6,
    )


def _nearest(vectors: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """(n,) the nearest other one of each."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.asarray(scores.argmax(axis=1))


def _timed(embed: Embed, squares: Pixels) -> tuple[Floats, float]:
    """The features in batches of 16, and the median seconds of TURNS over all."""
    parts = [squares[start : start + 16] for start in range(0, len(squares), 16)]
    seconds, blocks = list[float](), list[Floats]()
    for _ in range(TURNS):
        begun = time.perf_counter()
        blocks = [embed(part) for part in parts]
        seconds.append(time.perf_counter() - begun)
    return np.concatenate(blocks), median(seconds)


def _squares(catalog: Catalog, encoder: Encoder, n: int, workers: int | None) -> Pixels:
    """Up to n of a catalog's images, spread evenly over it, as the encoder sees them. Raises UserError when not two can be read."""
    rows = np.unique(np.linspace(0, len(catalog) - 1, min(n, len(catalog))).astype(np.int64)) if len(catalog) else np.empty(0, np.int64)
    chosen = catalog.select(rows)
    chunks = decode(chosen.files(), chosen.boxes(), encoder.side, fit=encoder.frame or "crop", workers=workers)
    pixels = [chunk.pixels for chunk in chunks]
    if sum(map(len, pixels)) < 2:
        raise UserError("not two images that can be read", catalog.name, "Name others with `data`")
    return np.concatenate(pixels)


def _original(encoder: Encoder) -> Embed:
    def _embed(squares: Pixels) -> Floats:
        with torch.inference_mode():
            return encoder.encode(torch.from_numpy(squares)).numpy()

    return _embed


def _write(weights: Weights, encoder: Encoder, kind: Kind, path: Path) -> Embed:
    """Write the file or folder and open it again, as those who get it do."""
    if kind == "onnx":
        write_onnx(encoder, path)
        return Graph(path).features
    if kind == "torchscript":
        write_torchscript(encoder, path)
        loaded = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
        return lambda squares: cast(Floats, loaded(torch.from_numpy(squares)).detach().numpy())
    if kind == "safetensors":
        write_weights(path, weights)
        return _original(load_encoder(path))
    return _timm_folder(weights, encoder, path)


def _timm_folder(weights: Weights, encoder: Encoder, folder: Path) -> Embed:
    """A folder for `timm.create_model("local-dir:…", pretrained=True)`."""
    timm, (name, arguments) = library("a folder of timm's"), architecture_of(weights.arch)
    frame, classes, head = encoder.frame, list(weights.classes), head_names(weights.arch)
    network = timm.create_model(name, num_classes=len(classes), **arguments)
    if classes and not set(head) <= set(network.state_dict()):
        weights, classes = weights.headless(), []
        network = timm.create_model(name, num_classes=0, **arguments)
    try:
        network.load_state_dict(dict(weights.tensors), strict=True)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"timm's {name} has other tensors ({reason})", weights.name, "Export as onnx or safetensors") from None
    modes = {"shortest": "center", "squash": "squash", "longest": "border"}
    pretrained = {
        **{key: value for key, value in network.pretrained_cfg.items() if key in KEPT},
        "tag": "exported",
        "input_size": [3, encoder.size, encoder.size],
        "mean": list(encoder.mean),
        "std": list(encoder.std),
        "interpolation": frame.filter if frame else "bicubic",
        "crop_pct": frame.share if frame else 1.0,
        "crop_mode": modes[frame.side] if frame else "center",
        "num_classes": len(classes),
    }
    folder.mkdir()
    content = {"architecture": name.partition(".")[0], "num_classes": len(classes), "num_features": backbone(weights.arch).dim}
    if arguments:
        content["model_args"] = dict(arguments)
    write_json(folder / "config.json", {**content, **({"label_names": classes} if classes else {}), "pretrained_cfg": pretrained})
    save_file({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, folder / "model.safetensors", {"format": "pt"})
    loaded: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    return _original(Encoder(loaded, weights.arch, encoder.size, mean=encoder.mean, std=encoder.std))


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file())


def _run_of(spec: str | Path | Weights) -> Path | None:
    """The run folder that weights were named by, if they were."""
    path = None if isinstance(spec, Weights) else Path(spec)
    return path if path is not None and (path / "metrics.csv").is_file() else None
