"""An encoder as one graph for other runtimes: uint8 squares in, features out, with crops, resizing and normalisation inside.

Whoever runs it has to make images square (`repr.images`) and nothing else, so that there is no normalisation to get wrong.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from repr.embedding.graph import INPUT, OUTPUT, About
from repr.embedding.inference import prepared
from repr.errors import UserError
from repr.files import replacing
from repr.models.encoder import Encoder

OPSET = 18


class Portable(nn.Module):
    """An encoder made ready, for images of one side: (b, side, side, 3) uint8 → (b, dim) float32, as `Encoder.encode`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        ready = prepared(encoder, torch.device("cpu"))
        self.network = ready.network.to(memory_format=torch.contiguous_format)
        self.spans: list[tuple[int, int]] = []
        for n, crop in enumerate(encoder.crops):
            side = max(1, round(crop * encoder.side))  # as `repr.images.views.middle`
            self.spans.append(((encoder.side - side) // 2, side))
            self.register_buffer(f"resize{n}", resizing(side, encoder.size), persistent=False)
        self.size = encoder.size
        self.register_buffer("shift", encoder._shift.detach().clone().cpu())
        self.register_buffer("scale", encoder._scale.detach().clone().cpu())
        self.shift: Tensor
        self.scale: Tensor
        self.eval()

    def forward(self, squares: Tensor) -> Tensor:
        """(b, side, side, 3) uint8 → (b, dim)."""
        pixels = squares.permute(0, 3, 1, 2).float() / 255
        features = []
        for n, (start, side) in enumerate(self.spans):
            look = pixels[:, :, start : start + side, start : start + side]
            if side != self.size:
                matrix = self.get_buffer(f"resize{n}")
                look = matrix @ look @ matrix.T
            features.append(self.network((look - self.shift) / self.scale))
        return features[0] if len(features) == 1 else torch.stack(features).mean(dim=0)


def resizing(side: int, size: int) -> Tensor:
    """(size, side): what `repr.images.views.plain` does to one axis, as a matrix, since antialiased resizing is linear in each axis."""
    return interpolate(torch.eye(side)[None, None], (size, side), mode="bilinear", antialias=True, align_corners=False)[0, 0]


def about(encoder: Encoder) -> About:
    """What is written into an exported file of an encoder."""
    return About(encoder.name, encoder.identity, encoder.arch, encoder.dim, encoder.size, encoder.side, encoder.crops, encoder.frame)


def example(encoder: Encoder) -> Tensor:
    """(2, side, side, 3) uint8 of noise, to follow an encoder's operations with."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, encoder.side, encoder.side, 3), dtype=torch.uint8, generator=generator)


def write_onnx(encoder: Encoder, path: Path) -> None:
    """Write an ONNX file that takes any number of images. Raises UserError when a package is missing."""
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it, and says so less clearly
    except ModuleNotFoundError as error:
        raise UserError(f"ONNX files need the package {error.name}", "", "Install it with `pip install 'product-repr[onnx]'`") from None
    with redirect_stdout(io.StringIO()):  # the exporter prints its steps
        program = torch.onnx.export(
            Portable(encoder),
            (example(encoder),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch", min=1, max=4096)}},
            verbose=False,
        )
    assert program is not None, "the exporter that is asked for returns one"
    model = program.model_proto
    for key, value in about(encoder).texts().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    with replacing(path) as temporary:
        onnx.save(model, str(temporary))


def write_torchscript(encoder: Encoder, path: Path) -> None:
    """Write a TorchScript file, which torch runs without this package."""
    # Its own check compares graphs, in which attention differs from turn to turn; what is exported is compared on images.
    traced = torch.jit.trace(Portable(encoder), (example(encoder),), check_trace=False)  # type: ignore[no-untyped-call]
    with replacing(path) as temporary:
        torch.jit.save(traced, str(temporary), _extra_files=dict(about(encoder).texts()))
