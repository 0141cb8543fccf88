"""An ONNX file in 8 bits: weights, and what passes between layers, in whole numbers, scaled by what calibration images make of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from repr.arrays import Pixels
from repr.embedding.graph import INPUT
from repr.errors import UserError
from repr.files import replacing

BATCH = 8  # images a step of calibration


def quantised(path: Path, out: Path, squares: Pixels) -> None:
    """Write `out`, the ONNX file at `path` in 8 bits. squares: (n, side, side, 3) uint8 to calibrate on.

    Weights of a scale for each channel, activations of one for each layer, as QDQ pairs. Raises UserError when a package is missing.
    """
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ModuleNotFoundError as error:
        raise UserError(f"8 bits need the package {error.name}", "", "Install it with `pip install 'product-repr[onnx]'`") from None

    class _Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.parts: Iterator[Pixels] = iter([squares[start : start + BATCH] for start in range(0, len(squares), BATCH)])

        def get_next(self) -> dict[str, Pixels] | None:
            part = next(self.parts, None)
            return None if part is None else {INPUT: np.ascontiguousarray(part)}

    before = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it warns on the root logger of what we do here
    try:
        with TemporaryDirectory() as folder, replacing(out) as temporary:
            ready = Path(folder) / "ready.onnx"
            quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready),
                str(temporary),
                _Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            )
    finally:
        logging.root.setLevel(before)
