"""The loop that trains a detector: steps, epochs, a look at held-out scenes, the checkpoint from which it goes on to the same bits.

What is drawn by chance at a step is a function of the seed and the step (`repr.training.data.stream`), so a checkpoint holds weights,
optimiser and step alone. Held-out scenes choose the score from which a box is a product, and nothing else: the last epoch is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise

import numpy as np
import torch
from torch import Tensor

from repr import progress
from repr.checkout.network import Build, Finder
from repr.checkout.proposal import Proposal
from repr.checkout.squares import LEAST, proposals_of
from repr.errors import UserError
from repr.machine import cores
from repr.models.backbones import backbone
from repr.models.devices import autocast_dtype, pick_device
from repr.models.weights import Weights
from repr.runs import Run
from repr.settings import values
from repr.training import checkpoint, optim
from repr.training.checkpoint import Checkpoint
from repr.training.data import ORDER, VIEWS, stream
from repr.training.precision import laid_out
from repr.training.stop import Stop, Stopped
from rpc_transfer.checkout.augment import augmented
from rpc_transfer.checkout.finding import Finding, finding
from rpc_transfer.checkout.material import Scenes
from rpc_transfer.checkout.settings import MACHINE, PRESETS, Training

log = logging.getLogger(__name__)

WATCHED = 64  # held-out scenes that are looked at after an epoch, at most
WARM_UP = 0.05  # of the steps; with FCOS's focal loss the first ones are steep
DECAY = 1e-4
LONGEST = 10.0  # norm of a gradient: FCOS's box loss is steep at the start
SAVE_EVERY = 120.0  # seconds between checkpoints within an epoch

View = tuple[Tensor, Tensor, Tensor]  # as `augmented` gives it


class Loop:
    """One run, from the checkpoint's step to the last."""

    def __init__(self, settings: Training, scenes: Scenes, watched: Scenes, start: Weights, run: Run) -> None:
        self.settings, self.scenes, self.watched, self.run = settings, scenes, watched, run
        self.device = pick_device(settings.device)
        preset = PRESETS[settings.preset]
        made = Build(start.arch, int(settings.side or 0), preset.channels, preset.convs, scenes.classes, start.mean, start.std)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(settings.seed, ORDER))  # of pyramid and heads
            self.network = Finder(made)
        self.network.fcos.backbone.body.load_state_dict(dict(start.headless().tensors), strict=True)
        laid_out(self.network).to(self.device)
        lr = float(settings.lr or 0)
        self.optimiser = optim.make("adamw", [self.network], lr=lr, momentum=0.9, weight_decay=DECAY)
        self.size = min(int(settings.batch_size or 1), len(scenes))
        self.an_epoch = len(scenes) // self.size
        self.total = self.an_epoch * int(settings.epochs or 1)
        self.done, self.sums, self.seconds = 0, dict[str, float](), 0.0
        # Half the bits where the device has units for them: on processors without it took eight times as long.
        self.dtype = autocast_dtype(self.device, depthwise=backbone(made.arch).depthwise) if self.device.type == "cuda" else None
        self._go_on()

    def _go_on(self) -> None:
        """From the checkpoint, where there is one. Raises UserError for one of other settings or data."""
        saved = checkpoint.load(self.run.path)
        if saved is None:
            return
        mine, theirs = values(self.settings), saved.settings
        differ = [name for name in mine if name not in MACHINE and mine[name] != theirs.get(name)]
        if differ or saved.data != self.scenes.key:
            what = f"other settings ({', '.join(differ)})" if differ else "other scenes"
            raise UserError(f"the checkpoint is of {what}", self.run.path, "Go on with the same ones, or choose another `out`")
        self.network.load_state_dict(saved.method)
        self.optimiser.load_state_dict(saved.optimiser)
        for group in self.optimiser.param_groups:
            group["base_lr"] = float(self.settings.lr or 0)
        self.done, self.sums = saved.step, dict(saved.sums)
        self.seconds = self.sums.pop("seconds", 0.0)
        self.run.cut_metrics(self.done // self.an_epoch)

    def fit(self, stop: Stop) -> Finding:
        """Train to the end; how well the held-out scenes' products are found then. Raises Stopped, and UserError for a loss that is no
        number."""
        last, clock, saved = None, time.monotonic(), time.monotonic()
        workers = self.settings.workers or cores()
        with progress.bar(self.total, "Training", "step", done=self.done) as bar, ThreadPoolExecutor(workers) as pool:
            for views in self._views(pool):
                self.step(views)
                self.done += 1
                bar.update()
                self.seconds, clock = self.seconds + time.monotonic() - clock, time.monotonic()
                if self.done % self.an_epoch == 0:
                    last = self._end_epoch()
                    clock = time.monotonic()
                if stop.requested or self.done % self.an_epoch == 0 or time.monotonic() - saved > SAVE_EVERY:
                    self._save(stop)
                    saved = time.monotonic()
                if stop.requested and self.done < self.total:
                    raise Stopped
        return last or self.look()

    def _views(self, pool: ThreadPoolExecutor) -> Iterator[list[View]]:
        """Those of each step that is left, made while the network works on the step before."""
        begun = ([pool.submit(self.view, row) for row in self._rows(step)] for step in range(self.done, self.total))
        for step, _ in pairwise(chain(begun, [[]])):
            yield [view.result() for view in step]

    def step(self, batch: Sequence[View]) -> None:
        """Learn from the views of one step, the `done`-th. Raises UserError for a loss that is no number."""
        network, settings = self.network.train(), self.settings
        optim.set_rate(self.optimiser, optim.factor(self.done, self.total, warmup=max(1, round(WARM_UP * self.total))))
        views, boxes, labels = zip(*batch, strict=True)
        pixels = torch.stack(views).contiguous(memory_format=torch.channels_last).to(self.device)
        with torch.autocast(self.device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None):
            outputs = network.outputs(pixels)
        outputs = {name: value.float() for name, value in outputs.items()}
        losses = network.losses(outputs, [one.to(self.device) for one in boxes], [one.to(self.device) for one in labels])
        loss = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(loss):
            raise UserError(f"the loss is not finite at step {self.done + 1}", self.run.path, f"Lower `lr` (it was {settings.lr:g})")
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), LONGEST)
        self.optimiser.step()
        for name, value in {"loss": loss, **losses}.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())

    def _rows(self, step: int) -> list[tuple[int, int]]:
        """The scenes of a step, each with its place in the run."""
        epoch, within = divmod(step, self.an_epoch)
        order = np.random.default_rng(stream(self.settings.seed, ORDER, epoch)).permutation(len(self.scenes))
        return [(int(row), step * self.size + n) for n, row in enumerate(order[within * self.size : (within + 1) * self.size])]

    def view(self, row: tuple[int, int]) -> View:
        """Of a scene, by its number, as it is seen at a place in the run."""
        scene, place = row
        rng = np.random.default_rng(stream(self.settings.seed, VIEWS, place))
        square = torch.from_numpy(np.array(self.scenes.pixels[scene]))
        return augmented(square, self.scenes.boxes[scene], self.scenes.labels[scene], rng)

    def _end_epoch(self) -> Finding:
        result = self.look()
        means = {name: value / self.an_epoch for name, value in self.sums.items()}
        epoch = self.done // self.an_epoch
        figures = {"ap": result.ap, "recall": result.recall, "precision": result.precision, "threshold": result.threshold}
        self.run.log({"epoch": epoch, "step": self.done, **means, **figures, "seconds": self.seconds})
        said = f"loss {means['loss']:.3f}, AP50 {result.ap:.3f}, recall {result.recall:.3f}, precision {result.precision:.3f}"
        log.info(f"Epoch {epoch}/{self.settings.epochs}: {said}, {self.seconds:.0f} s")
        self.sums = {}
        return result

    def look(self) -> Finding:
        """How well products of held-out scenes are found now."""
        n = len(self.watched)
        rows = np.unique(np.linspace(0, n - 1, min(WATCHED, n)).astype(np.int64)).tolist()
        true = [self.watched.boxes[row].astype(np.float64) for row in rows]
        return finding(
            (self.found(row), np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])) for row, boxes in zip(rows, true, strict=True)
        )

    def found(self, row: int) -> list[Proposal]:
        """Boxes on a held-out scene, in pixels of its square, of whatever score."""
        network, made = self.network.eval(), self.network.made
        with torch.inference_mode():
            boxes, scores = network(torch.from_numpy(np.array(self.watched.pixels[row : row + 1])).to(self.device))
        answer = boxes[0].float().cpu().numpy(), scores[0].float().cpu().numpy()
        return proposals_of(*answer, made.classes, 1.0, (made.side, made.side), LEAST)

    def tensors(self) -> dict[str, Tensor]:
        """The weights as they are now, on the CPU."""
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in self.network.state_dict().items()}

    def _save(self, stop: Stop) -> None:
        settings, sums = dict(values(self.settings)), {**self.sums, "seconds": self.seconds}
        network, optimiser = self.network.state_dict(), self.optimiser.state_dict()
        stop.writing = True
        try:
            state = Checkpoint(self.done, settings, self.scenes.key, network, optimiser, sums=sums)
            checkpoint.save(self.run.path, state)
        finally:
            stop.writing = False
