"""What measuring embeddings costs at the size of a catalogue: seconds and peak memory, beside the n × n matrix that is never made.

    python tools/bench/retrieval.py [--vectors 200000] [--dim 512] [--products 20000] [--json]

Made-up vectors, each product a noisy cluster, as `repr evaluate --embeddings` measures them among each other (kNN, retrieval, rank), in a
process of its own. `ratio` is the size of an n × n float32 matrix over the peak memory. Bar: 24 GiB for 200,000 vectors of 512.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from repr.catalog.building import peak_mb
from repr.evaluation.measure import Constants, measure

BAR_MB = 24 * 2**30 / 1e6


def clusters(n: int, dim: int, products: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, dim) float32 and their products (n,) int64; about half of the neighbours are right."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, products, n)
    centres = generator.standard_normal((products, dim), dtype=np.float32)
    vectors = centres[labels]
    for first in range(0, n, 10_000):  # noise in pieces, not another matrix of this size
        part = vectors[first : first + 10_000]
        part += 1.8 * generator.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors, labels


def main() -> None:
    """Make the vectors, measure, print one row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    n = arguments.vectors
    vectors, labels = clusters(n, arguments.dim, arguments.products)
    begun = time.perf_counter()
    figures = measure("made up", vectors, labels, None, labels, Constants()).retrieval
    row = {
        "name": f"{n:,} x {arguments.dim}, leave-one-out",
        "seconds": time.perf_counter() - begun,
        "peak_mb": peak_mb(),
        "bar_mb": BAR_MB,
    }
    row |= {"ratio": n * n * 4 / 1e6 / row["peak_mb"], "recall@1": figures.micro["recall@1"]}
    if arguments.json:
        print(json.dumps({"rows": [row]}))
        return
    print(f"{row['name']}: {row['seconds']:.0f} s, {row['peak_mb']:,.0f} MB peak (bar {BAR_MB:,.0f}), recall@1 {row['recall@1']:.1%}")
    print(f"An n x n matrix alone would take {n * n * 4 / 1e6:,.0f} MB, {row['ratio']:.1f} times as much.")


if __name__ == "__main__":
    main()
