"""Texts as word pieces, and a network asked about them in batches of fixed shapes.

The last bits of a matrix product follow its shape. So a text is padded to the next multiple of STEP above its own length, whatever stands
beside it, and a batch is filled up to ROWS: a text's answer is then the same to the bit in every company, of a catalog or alone. Ten to
twenty pieces a text and MiniLM on a CPU, that is as quick as batches of 64 texts of like length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from repr.arrays import Floats
from repr.classify.texts import PAIR

Tokenizer = Callable[..., Mapping[str, Sequence[Sequence[int]]]]  # transformers' own: texts → word-piece numbers

ROWS, STEP = 16, 8


def tokens(tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> Tensor:
    """Word-piece numbers (n, l) int64, one or more and -1 behind them, l at most `longest`; texts with PAIR are pairs, cut together."""
    parts = [text.partition(PAIR) for text in texts]
    made: list[Sequence[int]] = [()] * len(texts)
    for paired in (False, True):
        rows = [row for row, (_, _, second) in enumerate(parts) if bool(second) == paired]
        if rows:
            given = [[parts[row][at] for row in rows] for at in ((0, 2) if paired else (0,))]
            numbers_of = tokenizer(*given, truncation=True, max_length=longest)["input_ids"]
            for row, numbers in zip(rows, numbers_of, strict=True):
                made[row] = numbers or (0,)
    out = torch.full((len(texts), max(map(len, made))), -1)
    for row, numbers in enumerate(made):
        out[row, : len(numbers)] = torch.tensor(numbers)
    return out


@torch.inference_mode()
def ask_texts(ask: Callable[[Tensor], Tensor], numbers: Tensor, longest: int) -> Floats:
    """(n, d) of texts. ask: (ROWS, l) numbers → (ROWS, d), of an eval-mode network; numbers: as `tokens` gives them.

    longest: the most pieces of any text, which no batch is wider than.
    """
    lengths = (numbers >= 0).sum(dim=1).numpy()
    widths = np.minimum(-(-lengths // STEP) * STEP, longest)
    out: Floats | None = None
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        for part in np.split(rows, range(ROWS, len(rows), ROWS)):
            batch = torch.full((ROWS, width), -1)
            batch[:, 0] = 0
            own = numbers[torch.from_numpy(part), :width]
            batch[: len(part), : own.shape[1]] = own
            given = ask(batch).float().cpu().numpy()
            if out is None:
                out = np.empty((len(numbers), given.shape[1]), np.float32)
            out[part] = given[: len(part)]
    assert out is not None, "no texts"
    return out
