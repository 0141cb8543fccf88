"""A detector learned from labelled scenes: data, settings, run folder, the loop, the file that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.catalog.passed import PassedOver
from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.checkout.cold import FILE
from repr.checkout.detector import Trained, write_detector
from repr.commands import command_line
from repr.errors import UserError
from repr.files import held
from repr.models.provenance import Provenance, Record, versions
from repr.models.weights import Weights, fresh, read_weights
from repr.records import Scalar
from repr.runs import Run
from repr.settings import declared, values
from repr.training import checkpoint
from repr.training.data import HOLDOUT, stream
from repr.training.stop import Stop, Stopped
from rpc_transfer.checkout.finding import Finding
from rpc_transfer.checkout.loop import Loop
from rpc_transfer.checkout.material import Scenes, held_out, read_scenes
from rpc_transfer.checkout.seen import SEEN, draw_seen
from rpc_transfer.checkout.settings import MACHINE, Training

COMMAND = "rpc_transfer checkout train"


@dataclass(frozen=True)
class Learnt:
    """What a run came to. seconds: of training, over all its parts."""

    run: Path
    detector: Path
    finding: Finding
    scenes: int
    watched: int
    seconds: float
    passed_over: tuple[PassedOver, ...]


def started_with(out: Path, *, device: str = "auto", workers: int | None = None) -> tuple[tuple[str, ...], Training]:
    """The data and the settings that the run in `out` was started with, on the machine of now. Raises UserError when there is none."""
    typed = Run.open(out).config["typed"]
    known = {name: value for name, value in typed.items() if name in declared(Training)}
    return tuple(typed["data"]), Training(**{**known, "device": device, "workers": workers})


def train(data: Sequence[str | Path], settings: Training, out: Path, *, resume: bool = False) -> Learnt:
    """Train a detector on the labelled scenes of `data` (their train part, their val part to watch) into the run folder `out`.

    resume: go on from the checkpoint there, to the same bits. Raises UserError for data without scenes and a folder that holds another
    run, and Stopped after an interruption, when the checkpoint is written.
    """
    settings = settings.resolved()
    out = Path(out)
    if not resume and any((out / name).exists() for name in (FILE, checkpoint.FILE)):
        raise UserError("this folder holds a run already", out, "Add `resume` to go on with it, or choose another `out`")
    catalog = open_data(data, default="rpc")
    typed = {"data": [str(one) for one in data], **values(settings)}
    with held(out):
        run = Run.create(out, COMMAND, typed, data=catalog.name, synthetic=catalog.synthetic)
        try:
            return _trained(catalog, settings, run)
        except Stopped:
            run.finish("stopped")
            again = f"Go on with: {command_line(COMMAND, resume=True, out=out)}"
            raise Stopped(f"Stopped. {again if (out / checkpoint.FILE).exists() else 'There is no checkpoint yet.'}") from None
        except Exception as error:
            with suppress(OSError):  # a full disk: the first reason is the one to tell
                run.finish("failed", {"error": str(error)})
            raise
        finally:
            run.drop_if_empty()


def _trained(catalog: Catalog, settings: Training, run: Run) -> Learnt:
    scenes, watched = _read(catalog, settings, run.path)
    start = (
        fresh(str(settings.arch), int(settings.side or 0), settings.seed) if settings.init == "none" else read_weights(str(settings.init))
    )
    loop = Loop(settings, scenes, watched, start, run)
    with Stop() as stop:
        last = loop.fit(stop)
    trained = Trained(loop.tensors(), loop.network.made, last.threshold, _provenance(settings, scenes, start), run.path.name)
    write_detector(run.path / FILE, trained)
    shown = [(watched.pixels[row], watched.boxes[row], loop.found(row)) for row in range(min(SEEN, len(watched)))]
    draw_seen(run.path, shown, last.threshold)
    figures = {"ap": last.ap, "recall": last.recall, "precision": last.precision, "threshold": last.threshold}
    run.finish("done", {"detector": FILE, **figures})
    passed = (*scenes.passed_over, *(watched.passed_over if watched.key != scenes.key else ()))
    return Learnt(run.path, run.path / FILE, last, len(scenes), len(watched), loop.seconds, passed)


def _read(catalog: Catalog, settings: Training, place: Path) -> tuple[Scenes, Scenes]:
    """The scenes to learn from and those to watch: the val part, or a share of the others."""
    side, workers = int(settings.side or 0), settings.workers
    train, val = (catalog.in_split(part) for part in ("train", "val"))
    classes = sorted(set(train.product_keys().astype(str).tolist())) if settings.per_class else None
    scenes = read_scenes(train, side, place, classes=classes, workers=workers)
    if len(val):
        return scenes, read_scenes(val, side, place, classes=classes, workers=workers)
    rng = np.random.default_rng(stream(settings.seed, HOLDOUT))
    return held_out(scenes, settings.val_share, rng)


def _provenance(settings: Training, scenes: Scenes, start: Weights) -> Provenance:
    settled: dict[str, Scalar] = {
        name: value for name, value in values(settings).items() if name not in MACHINE and isinstance(value, str | int | float)
    }
    parents = () if settings.init == "none" else (start.as_parent(),)
    record = Record("detector: FCOS", parents, scenes.learned.data, settled, settings.seed, versions())
    return Provenance.of(record, start.provenance, hashes=scenes.learned.hashes)
