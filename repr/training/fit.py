"""Pretraining from a catalog to a run folder: `pretrain` is what `repr pretrain` calls."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torchvision.utils import save_image

from repr import worker
from repr.arrays import Pixels
from repr.catalog.division import Division
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.files import need_space, replacing
from repr.images.pack import open_pack
from repr.images.views import plain, preset
from repr.methods import load
from repr.methods.method import Method
from repr.models.architecture import called
from repr.models.backbones import check_size
from repr.models.devices import pick_device
from repr.models.encoder import Encoder
from repr.models.provenance import Provenance, Record, versions
from repr.models.weights import NONE_ARCH, NONE_SIZE, Weights, fresh, load_encoder, read_weights, weights_of, write_weights
from repr.runs import Run
from repr.training import checkpoint
from repr.training.checkpoint import Checkpoint
from repr.training.data import HEADS, Batches, fit_batch, resident, stream
from repr.training.estimate import checkpoint_bytes, seconds_a_step
from repr.training.loop import Loop, Place
from repr.training.precision import laid_out, precision
from repr.training.prepare import Material, prepare
from repr.training.progress import duration
from repr.training.settings import MACHINE, Settings
from repr.training.stop import Stop
from repr.training.team import ALONE, Team
from repr.worker import Worker

log = logging.getLogger(__name__)

PREVIEWED = 8  # images in views.png
WEIGHTS = "weights.safetensors"
UNTOLD = MACHINE | {"method", "init", "seed"}  # of the settings in the weights' record: it says them elsewhere, or they change nothing


class Trained(TypedDict):
    """What a finished run is told to be. metrics: the last epoch's row of metrics.csv, numbers only."""

    run: str
    weights: str
    metrics: dict[str, float]


def pretrain(
    catalog: Catalog | None,
    settings: Settings,
    run: Run,
    *,
    resume: bool = False,
    divided: Sequence[Division] = (),
    team: Team = ALONE,
) -> Trained:
    """Train settings.method on the catalog's training rows and write the run folder.

    resume: go on from the run's checkpoint, if it has one. divided: how each source of the catalog was divided; it is written into the
    weights' provenance. team: the processes that do this together, each the same call. Only the first on each machine needs the catalog,
    and only rank 0 looks into the run folder.
    Raises UserError for bad settings or data and when the loss is not a number (the last good checkpoint is kept), and
    Stopped when the user stops it (the run's status is then "stopped").
    """
    device = train_device(settings, worker.here())  # a wrong one is told before hours of decoding
    preset(settings.views or load(settings.method).default_views, settings.size or NONE_SIZE)  # so are views
    if settings.devices not in (1, team.world):
        raise UserError(f"{settings.devices} were asked for, and {team.world} train", "", "Leave it out", argument="devices")
    if team.world > 1 and device.type != "cuda":
        log.warning("Batch norm is synchronised on GPUs alone: each process normalises over its own part of the batch.")
    if catalog is not None:
        fit_batch(len(catalog), settings.batch_size, team.world)  # so is a batch that is too small
    weights = starting_weights(settings)
    settings = replace(settings, arch=weights.arch, size=weights.size)
    material = _shared(prepare(catalog, settings, divided) if catalog is not None else None, team)
    typed = _fitted(settings, len(material.train), team.world)
    settings = typed.resolved()
    saved = team.first_ones(_saved(run, settings, material) if resume and team.rank == 0 else None)
    if team.rank == 0:
        if resume:
            run.go_on({"lr": typed.lr})  # the one option that may change: a lower rate is the remedy for divergence
        run.resolve(settings.in_force())
        _cut_metrics(run, saved, len(material.train) // settings.batch_size)
        _introduce(settings, material, saved)
    try:
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            Stop() as stop,
        ):  # the loop seeds the global generators
            train(material, settings, weights, run, saved, team, stop)
    except BaseException:
        if team.rank == 0:
            with suppress(OSError):  # where the disk is full, the first file that did not fit is the one to name
                run.finish("stopped")
        raise
    if team.rank == 0:
        run.finish("done", _result(run))
    result = team.first_ones(_result(run) if team.rank == 0 else None)
    assert result is not None
    return result


def _result(run: Run) -> Trained:
    last = {name: float(value) for name, value in run.metrics()[-1].items() if value != ""}
    metrics = {name: int(value) if name in ("epoch", "step") else value for name, value in last.items() if math.isfinite(value)}
    return {"run": str(run.path), "weights": str(run.path / WEIGHTS), "metrics": metrics}


def _shared(material: Material | None, team: Team) -> Material:
    """What the first process of this machine has prepared. Raises UserError when that of another machine differs."""
    prepared = team.everyones(material)
    if len({each.key for each in prepared if each is not None}) > 1:
        raise UserError("the machines have different images or labels", "", "Give all of them the same data", argument="data")
    mine = prepared[team.rank - team.local_rank]
    assert mine is not None
    return mine


def _fitted(settings: Settings, n: int, world: int) -> Settings:
    """The settings with the batch and the queue that n images allow. Raises UserError for a queue that is too long for them."""
    batch = fit_batch(n, settings.batch_size, world)
    if batch != settings.batch_size:
        log.info(f"The batch is {batch} images instead of {settings.batch_size}: there are {n} to train on.")
        settings = replace(settings, batch_size=batch)
    return replace(settings, own=load(settings.method).fitted(settings.own, n, batch))


def starting_weights(settings: Settings) -> Weights:
    """The weights to start from, at the size to train at. Raises UserError when `arch` and `init`, or `arch` and `size`, disagree."""
    none = settings.init == "none"
    weights = fresh(settings.arch or NONE_ARCH, NONE_SIZE, settings.seed) if none else read_weights(settings.init)
    if settings.arch and settings.arch != weights.arch:
        theirs = called(weights.arch)
        raise UserError(f"{settings.init} are weights of {theirs}, not {settings.arch}", "", "Leave `arch` out", argument="init")
    check_size(weights.arch, settings.size or weights.size)
    return replace(weights, size=settings.size or weights.size, crops=())  # crops are of embedding, not of training


def build_method(settings: Settings, encoder: Encoder, classes: int) -> Method:
    """The method around an encoder, its heads drawn from the run's seed, in training mode and in the fastest memory layout."""
    method_class = load(settings.method)
    views = preset(settings.views or method_class.default_views, encoder.size)
    laid_out(encoder.network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(settings.seed, HEADS))
        method = method_class(encoder, classes, views, settings.own)
    return method.train()


def synchronised(method: Method) -> Method:
    """The method with batch norms that measure the batch of all processes. State names stay.

    Not by torch's function alone: timm's norms carry the activation, which it would drop.
    """
    try:
        from timm.layers.norm_act import convert_sync_batchnorm as convert
    except ModuleNotFoundError:
        convert = torch.nn.SyncBatchNorm.convert_sync_batchnorm
    converted: Method = convert(method)  # type: ignore[no-untyped-call]
    return converted


def train(
    material: Material,
    settings: Settings,
    weights: Weights,
    run: Run,
    saved: Checkpoint | None,
    team: Team,
    stop: Stop,
) -> None:
    """One process of a run: from the packed images to the weights (which rank 0 writes)."""
    device = train_device(settings, worker.here())
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where NCCL and compiled kernels work
    stop.harmless = True  # until the loop begins, breaking off loses nothing
    method = build_method(settings, load_encoder(weights), len(material.classes)).to(device)
    if saved:
        method.load_state_dict(saved.method)
    place = _place(material, settings, device, team, saved.step if saved else 0)
    if team.first_ones(log.isEnabledFor(logging.INFO)):  # it takes a few steps, for nothing where nobody is told
        _estimate(method, place, settings, run)
    if team.rank == 0:
        _preview(method, place, run)
    if team.world > 1 and device.type == "cuda":
        method = synchronised(method)
    if settings.compile:
        method.encoder.network.compile()
    loop = Loop(method, settings, material, run, place, stop, saved)
    loop.fit()
    if team.rank == 0:
        if loop.average:
            method.load_state_dict(loop.average.tensors)
        head = method.classifier()
        classes = material.classes if head is not None else ()
        provenance = _provenance(settings, weights, material)
        write_weights(run.path / WEIGHTS, weights_of(method.encoder, head=head, classes=classes, provenance=provenance, name=run.path.name))


def _provenance(settings: Settings, weights: Weights, material: Material) -> Provenance:
    """That of what was trained from `weights`."""
    parents = () if settings.init == "none" else (weights.as_parent(),)
    values = {name: value for name, value in settings.in_force().items() if name not in UNTOLD}
    learned = material.learned
    record = Record(settings.method, parents, learned.data, values, settings.seed, versions())
    return Provenance.of(record, weights.provenance, hashes=learned.hashes)


def train_device(settings: Settings, here: Worker) -> torch.device:
    """Where this process trains: as the settings say, of several GPUs the one of its local rank. Raises UserError when it is not there."""
    device = pick_device(settings.device)
    if device.type != "cuda":
        if settings.pixels == "device":
            raise UserError("images can live in a GPU's memory, and this runs on a CPU", "", "Leave it out", argument="pixels")
        return device
    if here.world == 1:
        return torch.device("cuda", device.index or 0)
    if device.index is not None:
        raise UserError(f"{settings.device} is one GPU for {here.world} processes", "", "Leave it out", argument="device")
    if here.local_world > torch.cuda.device_count():
        message = f"{here.local_world} devices were asked for and there are {torch.cuda.device_count()} GPUs"
        raise UserError(message, "", "Lower `devices`", argument="devices")
    return torch.device("cuda", here.local_rank)


def _place(material: Material, settings: Settings, device: torch.device, team: Team, start: int) -> Place:
    pack = open_pack(material.pack)
    pixels: Pixels | Tensor = pack.pixels
    if resident(pack.pixels.nbytes, device, settings.pixels):
        pixels = torch.from_numpy(np.ascontiguousarray(pack.pixels)).to(device)
    batches = Batches(
        pixels,
        material.train_labels,
        positions=material.train,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=settings.seed,
        balanced=settings.balanced,
        device=device,
        rank=team.rank,
        world=team.world,
        start=start,
    )
    return Place(device, team, pixels, batches)


def _saved(run: Run, settings: Settings, material: Material) -> Checkpoint | None:
    """The checkpoint to go on from. Raises UserError when it is of other settings or other images."""
    saved = checkpoint.load(run.path)
    if saved is None:
        log.info("There is no checkpoint yet: starting from the beginning.")
        return None
    differ = settings.differences(saved.settings)
    differ.pop("lr", None)  # a lower rate is the remedy for divergence
    if differ:
        words = ", ".join(f"{name} {then} then, {now} now" for name, (then, now) in differ.items())
        raise UserError(f"the checkpoint is of other settings ({words})", run.path, "Leave them out with `resume`, or use another `out`")
    if saved.data != material.key:
        raise UserError("the images or labels have changed since the checkpoint", run.path, "Start again with another `out`")
    return saved


def _cut_metrics(run: Run, saved: Checkpoint | None, steps_an_epoch: int) -> None:
    """Rows and warnings that the checkpoint does not know (the run was killed between the two, or starts anew) are written again."""
    known = 0 if saved is None else saved.step // steps_an_epoch - bool(saved.sums and saved.step % steps_an_epoch == 0)
    run.cut_metrics(known)
    run.cut_warnings(saved.step if saved else 0)


def _introduce(settings: Settings, material: Material, saved: Checkpoint | None) -> None:
    synthetic = " (synthetic: drawn, an illustration)" if material.synthetic else ""
    held = f", {len(material.val):,} held out to watch" if len(material.val) else ""
    classes = f", {len(material.classes)} classes" if load(settings.method).needs_labels else ""
    what = f"{settings.method}: {called(settings.arch or NONE_ARCH)} at {settings.size} px on {material.data}{synthetic}"
    log.info(f"{what}: {len(material.train):,} images{classes}{held}.")
    if saved:
        log.info(f"Going on from step {saved.step}.")


def _estimate(method: Method, place: Place, settings: Settings, run: Run) -> None:
    """Say what the rest of the run will take. Raises UserError when the disk is too small for it.

    Several processes try the steps together, since some losses ask all of them.
    """
    batches = place.batches
    if not len(batches):
        return
    n_bytes = checkpoint_bytes(method, averaged=settings.ema > 0)
    if place.team.rank == 0:
        need_space(run.path, 2 * n_bytes, "the run (weights and checkpoint)")
    seconds = seconds_a_step(method, batches, optimiser=settings.optimiser or settings.recipe.optimiser)
    kind = str(precision(place.device, method.encoder)).removeprefix("torch.")
    log.info(
        f"Estimate: {len(batches):,} steps of {settings.batch_size} images, {seconds:.2f} s each on {place.device.type} in {kind}: "
        f"about {duration(seconds * len(batches))}; {n_bytes / 1e6:.0f} MB for weights and checkpoint."
    )


def _preview(method: Method, place: Place, run: Run) -> None:
    """Write views.png: some images of the first batch, and below each two of its random views."""
    pixels = place.batches.first().pixels[:PREVIEWED]
    generator = torch.Generator().manual_seed(0)
    rows = [plain(pixels, method.encoder.size), *(method.make_views(pixels, generator) for _ in range(2))]
    with replacing(run.path / "views.png") as temporary:
        save_image(torch.cat(rows), temporary, "png", nrow=len(pixels))
