"""A detector as one ONNX graph: a square in, boxes and scores out; normalisation and decoding of boxes inside."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch

from repr.checkout.detector import Trained
from repr.checkout.graph import BOXES, INPUT, SCORES, About, Graph
from repr.embedding.portable import OPSET
from repr.errors import UserError
from repr.files import replacing

NEAR = 0.01  # of the side: how far a corner may be from the original's
CERTAIN = 0.05  # score from which corners are compared


def write_onnx(trained: Trained, path: Path) -> None:
    """Write an ONNX file of a detector, for one image at a time, compared with the original on a square of noise before it stays.

    Raises UserError when a package is missing, or when the answers differ.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it, and says so less clearly
    except ModuleNotFoundError as error:
        raise UserError(f"ONNX files need the package {error.name}", "", "Install it with `pip install 'product-repr[onnx]'`") from None
    build = trained.build
    square = torch.randint(0, 256, (1, build.side, build.side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network = trained.network()
    with redirect_stdout(io.StringIO()):  # the exporter prints its steps
        program = torch.onnx.export(
            network, (square,), input_names=[INPUT], output_names=[BOXES, SCORES], opset_version=OPSET, dynamo=True, verbose=False
        )
    assert program is not None, "the exporter that is asked for returns one"
    model = program.model_proto
    for key, value in (
        About(trained.name, trained.identity, build.side, build.classes, trained.threshold, trained.synthetic).texts().items()
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    with replacing(path) as temporary:
        onnx.save(model, str(temporary))
        with torch.inference_mode():
            boxes, scores = (one[0].numpy() for one in network(square))
        others, other_scores = Graph(temporary).answer(square.numpy()[0])
        apart = np.abs(boxes - others)[scores.max(1) >= CERTAIN].max(initial=0.0) / build.side
        if max(float(apart), float(np.abs(scores - other_scores).max())) > NEAR:
            raise UserError("the exported detector gives other boxes", path, "Use it without ONNX")
