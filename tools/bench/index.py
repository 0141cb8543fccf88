"""What an index of many images costs to search, to open and to add to.

    python tools/bench/index.py [--only search,added,singly,products,large] [--vectors FILE] [--json] [--keep FILE]

Made-up vectors: 20,000 standard normal centres, plus 0.6 x noise (1.5 x beside it), scaled to length 1; queries are others of their kind.

- search: 1,000,000 x 256. Bar: 20 x the queries a second of the exact search at recall@10 >= 0.95, chosen and filled in < 90 s.
- added: the first answer after one image is added to 500,000 x 512. Bar: 2 x a plain answer.
- singly: 10,000 images added one by one. Bars: 50 files; open and first answer 1.2 x those of one that was built at once.
- products: an answer among 100,000 products of two images, 1,280 numbers each, by a learner that is linear in the features, with its
  probability, its nearest images and whether it is unknown. Bar: 50 ms.
- large: 3,000,000 x 512, from a file. Bar: 6 minutes, 8 GiB. Vectors lie in the file, so that memory counted is what is not of it. They
  are 6 GB, and drawn once where --vectors says where they are to stay.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import harness
import numpy as np

from repr.arrays import Floats
from repr.embedding.embeddings import Embeddings
from repr.files import replacing
from repr.lookup.answers import Answerer
from repr.lookup.gallery import Gallery
from repr.lookup.index import Index
from repr.lookup.settled import Gate, Settled
from repr.lookup.store import NewImage, Product
from repr.models.weights import fresh
from repr.search.calibrated import Tried, calibrate, rescored
from repr.search.exact import top_k

CENTRES = 20_000
LINEAR = ("ncm", "lda-root")
BAR_MS = 50.0  # of an answer among 100,000 products
CHUNK = 50_000
OPENED = """
import json, sys, time
import numpy as np
from repr.lookup.index import Index
query = np.load(sys.argv[2])
begun = time.perf_counter()
Index.open(sys.argv[1], device="cpu").search(query)
print(json.dumps({"seconds": time.perf_counter() - begun}))
"""


def drawn(n: int, dim: int, noise: float, seed: int) -> Iterator[Floats]:
    """n vectors of length 1 in chunks (m, dim), around centres that are the same for every seed."""
    centres = np.random.default_rng(0).standard_normal((CENTRES, dim), dtype=np.float32)
    generator = np.random.default_rng(seed)
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        part = centres[generator.integers(0, CENTRES, m)] + noise * generator.standard_normal((m, dim), dtype=np.float32)
        yield part / np.linalg.norm(part, axis=1, keepdims=True)


def whole(n: int, dim: int, noise: float, seed: int) -> Floats:
    """As `drawn`, (n, dim)."""
    return np.concatenate(list(drawn(n, dim, noise, seed)))


def print_settings(tried: tuple[Tried, ...]) -> None:
    """The settings on stderr."""
    for one in tried:
        print(f"  {one.words()}", file=sys.stderr)


def answered(name: str, vectors: Floats, queries: Floats, recall: float) -> harness.Row:
    """Choose a search of vectors (n, d), and ask it and the exact one the same queries."""
    begun, ids = time.perf_counter(), np.arange(len(vectors))
    chosen, cells, tried = calibrate(vectors, ids, recall=recall, generator=np.random.default_rng(0))
    built = time.perf_counter() - begun
    print_settings(tried)
    begun = time.perf_counter()
    _, exact = top_k(queries, vectors, 10)
    exact_rate = len(queries) / (time.perf_counter() - begun)
    rate, rows = exact_rate, exact
    if cells is not None:
        rescored(cells, vectors.__getitem__, queries[:50], 10)
        begun = time.perf_counter()
        _, rows = rescored(cells, vectors.__getitem__, queries, 10)
        rate = len(queries) / (time.perf_counter() - begun)
    shares = [len(np.intersect1d(some, best)) / 10 for some, best in zip(rows, exact, strict=True)]
    return {
        "name": name, "kind": chosen.kind, "lists": chosen.lists, "probes": chosen.probes, "recall@10": float(np.mean(shares)),
        "queries_a_second": rate, "exact_queries_a_second": exact_rate, "ratio": rate / exact_rate, "build_seconds": built,
        "bytes_a_vector": chosen.bytes_a_vector,
    }  # fmt: skip


def search(n: int, dim: int = 256) -> Iterator[harness.Row]:
    """Both noises."""
    for noise in (0.6, 1.5):
        yield answered(f"{n:,} x {dim}, noise {noise}", whole(n, dim, noise, 1), whole(1000, dim, noise, 2), 0.95)


def empty_index(folder: Path) -> Index:
    """Of 512 numbers an image."""
    return Index.create(folder, weights=fresh("resnet18", 32, 0), crops=[1], device="cpu", root=folder.parent)


def put(index: Index, vectors: Floats, start: int, *, at_once: int) -> None:
    """Store vectors (n, d) as images from the number `start` on, ten a product."""
    for first in range(0, len(vectors), at_once):
        part = [
            NewImage(f"p{number // 10}", f"{number}.jpg", number.to_bytes(32, "big"), vectors[number - start])
            for number in range(start + first, start + min(first + at_once, len(vectors)))
        ]
        with index.store.change("add") as change:
            change.put_products([Product(name) for name in dict.fromkeys(image.product for image in part)])
            change.add(part)


def timed(index: Index, query: Floats) -> float:
    """Seconds of one answer to a photograph whose features are there."""
    embeddings = Embeddings(query, np.ones(1, np.float32), np.arange(1))
    begun = time.perf_counter()
    index.answer(embeddings)
    return time.perf_counter() - begun


def added(n: int, dim: int = 512) -> Iterator[harness.Row]:
    """Searched exactly, and by the search that is chosen."""
    queries = whole(200, dim, 0.6, 2)
    with tempfile.TemporaryDirectory() as place:
        index = empty_index(Path(place) / "index")
        for number, part in enumerate(drawn(n, dim, 0.6, 1)):
            put(index, part, number * CHUNK, at_once=10_000)
        for kind in ("exact", "chosen"):
            if kind == "chosen":
                index._tune(anew=True)
            plain, first = [], []
            for turn in range(40):
                timed(index, queries[turn : turn + 1])
                plain.append(timed(index, queries[turn + 1 : turn + 2]))
                put(index, queries[turn + 100 : turn + 101], n + 1000 * (kind == "chosen") + turn, at_once=1)
                first.append(timed(index, queries[turn + 2 : turn + 3]))
            seconds = statistics.median(plain), statistics.median(first)
            yield {"name": f"{n:,} x {dim}, {kind}: first answer after an addition", "plain_ms": 1000 * seconds[0],
                   "first_ms": 1000 * seconds[1], "ratio": seconds[1] / seconds[0]}  # fmt: skip


def singly(n: int, dim: int = 512) -> Iterator[harness.Row]:
    """One by one, asked now and then, beside all at once."""
    vectors = whole(n, dim, 0.6, 1)
    with tempfile.TemporaryDirectory() as place:
        indexes = {name: empty_index(Path(place) / name) for name in ("singly", "at once")}
        put(indexes["at once"], vectors, 0, at_once=256)
        indexes["at once"].search(vectors[:1])
        begun = time.perf_counter()
        for number in range(n):
            put(indexes["singly"], vectors[number : number + 1], number, at_once=1)
            if number % 20 == 0:
                indexes["singly"].search(vectors[:1])
        took = time.perf_counter() - begun
        np.save(Path(place) / "query.npy", vectors[:1])
        seconds: dict[str, list[float]] = {name: [] for name in indexes}
        for _ in range(7):
            for name, index in indexes.items():
                command = [sys.executable, "-c", OPENED, str(index.folder), str(Path(place) / "query.npy")]
                printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                seconds[name].append(json.loads(printed)["seconds"])
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        files = sum(1 for file in indexes["singly"].folder.rglob("*") if file.is_file())
        yield {"name": f"{n:,} single additions", "files": files, "added_a_second": n / took, "open_ms": 1000 * medians["singly"],
               "at_once_ms": 1000 * medians["at once"], "ratio": medians["singly"] / medians["at once"]}  # fmt: skip


def products(n: int, dim: int = 1280) -> Iterator[harness.Row]:
    """By each of LINEAR, of a centre and two images a product: made-up photographs of products that are there."""
    generator = np.random.default_rng(1)
    centres = np.maximum(generator.standard_normal((n, dim), dtype=np.float32), 0)
    features = np.repeat(centres, 2, axis=0)
    for start in range(0, 2 * n, CHUNK):
        part = features[start : start + CHUNK]
        part += 0.6 * generator.standard_normal(part.shape, dtype=np.float32)
    gallery = Gallery(features, [str(row // 2) for row in range(2 * n)], np.arange(2 * n))
    numbers = generator.integers(0, n, 60)
    queries = centres[numbers] + 0.6 * generator.standard_normal((60, dim), dtype=np.float32)
    costs = {"known_rejected": 0.0, "strangers_accepted": 0.0, "auroc": 1.0}
    gate = Gate(weights=(1.0, 1.0, 1.0), bias=0.0, usual=0.8, threshold=0.0, accept=0.95, **costs)
    for learner in LINEAR:
        answerer = Answerer(gallery, Settled(learner, gate=gate))
        seconds, right = list[float](), list[bool]()
        for query, product in zip(queries, numbers, strict=True):
            begun = time.perf_counter()
            answer = answerer.answers(query[None], 10)[0]
            seconds.append(time.perf_counter() - begun)
            right.append(answer.candidates[0].product == str(product))
        answer_ms = 1000 * statistics.median(seconds[10:])  # the first solve what later ones need
        yield {"name": f"{n:,} products x {dim}, {learner}", "answer_ms": answer_ms, "first_ms": 1000 * seconds[0],
               "right": float(np.mean(right)), "ratio": BAR_MS / answer_ms}  # fmt: skip


def large(n: int, dim: int = 512, *, kept: Path | None = None) -> Iterator[harness.Row]:
    """From a file, as the matrix beside an index. kept: where it is to stay, and is taken from."""
    with tempfile.TemporaryDirectory() as place:
        file = kept or Path(place) / "vectors.f32"
        if not file.is_file() or file.stat().st_size != 4 * n * dim:
            with replacing(file) as temporary, temporary.open("wb") as stream:
                for part in drawn(n, dim, 0.6, 1):
                    stream.write(part.tobytes())
        row = answered(f"{n:,} x {dim}, noise 0.6", np.memmap(file, np.float32, "r", shape=(n, dim)), whole(300, dim, 0.6, 2), 0.95)
        memory = {line.split(":")[0]: int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "kB" in line}
        yield row | {"own_memory_mb": memory["RssAnon"] / 1024, "peak_with_file_mb": memory["VmHWM"] / 1024}


PARTS: dict[str, tuple[Callable[[int], Iterator[harness.Row]], int]] = {
    "search": (search, 1_000_000),
    "added": (added, 500_000),
    "singly": (singly, 10_000),
    "products": (products, 100_000),
    "large": (large, 3_000_000),
}


def main() -> None:
    """Run the parts that were asked for, print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    chosen = f"parts, with commas, of {', '.join(PARTS)} (default: all but large)"
    parser.add_argument("--only", default=",".join([*PARTS][:-1]), help=chosen)
    parser.add_argument("--share", type=float, default=1.0, help="of the vectors, to try it (default: all)")
    parser.add_argument("--vectors", type=Path, metavar="FILE", help="where the vectors of large stay (default: nowhere)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the figures to a JSON file")
    arguments = parser.parse_args()
    parts = PARTS | {"large": (partial(large, kept=arguments.vectors), PARTS["large"][1])}
    rows = []
    for part, n in (parts[name] for name in arguments.only.split(",")):
        for row in part(int(n * arguments.share)):
            rows.append(row)
            if arguments.keep is not None:  # what is measured stays, should it be stopped
                harness.keep(arguments.keep, rows)
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print(", ".join(f"{name} {value:,.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
