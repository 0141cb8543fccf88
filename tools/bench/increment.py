"""How long a shop waits when products are added to a learner that works on stored features.

    python tools/bench/increment.py [--products 100000] [--learner ncm …] [--json]

Two questions, on made-up features (class centres with noise, after a ReLU), 10 photographs a product:
shop   34 products are added at once to a shop of 166, at 512 and 1,280 dimensions. Bar: 1 s.
mall   one product is added to --products products at 512 dimensions; the slowest of ten. Bar: 50 ms, for ncm, teen, lda.
`add` is the time of `learn`; `answer` that of the first answer after it, in which some learners do what they put off; `both` is
what the bar is for. Wall time, after embedding, on as many cores as there are (OMP_NUM_THREADS limits them). In the mall, lda puts
its covariance off until the images have grown by a thousandth (`lda.STALE`), which the ten do not reach: `refit` is the
answer that pays for it, once in a hundred products there.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from harness import Row

from repr.arrays import Floats, Ints
from repr.learners import FROZEN, VARIANTS, make
from repr.learners.lda import LDA
from repr.tables import table

SHOTS = 10
IN_A_MALL = ("ncm", "teen", "lda")
PART = 5000  # products made at a time
SHOP_BAR, MALL_BAR = 1.0, 0.05  # seconds


def images(products: Ints, dimensions: int, seed: int) -> tuple[Floats, Ints]:
    """Features float32 (10 · products, d) and labels of the products with these numbers."""
    rng = np.random.default_rng([seed, int(products[0])])
    centres = rng.standard_normal((len(products), dimensions), dtype=np.float32)
    noise = rng.standard_normal((len(products) * SHOTS, dimensions), dtype=np.float32)
    features: Floats = np.maximum(np.repeat(centres, SHOTS, axis=0) + np.float32(0.7) * noise, 0)
    return features, np.repeat(products, SHOTS)


def shop(name: str, dimensions: int, seed: int = 0) -> Row:
    """34 products into 166: {"learner", "case", "dimensions", "products", "added", "add", "answer", "both", "refit", "bar"}, seconds."""
    learner = make(name).learn(*images(np.arange(166), dimensions, seed))
    x, y = images(np.arange(166, 200), dimensions, seed)
    learner.scores(x[:1])
    begun = time.perf_counter()
    learner.learn(x, y)
    learned = time.perf_counter()
    learner.scores(x[:1])
    answered = time.perf_counter()
    sizes = {"dimensions": dimensions, "products": 166, "added": 34}
    times = {"add": learned - begun, "answer": answered - learned, "both": answered - begun}
    return {"learner": name, "case": "shop", **sizes, **times, "refit": None, "bar": SHOP_BAR}


def mall(name: str, products: int, dimensions: int = 512, seed: int = 0) -> Row:
    """One product into many, ten times: as `shop`, the slowest of the ten; then the answer after a hundredth of the images more."""
    x, y = np.empty((products * SHOTS, dimensions), dtype=np.float32), np.repeat(np.arange(products), SHOTS)
    for start in range(0, products, PART):
        part = slice(start * SHOTS, min(start + PART, products) * SHOTS)
        x[part] = images(np.arange(start, min(start + PART, products)), dimensions, seed)[0]
    learner = make(name).learn(x, y)
    learner.scores(x[:1])
    adds, answers, both = [], [], []
    for number in range(products, products + 10):
        x, y = images(np.array([number]), dimensions, seed)
        begun = time.perf_counter()
        learner.learn(x, y)
        learned = time.perf_counter()
        learner.scores(x[:1])
        both.append(time.perf_counter() - begun)
        adds.append(learned - begun)
        answers.append(both[-1] - adds[-1])
    refit = None
    if isinstance(learner, LDA):
        learner.learn(*images(np.arange(products + 10, products + 11 + products // 100), dimensions, seed))
        begun = time.perf_counter()
        learner.scores(x[:1])
        refit = time.perf_counter() - begun
    sizes = {"dimensions": dimensions, "products": products, "added": 1}
    times = {"add": max(adds), "answer": max(answers), "both": max(both), "refit": refit}
    return {"learner": name, "case": "mall", **sizes, **times, "bar": MALL_BAR}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of adding products to a learner on stored features.")
    parser.add_argument("--products", type=int, default=100_000, help="products in the mall (default 100000; 0 leaves it out)")
    parser.add_argument("--learner", action="append", choices=[*FROZEN, *VARIANTS], help="repeat for several (default: all)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    names = arguments.learner or [*FROZEN, *VARIANTS]
    rows = [shop(name, dimensions) for name in names for dimensions in (512, 1280)]
    if arguments.products:
        rows += [mall(name, arguments.products) for name in names if VARIANTS.get(name, (name,))[0] in IN_A_MALL]
    for row in rows:
        row |= {"name": f"{row['learner']}: {row['added']} into {row['products']:,}", "ratio": row["bar"] / row["both"]}
    if arguments.json:
        print(json.dumps({"shots": SHOTS, "rows": rows}))
        return
    sizes, times = ("dimensions", "products", "added"), ("add", "answer", "both", "bar", "refit")
    cells = [[r["learner"], *(f"{r[k]:,}" for k in sizes), *("–" if r[k] is None else f"{1000 * r[k]:.1f}" for k in times)] for r in rows]
    print(table(["learner", *sizes, *(f"{k} ms" for k in times)], cells))


if __name__ == "__main__":
    main()
