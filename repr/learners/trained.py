"""What the learners that train the encoder share: the network that grows, the exemplars, and the order of a step.

A step: check, add rows to the head for new classes, train on the step's images and the exemplars, choose exemplars,
adjust the head. A learner supplies its loss and its adjustment; the loop is `repr.training.finetune.fit_classifier`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init

from repr.arrays import Array, Floats, Ints, Pixels
from repr.errors import UserError
from repr.images.views import preset
from repr.learners import UPDATES
from repr.learners.arrays import as_labels, as_pixels, as_taught, given
from repr.learners.learner import About, Learner, Needs
from repr.learners.memory import Memory
from repr.learners.ncm import NCM
from repr.learners.networks import described, network_arrays, rebuilt, restore_network
from repr.learners.stored import Arrays, Stored, under
from repr.models.devices import pick_device
from repr.models.encoder import Encoder
from repr.settings import check, setting
from repr.training.finetune import EncoderWithHead, Loss, fit_classifier

BATCH = 128  # images at once where nothing is trained
RUN = frozenset({"seed", "device", "memory", "epochs", "updates", "lr", "batch_size", "views"})


@dataclass(kw_only=True, eq=False)
class Trained(Learner):
    """A learner that trains an encoder and a linear head.

    encoder: the start, neither changed nor to be changed. A copy is trained on random views of whole images and asked by its crops.
    updates: of the first step, and of each later one: where epochs is None, a step has as many epochs of its own images as come
    nearest, one at least. In each step the rate falls to 0 by a cosine.

    `remove` starts over from the start, with the images of all classes that remain in one step: the answer is that of one taught these at
    once, in this order. They have to be given, unless the memory has kept every image.
    """

    encoder: Encoder = field(kw_only=False, repr=False)
    seed: int = setting(0, "of the head's new rows, the order of the images and their views", low=0)
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    memory: int | None = setting(None, "images of earlier steps that are kept in all; by itself every one, 0 for none", low=0)
    epochs: int | None = setting(None, "of every step's training; by itself as many as make the updates", low=0)
    updates: tuple[int, int] = setting((UPDATES, UPDATES), "of the first step, and of each later one", low=0)
    lr: float = setting(0.02, "learning rate", low=0)
    batch_size: int = setting(64, "images a training step", low=2)
    views: str = setting("supervised", "random views, as supervised, simclr or product-blur; plain for none")

    input: ClassVar[Literal["features", "images"]] = "images"
    takes: ClassVar[frozenset[str]] = RUN
    plain_base: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check(self)
        self._views = None if self.views == "plain" else preset(self.views, self.encoder.size)
        self._device = pick_device(self.device)
        self._begin()

    def _begin(self) -> None:
        """Nothing learned: the encoder is the start's copy."""
        self.generator_ = torch.Generator().manual_seed(self.seed)
        self.encoder_ = copy.deepcopy(self.encoder).to(self._device).eval()
        self.head_ = self._empty_head(1)  # never asked before the first step replaces it
        self.memory_ = Memory(self.memory)
        self._order: list[int] = []  # the head's classes, in the order in which they came

    @property
    def classes_(self) -> Ints:
        """(C,) those that have a row in the head."""
        return np.array(sorted(self._order), dtype=np.int64)

    def learn(self, x: Array, y: Array) -> Self:
        """Grow the head, train the network on the step's images and the exemplars, choose exemplars."""
        x = as_pixels(x)
        y = as_labels(y, len(x), first=not self._order)
        if not len(x):
            return self
        known = len(self._order)
        new = [c for c in np.unique(y).tolist() if c not in self._order]
        self.memory_.check_room(known + len(new))
        old = EncoderWithHead(copy.deepcopy(self.encoder_), copy.deepcopy(self.head_)).eval() if known and new else None
        kept_x, kept_y = self.memory_.contents()
        if len(kept_x):
            x, y = np.concatenate([kept_x, x]), np.concatenate([kept_y, y])
        self._grow(new)
        self._train(x, y, old, known)
        return self._remember(x, y, known)

    @property
    def removal_needs(self) -> Needs:
        """The images of all classes that remain, unless the memory keeps every image."""
        return "nothing" if self.memory is None else "remaining"

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Start over with the images of the classes that remain."""
        labels = as_taught(classes, self.classes_)
        if not len(labels):
            return self
        left = np.setdiff1d(self.classes_, labels)
        if not len(left):
            self._begin()
            return self
        if x is None and self.memory is None:
            x, y = self.memory_.contents()
        x, y = given(x, y, left, "the classes that remain", "images")
        x = as_pixels(x)
        self._begin()
        return self.learn(x, y)

    def start_from(self, other: Trained, x: Array, y: Array) -> Self:
        """Take the first step over from a learner that has had it on these images, with the same seed and settings of training.

        Network, order of the head and state of the generator are copied: the answer is that of `learn`, without the training.
        """
        assert self.plain_base and other.plain_base and not self._order
        self._grow(other._order)
        self.encoder_, self.head_ = copy.deepcopy(other.encoder_), copy.deepcopy(other.head_)
        self.generator_.set_state(other.generator_.get_state())
        return self._remember(as_pixels(x), as_labels(y, len(x), first=True), 0)

    def about(self) -> About:
        """What the encoder is beside its tensors."""
        return {"encoder": described(self.encoder)}

    @classmethod
    def blank(cls, settings: Mapping[str, Any], about: About, stored: Stored) -> Self:
        """A learner around the starting encoder that the file holds."""
        return cls(rebuilt(about.get("encoder"), stored.below("start")), **settings)

    def arrays(self) -> Arrays:
        """Both networks (at the start and now), head, exemplars, the generator's state and the order of classes."""
        return {
            **under("start", network_arrays(self.encoder.network)),
            **under("encoder", network_arrays(self.encoder_.network)),
            **under("head", network_arrays(self.head_)),
            **under("memory", self.memory_.arrays()),
            "generator": self.generator_.get_state().numpy(),
            "order": np.array(self._order, dtype=np.int64),
        }

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; networks and head must be of the classes and the architecture."""
        self._order = stored.ints("order", None).tolist()
        stored.require(len(set(self._order)) == len(self._order), "a class has two rows")
        self.head_ = self._empty_head(max(len(self._order), 1))
        restore_network(self.encoder_.network, stored.below("encoder"))
        restore_network(self.head_, stored.below("head"))
        self.memory_.restore(stored.below("memory"))
        state = self.generator_.get_state()
        self.generator_.set_state(torch.from_numpy(stored.pixels("generator", len(state))))

    def _remember(self, x: Pixels, y: Ints, known: int) -> Self:
        """What follows a step's training: exemplars, and the learner's own adjustment."""
        self.memory_.replace(x, y, self._features)
        self._finish(x, y, known)
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) logits of the head."""
        return self._in_order(self._logits(self._features(x)))

    def _loss(self, old: EncoderWithHead | None, known: int) -> Loss | None:
        """A step's loss; None for cross-entropy. The first `known` columns of the logits are the classes learned before.

        old: the network before the step, to distil from; None in the first step, and where a step has no new class:
        such a step is plain fine-tuning.
        """
        return None

    def _finish(self, x: Pixels, y: Ints, known: int) -> None:
        """What is adjusted when a step's training has ended. x, y: the images trained on; known: as in `_loss`."""

    def _train(self, x: Pixels, y: Ints, old: EncoderWithHead | None, known: int) -> None:
        """Train encoder and head on images and class numbers."""
        fit_classifier(
            self.encoder_,
            x,
            self._columns(y),
            classes=len(self._order),
            head=self.head_,
            epochs=self._epochs_of(len(x), known),
            lr=self.lr,
            batch_size=self.batch_size,
            views=self._views,
            loss=self._loss(old, known),
            generator=self.generator_,
            device=self._device,
        )

    def _epochs_of(self, images: int, known: int) -> int:
        """Epochs of a step that trains on so many images."""
        if self.epochs is not None:
            return self.epochs
        updates = self.updates[1 if known else 0]
        return max(round(updates / math.ceil(images / self.batch_size)), 1) if updates else 0

    def _columns(self, y: Ints) -> Ints:
        """(n,) class numbers → positions in the head."""
        position = {label: i for i, label in enumerate(self._order)}
        return np.array([position[label] for label in y.tolist()], dtype=np.int64)

    def _in_order(self, values: Floats) -> Floats:
        """(n, C) columns of the head → columns of `classes_`."""
        return values[:, np.argsort(self._order)]

    def _grow(self, new: list[int]) -> None:
        """Add rows to the head: uniform within ±1/√d as nn.Linear's own, drawn from the learner's generator."""
        known = len(self._order)
        head = self._empty_head(known + len(new))
        bound = head.in_features**-0.5
        with torch.no_grad():
            for drawn, old in ((head.weight, self.head_.weight), (head.bias, self.head_.bias)):
                drawn.copy_(torch.empty(drawn.shape).uniform_(-bound, bound, generator=self.generator_))
                drawn[:known] = old[:known]
        self.head_ = head
        self._order += new

    def _empty_head(self, classes: int) -> nn.Linear:
        """A head whose numbers are not set: nn.Linear itself would draw them from the global generator."""
        head: nn.Linear = skip_init(nn.Linear, self.encoder_.dim, classes, device=self._device)  # type: ignore[no-untyped-call]
        return head

    def _features(self, x: Array) -> Floats:
        """(n, d) features of images, uint8 (n, s, s, 3). Raises UserError when nothing was learned yet."""
        if not self._order:
            raise UserError("nothing has been learned yet", "", "Teach it the first classes before asking")
        x = as_pixels(x)
        self.encoder_.eval()
        with torch.no_grad():
            batches = [self.encoder_.encode(torch.from_numpy(x[i : i + BATCH]).to(self._device)) for i in range(0, len(x), BATCH)]
        if not batches:
            return np.zeros((0, self.encoder_.dim), dtype=np.float32)
        return np.asarray(torch.cat(batches).float().cpu().numpy(), dtype=np.float32)

    def _logits(self, features: Floats) -> Floats:
        """(n, C) the head's logits, columns in the order in which the classes came."""
        with torch.no_grad():
            logits = self.head_(torch.from_numpy(features).to(self._device))
        return np.asarray(logits.cpu().numpy(), dtype=np.float32)


class AnswersByMeans(Trained):
    """One whose head is put aside when it is asked: the nearest class mean (`ncm`) of the encoder's features answers."""

    def _begin(self) -> None:
        super()._begin()
        self.nearest_ = NCM()

    def scores(self, x: Array) -> Floats:
        """(n, C) as nearest class means give them."""
        return self.nearest_.scores(self._features(x))

    def known(self, x: Array) -> Floats:
        """(n,) as class means tell it: the highest score."""
        return self.nearest_.known(self._features(x))

    def arrays(self) -> Arrays:
        """Those of `Trained`, and the class means."""
        return {**super().arrays(), **under("nearest", self.nearest_.arrays())}

    def restore(self, stored: Stored) -> None:
        """As `Trained`; there must be a mean for every class of the head."""
        super().restore(stored)
        self.nearest_.restore(stored.below("nearest"))
        stored.require(np.array_equal(self.nearest_.classes_, self.classes_), "the class means are not those of the head's classes")


def distillation(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """−Σ softmax(teacher/T) · log softmax(logits/T), averaged over the batch (Li & Hoiem, 2016, equation 3).

    logits, teacher: (b, C) over the same C classes. As there, not multiplied by T² as in Hinton et al., 2015.
    """
    return functional.cross_entropy(logits / temperature, (teacher / temperature).softmax(dim=1))


def balanced_distillation(old: Callable[[Tensor], Tensor], known: int, temperature: float) -> Loss:
    """(1 − λ) cross-entropy over all classes + λ distillation over the known ones, λ = known / all (WA and BiC).

    old: inputs → the old logits (b, known).
    """

    def _balanced(inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            teacher = old(inputs)
        share = known / logits.shape[1]
        return (1 - share) * functional.cross_entropy(logits, labels) + share * distillation(logits[:, :known], teacher, temperature)

    return _balanced
