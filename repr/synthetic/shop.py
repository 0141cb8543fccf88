"""Draw the synthetic shop: its parts, on all cores, each whole or not at all."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from repr import files, progress
from repr.errors import UserError, nearest
from repr.machine import cores
from repr.records import Json
from repr.synthetic import mep3m, rpc
from repr.synthetic.identity import skus
from repr.synthetic.scenes import RPC, Habits

log = logging.getLogger(__name__)

T = TypeVar("T")

VERSION = 2  # of the drawing; another number draws anew into the cache
PARTS = ("mep3m", "rpc")  # the web shop and the checkout, each a folder


@dataclass(frozen=True)
class Scale:
    """How much is drawn: MEP-3M records, exemplars a SKU, checkout scenes (multiples of six), bytes on the disk at most, SKUs.

    habits: how alike the photographs of the checkout are. small: the share of 75-pixel images in the web shop, which are drawn in a third
    of the time. loud: all products are printed to be told from afar, which a small network learns in minutes.
    """

    records: int
    exemplars: int
    val: int
    test: int
    room: int
    products: int = 200  # of RPC's 200, evenly over the supercategories
    habits: Habits = RPC
    small: float = mep3m.SMALL
    loud: bool = False


SCALES = {
    "full": Scale(3000, 24, 90, 168, 170_000_000),
    "demo": Scale(2400, 4, 60, 30, 50_000_000, 80, Habits(2.7, 0.0), small=0.8, loud=True),
    "tiny": Scale(260, 8, 6, 12, 40_000_000),
}


class Draw(Protocol):
    """Runs jobs and gathers what they make, in their order; `total` things, counted as `what` says."""

    def __call__(self, jobs: Sequence[partial[list[T]]], total: int, what: str) -> list[T]: ...


def draw_shop(out: Path, *, seed: int = 0, scale: str = "full", parts: Sequence[str] = PARTS, workers: int | None = None) -> Path:
    """Draw the synthetic shop into `out`: `out/mep3m`, `out/rpc`, and a `synthetic.json` in each folder. Returns `out`.

    The same seed and scale give the same bytes, however many processes draw. Parts that are there already are kept; parts: which of PARTS.
    Raises UserError when `out` holds something else, when the disk is too full, or for an unknown scale.
    """
    out = Path(out).absolute()
    if scale not in SCALES:
        raise UserError(f"no such scale: {scale}", "", nearest(scale, SCALES), argument="scale")
    mark: dict[str, Json] = {
        "version": VERSION,
        "seed": seed,
        "scale": scale,
        **({"habits": asdict(SCALES[scale].habits)} if SCALES[scale].habits != RPC else {}),
        "synthetic": True,
        "note": "Drawn images of products that do not exist.",
    }
    there = _there(out, mark)
    missing = [part for part in parts if part not in there]
    if not missing:
        return out
    files.need_space(out, SCALES[scale].room, "the synthetic shop")
    with _pool(workers or cores()) as draw:
        if there:
            for part in missing:
                with files.replacing(out / part) as folder:
                    _draw_part(draw, part, folder, SCALES[scale], seed, mark)
        else:
            with files.replacing(out) as folder:
                for part in missing:
                    _draw_part(draw, part, folder / part, SCALES[scale], seed, mark)
                files.write_json(folder / "synthetic.json", mark)
    return out


def synthetic_root(part: Literal["mep3m", "rpc"], *, seed: int = 0) -> Path:
    """The folder of that part of the synthetic shop in the cache, drawn on first use (which says so on stderr)."""
    folder = files.cache_dir("synthetic", f"v{VERSION}-{seed}")
    if not (folder / "synthetic.json").is_file():
        log.info(f"Drawing the synthetic shop into {folder} (about a minute, once).")
        draw_shop(folder, seed=seed)
    return folder / part


def _there(out: Path, mark: dict[str, Json]) -> list[str]:
    """Which parts of this very shop are in `out`; none where it is empty or missing.

    Raises UserError when there is something else: nothing is drawn over.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return []
    there = [part for part in PARTS if (out / part).is_dir()] if (out / "synthetic.json").is_file() else []
    if not there or files.read_json(out / "synthetic.json") != mark:
        what = "a synthetic shop of another seed, scale or version is here" if there else "there is something else here"
        raise UserError(what, out, "Name a new or an empty folder with `out`")
    return there


def _draw_part(draw: Draw, part: str, folder: Path, scale: Scale, seed: int, mark: dict[str, Json]) -> None:
    folder.mkdir(parents=True)
    (_draw_web if part == "mep3m" else _draw_checkout)(draw, folder, scale, seed)
    files.write_json(folder / "synthetic.json", mark)


def _draw_web(draw: Draw, folder: Path, scale: Scale, seed: int) -> None:
    mep3m.folders(folder)
    listings = mep3m.plan(scale.records, seed, small=scale.small, loud=scale.loud)
    chunks = [listings[i : i + mep3m.CHUNK] for i in range(0, len(listings), mep3m.CHUNK)]
    records = draw([partial(mep3m.draw_listings, folder, chunk, seed) for chunk in chunks], len(listings), "Drawing the web shop")
    mep3m.write_annotations(folder, records)


def _draw_checkout(draw: Draw, folder: Path, scale: Scale, seed: int) -> None:
    rpc.folders(folder)
    every = sorted(skus(seed))
    categories = [every[place * len(every) // scale.products] for place in range(scale.products)]
    scenes = rpc.plan({"val": scale.val, "test": scale.test}, categories, seed)
    exemplars = [partial(rpc.draw_sku, folder, category, scale.exemplars, seed, scale.loud) for category in categories]
    rpc.write_annotations(folder, "train", draw(exemplars, scale.exemplars * len(categories), "Drawing exemplars"), categories, seed)
    drawn = draw(
        [partial(rpc.draw_checkout, folder, scene, seed, scale.habits, scale.loud) for scene in scenes], len(scenes), "Drawing checkouts"
    )
    for split in ("val", "test"):
        of_split = [d for d, scene in zip(drawn, scenes, strict=True) if scene.split == split]
        rpc.write_annotations(folder, split, of_split, categories, seed)


@contextmanager
def _pool(workers: int) -> Iterator[Draw]:
    """What runs jobs, in `workers` processes.

    Children are forked where that is possible, so that a script without a main guard can draw the shop too; they ignore Ctrl-C
    and end when their job does. One that is killed is an error (a multiprocessing.Pool would wait for ever, and one that ends its
    workers by a signal did, on a busy machine).
    """
    if workers < 2:
        yield _in_turn
        return
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(method), signal.signal, (signal.SIGINT, signal.SIG_IGN))

    def _shared_out(jobs: Sequence[partial[list[T]]], total: int, what: str) -> list[T]:
        try:
            return _gather(pool.map(_run, jobs), total, what)
        except BrokenProcessPool:
            raise UserError(
                "a process that drew was killed, perhaps for want of memory", "", "Close other programs, and draw again"
            ) from None

    try:
        yield _shared_out
    finally:
        pool.shutdown(cancel_futures=True)


def _in_turn(jobs: Sequence[partial[list[T]]], total: int, what: str) -> list[T]:
    return _gather(map(_run, jobs), total, what)


def _run(job: partial[list[T]]) -> list[T]:
    return job()


def _gather(results: Iterator[list[T]], total: int, what: str) -> list[T]:
    return list(progress.counted(itertools.chain.from_iterable(results), total, what, "image"))
