"""The loop around any method: it steps, counts, watches, checkpoints and stops."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from repr.arrays import Pixels
from repr.commands import command_line
from repr.errors import UserError
from repr.methods.method import Method
from repr.runs import Run
from repr.training import alarms, checkpoint, optim
from repr.training.average import Average
from repr.training.checkpoint import Checkpoint
from repr.training.data import LAYERS, VIEWS, Batch, Batches, stream
from repr.training.precision import as_channels_last, gradient_step
from repr.training.prepare import Material
from repr.training.progress import Bar, Row, epoch_line
from repr.training.settings import Settings
from repr.training.stop import Stop, Stopped
from repr.training.team import Team
from repr.training.validation import accuracy

log = logging.getLogger(__name__)

SAVE_EVERY = 600.0  # seconds between checkpoints, and looks at the alarms, within an epoch
SAVE_SHARE = 0.02  # of the time, at most, goes into checkpoints at the end of epochs: short ones are not all kept
LAST = ("lr", "std", "effective_rank")  # of metrics.csv, told by the last step of an epoch
CPU_CHECKS, GPU_CHECKS = 1, 50  # steps between looks at whether the loss is still a number; a look makes a GPU wait
AGREE = 10  # steps between agreements of several processes on whether to stop or to save


@dataclass
class Place:
    """Where the loop runs: its device, the processes that do, and what this one reads."""

    device: torch.device
    team: Team
    pixels: Pixels | Tensor  # where held-out images are read from
    batches: Batches


class Loop:
    """One run of a method, from the checkpoint's step to the last.

    The batches are one long stream; epochs are counted here, so that a run can stop and go on at any step.
    """

    def __init__(
        self,
        method: Method,
        settings: Settings,
        material: Material,
        run: Run,
        place: Place,
        stop: Stop,
        saved: Checkpoint | None,
    ) -> None:
        self.method, self.settings, self.material, self.run = method, settings, material, run
        self.place, self.team, self.stop = place, place.team, stop
        self.done = saved.step if saved else 0
        self.total = place.batches.steps
        self.an_epoch = place.batches.steps_an_epoch
        self.average = Average(method.state_dict(), settings.ema) if settings.ema else None
        if saved and self.average:
            self.average.tensors = {name: tensor.to(place.device, copy=True) for name, tensor in saved.average.items()}
        self.sums: dict[str, Tensor | float] = dict(saved.sums) if saved else {}
        counts = torch.bincount(torch.from_numpy(material.train_labels + 1), minlength=len(material.classes) + 1)[1:].float()
        self.shares = counts / counts.sum() if counts.sum() and not settings.balanced else None
        self.bar = Bar(self.total, self.done, shown=self.team.rank == 0)
        self.bad = torch.full((), -1, dtype=torch.int64, device=place.device)
        self.save_seconds = 0.0  # what the last checkpoint took
        self.last_saved = self.clock = time.monotonic()
        self.optimiser = self._optimiser(saved)
        self.module: nn.Module = method
        if self.team.world > 1:
            self.module = DistributedDataParallel(method, device_ids=[place.device] if place.device.type == "cuda" else None)

    def fit(self) -> None:
        """Train to the end. Raises Stopped where the user wants it, and UserError when the loss is no number any more."""
        try:
            self._begin()
            for batch in self.place.batches:
                self._step(batch)
                self._after(batch)
        finally:
            self.bar.close()

    def _optimiser(self, saved: Checkpoint | None) -> torch.optim.Optimizer:
        """SGD or LARS over everything in the method that takes a gradient, as it was at the checkpoint."""
        settings, recipe = self.settings, self.settings.recipe
        decay = settings.weight_decay if settings.weight_decay is not None else recipe.weight_decay
        optimiser = optim.make(
            settings.optimiser or recipe.optimiser, [self.method], lr=settings.rate(), momentum=settings.momentum, weight_decay=decay
        )
        if saved:
            optimiser.load_state_dict(saved.optimiser)
            for group in optimiser.param_groups:
                group["base_lr"] = settings.rate()
        return optimiser

    def _begin(self) -> None:
        """An epoch that was complete when the run stopped is closed first."""
        self.clock, self.waited = time.monotonic(), self.place.batches.waited
        if self.done and self.done % self.an_epoch == 0 and self.sums:
            self._end_epoch()

    def _step(self, batch: Batch) -> None:
        """Rate, views, loss and update of a batch; what is counted stays on the device."""
        settings, recipe = self.settings, self.settings.recipe
        multiplier = optim.factor(batch.step, self.total, warmup=self.warmup_steps(), schedule=settings.schedule, final=recipe.final)
        self.rate = optim.set_rate(self.optimiser, multiplier)
        self.stop.harmless = batch.step == self.place.batches.start  # the first step may take its time, and breaking it off loses nothing
        generator = torch.Generator().manual_seed(stream(settings.seed, VIEWS, batch.step, self.team.rank))
        views = tuple(as_channels_last(view) for view in self.method.views(batch.pixels, generator))
        torch.manual_seed(stream(settings.seed, LAYERS, batch.step, self.team.rank))  # dropout draws from the global generator
        loss, watched = gradient_step(self.module, self.method.encoder, self.optimiser, views, batch.labels)
        with torch.no_grad():
            self._count(batch, loss, watched)

    def _after(self, batch: Batch) -> None:
        """After the update: teachers and averages follow, the epoch may end, a checkpoint may be due, the user may want to stop."""
        self.done = batch.step + 1
        self.method.after_step(self.done / self.total)
        if self.average:
            self.average.update(self.method.state_dict(), batch.step)
        self.stop.harmless = False
        if self.done % (CPU_CHECKS if self.place.device.type == "cpu" else GPU_CHECKS) == 0:
            self._check_finite()
        if self.bar.step():
            self._show()
        stop, save = self._agreed() if self.done < self.total else (False, False)  # after the last step nothing is left but a look
        if stop:
            self._average_over_ranks()
            self._save()
            self.team.wait()  # when one ends the others are given seconds, and rank 0 may still be writing
            raise Stopped
        if self.done % self.an_epoch == 0:
            self._end_epoch()
        elif save:
            self._average_over_ranks()
            self._save()
            if self.team.rank == 0:
                self._alarm(self._row(self.done // self.an_epoch, *self._timed(), {}))

    def warmup_steps(self) -> int:
        """Steps of linear warm-up: as set, else the recipe's epochs, at most a tenth of the run."""
        epochs = self.settings.warmup if self.settings.warmup is not None else min(self.settings.recipe.warmup, self.settings.epochs / 10)
        return round(epochs * self.an_epoch)

    def _count(self, batch: Batch, loss: Tensor, watched: dict[str, Tensor]) -> None:
        self.bad = torch.where((self.bad < 0) & ~torch.isfinite(loss), batch.step, self.bad)
        self._add("steps", 1.0)
        self._add("loss", loss)
        self.watched = [watched.pop(name) for name in ("features", "projections") if name in watched]
        if "logits" in watched:
            self._add("correct", (watched.pop("logits").argmax(dim=1) == batch.labels).double().mean())
        for name, value in watched.items():
            self._add(name, value)

    def _add(self, name: str, value: Tensor | float) -> None:
        value = value.detach().double() if isinstance(value, Tensor) else value
        self.sums[name] = self.sums[name] + value if name in self.sums else value

    def _average_over_ranks(self) -> None:
        """Under DDP every process has seen its own part of the images; times stay those of this one."""
        if self.team.world > 1:
            names = sorted(self.sums.keys() - {"seconds", "waited", *LAST})
            values = torch.stack([torch.as_tensor(self.sums[name], dtype=torch.float64, device=self.place.device) for name in names])
            self.sums |= dict(zip(names, self.team.sum(values) / self.team.world, strict=True))

    def _means(self) -> dict[str, float]:
        steps = float(self.sums.get("steps", 0.0)) or 1.0
        skipped = {"steps", "seconds", "waited", *LAST}
        return {name: float(value) / steps for name, value in self.sums.items() if name not in skipped}

    def _timed(self) -> tuple[float, float]:
        """Seconds of this epoch so far, and those spent waiting for images, over all its parts."""
        seconds = float(self.sums.get("seconds", 0.0)) + time.monotonic() - self.clock
        return seconds, float(self.sums.get("waited", 0.0)) + self.place.batches.waited - self.waited

    def _show(self) -> None:
        seconds, waited = self._timed()
        epoch = -(-self.done // self.an_epoch)
        self.bar.show(f"{epoch}/{self.settings.epochs}", self._means()["loss"], waited / max(seconds, 1e-9))

    def _check_finite(self) -> None:
        step = int(self.bad)
        if step >= 0:
            raise self._diverged("loss is", step)

    def _diverged(self, what: str, step: int) -> UserError:
        again = command_line("repr pretrain", resume=True, out=self.run.path, lr=f"{self.settings.rate() / 3:.2g}")
        hint = f"; the checkpoint before it is kept, go on from there: {again}"
        has = (self.run.path / checkpoint.FILE).exists()
        return UserError(
            f"the {what} not finite at step {step + 1} (epoch {step // self.an_epoch + 1})",
            self.run.path,
            f"Lower `lr` (it was {self.settings.rate():g}){hint if has else ''}",
        )

    def _agreed(self) -> tuple[bool, bool]:
        """Whether to stop, and whether a checkpoint is due: of several processes what any of them says.

        They are asked every AGREE steps alone: the answer makes the host wait for the device.
        """
        mine = (self.stop.requested, time.monotonic() - self.last_saved > SAVE_EVERY)
        if self.team.world == 1:
            return mine
        if self.done % AGREE and self.done % self.an_epoch:
            return False, False
        flags = torch.tensor(mine, dtype=torch.float32, device=self.place.device)
        stop, save = (self.team.sum(flags) > 0).tolist()
        return stop, save

    def _save(self) -> None:
        """The checkpoint of this step. Weights that are not finite end the run instead, and the old checkpoint stays."""
        self._check_finite()
        self.last_saved = time.monotonic()
        if self.team.rank > 0:
            return
        if not checkpoint.finite(self.method.state_dict()):
            raise self._diverged("weights are", self.done - 1)
        seconds, waited = self._timed()
        sums = {name: float(value) for name, value in self.sums.items()}
        if sums:
            sums |= {"seconds": seconds, "waited": waited}
            if self.done % self.an_epoch == 0:
                sums |= self._last()
        average = self.average.tensors if self.average else {}
        settings = self.settings.as_dict()
        state = Checkpoint(self.done, settings, self.material.key, self.method.state_dict(), self.optimiser.state_dict(), average, sums)
        self.stop.writing = True
        try:
            checkpoint.save(self.run.path, state)
        finally:
            self.stop.writing = False
        self.save_seconds = time.monotonic() - self.last_saved

    def _end_epoch(self) -> None:
        """Accuracy on what is held out, a row of metrics.csv, the alarms, the checkpoint."""
        self._check_finite()
        self._average_over_ranks()
        epoch = self.done // self.an_epoch
        seconds, waited = self._timed()
        if self.team.rank == 0:
            try:
                watched = self._accuracy()
            except Stopped:
                if self.done < self.total:
                    self._save()
                    raise
                watched = {}
            row = self._row(epoch, seconds, waited, watched)
            self.run.log(row.columns())
            log.info(epoch_line(row, self.settings.epochs))
            self._alarm(row)
        self.sums = {}
        if self.done == self.total or SAVE_SHARE * (time.monotonic() - self.last_saved) > self.save_seconds:
            self._save()
        self.clock, self.waited = time.monotonic(), self.place.batches.waited

    def _accuracy(self) -> dict[str, float]:
        """Of the weights that will be written: the moving average, where there is one."""

        def _look() -> None:
            if self.stop.requested:
                raise Stopped

        material = self.material
        val = (material.val, material.val_labels)
        with self.average.inside(self.method) if self.average else nullcontext():
            self.stop.harmless = True  # only looks
            try:
                return accuracy(self.method, self.place.pixels, (material.train, material.train_labels), val, self.place.device, _look)
            finally:
                self.stop.harmless = False

    def _row(self, epoch: int, seconds: float, waited: float, watched: dict[str, float]) -> Row:
        means = self._means()
        return Row(
            epoch=epoch,
            step=self.done,
            loss=means.pop("loss"),
            train_acc=means.pop("correct", None),
            val_acc=watched.get("val_acc"),
            val_ncm=watched.get("val_ncm"),
            seconds=seconds,
            data_wait=waited / max(seconds, 1e-9),
            images_per_second=self.an_epoch * self.settings.batch_size / max(seconds, 1e-9),
            **self._last(),
            others=means,
        )

    def _last(self) -> dict[str, float]:
        """Rate, and the least spread and effective rank of what is watched, of the epoch's last step; from the checkpoint when the run
        was stopped right after it."""
        if "lr" in self.sums:
            return {name: float(self.sums[name]) for name in LAST}
        std, rank = (min(map(measure, self.watched)) for measure in (alarms.spread, alarms.effective_rank))
        return {"lr": self.rate, "std": std, "effective_rank": rank}

    def _alarm(self, row: Row) -> None:
        """Say and keep what is wrong, if anything is, in the epoch so far; spread and rank are of the last batch alone."""
        warnings = alarms.judge(
            settled=self.done >= self.warmup_steps() + alarms.patience(self.total, self.an_epoch),
            loss=row.loss,
            trivial=self.method.trivial(self.settings.batch_size, self.shares),
            std=row.std,
            rank=row.effective_rank,
            rows=self.settings.batch_size // self.team.world,
            data_wait=row.data_wait,
            seconds=row.seconds,
        )
        for kind, text in warnings.items():
            log.warning(f"{text}.")
            self.run.warn(self.done, kind, text)
