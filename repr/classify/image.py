"""Images alone: VGG-19, Inception-v3, ResNet-50 or any weights of ours, trained end to end or frozen below a new head.

Frozen, the three networks of the paper get two layers of 4096 (Pattern Recognition 140 (2023) 109519, Table 5), other weights
a linear layer. Without weights the networks can only be trained end to end, from scratch, and the row says so.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Floats, Ints
from repr.catalog.table import Catalog
from repr.classify.data import Data, Features
from repr.classify.dcl import Construction
from repr.classify.prior import blank
from repr.classify.settings import NETWORKS, Recipe, Settings
from repr.classify.state import Restored, State, into_network, of_network, zeros
from repr.crops import suffix
from repr.embedding.embedder import Embedder
from repr.embedding.embeddings import NoneReadable, log_left_out
from repr.errors import UserError
from repr.experiments.trials import NotRun
from repr.images.views import plain, preset
from repr.learners.heads import Standardised, ask, entropy, fit_head, layered, seeded
from repr.models.architecture import called
from repr.models.backbones import backbone, check_size, usual_size
from repr.models.devices import pick_device
from repr.models.encoder import Encoder
from repr.models.weights import Weights, fresh, known_weights, load_encoder
from repr.training.finetune import EncoderWithHead, fit_network

EPOCHS_FROZEN, EPOCHS_WHOLE = 20, 10
SECOND, LARGER = 0.25, 2  # of dcl: 20 of 80 epochs, at 448 px after 224 (Bi, Wang and Fan, SIGIR eCom 2020, section 4.1)
FEW = 64  # rows whose features are not kept on the disk


class Image:
    """A row's image → its class. Rows whose image cannot be read take no part in training."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Image:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Raises NotRun when frozen without weights."""
        settings = self.settings
        self.classes_ = classes
        self.look_ = None if self.settings.whole else ImageFeatures(settings)
        if self.look_ is not None:
            features = self.look_(data)
            present = features.present[rows]
            vectors = features.vectors[features.known(rows)]
            self.network_ = fit_head(
                vectors, labels[present], classes, first=Standardised(vectors), hidden=self._hidden, optimiser="adam",
                generator=generator, device=pick_device(settings.device), **settings.training(EPOCHS_FROZEN),
            )  # fmt: skip
            self.note = f"frozen {features.name}"
            return self
        weights, encoder = start(settings)
        self.note = f"end to end from {weights.name}" if weights.provenance.records else "end to end from scratch"
        self._train(data, encoder, rows, labels, generator)
        return self

    def state(self) -> State:
        """What it has learnt; of a frozen network, which one it was."""
        state = of_network(self.network_)
        return state if self.look_ is None else state | self.look_.state().under("look")

    def restore(self, state: Restored) -> Image:
        """Take over what `state` gave. Raises UserError for what does not fit, and where the frozen network's weights are others now."""
        settings = self.settings
        if self.settings.whole:
            self.look_, encoder = None, start(settings)[1]
            self.classes_ = len(state.arrays.floats("head.weight", None, encoder.dim))
            encoder.size = self.size_ = encoder.size * (LARGER if settings.method == "dcl" else 1)
            self.network_ = into_network(self._headed(encoder, torch.Generator()), state.arrays)
        else:
            self.look_ = ImageFeatures.restore(settings, state.below("look"))
            width, hidden = len(state.arrays.floats("0.mean", None)), self._hidden
            self.classes_ = len(state.arrays.floats(f"{1 + 3 * len(hidden)}.bias", None))
            self.network_ = into_network(layered(Standardised(zeros(width)), [width, *hidden, self.classes_]), state.arrays)
        self.network_.to(pick_device(settings.device))
        return self

    @property
    def _hidden(self) -> list[int]:
        return self.settings.hidden(2 if self.settings.model in NETWORKS else 0)

    def _headed(self, encoder: Encoder, generator: torch.Generator) -> nn.Module:
        """The encoder with the layers that follow it in the last stage of training."""
        settings = self.settings
        if settings.method == "dcl":
            return Construction(encoder, self.classes_, settings.grid, both=settings.adversary == "classes", generator=generator)
        return EncoderWithHead(encoder, nn.Linear(encoder.dim, self.classes_))

    def _train(self, data: Data, encoder: Encoder, rows: Ints, labels: Ints, generator: torch.Generator) -> None:
        """Plain fine-tuning; for dcl a quarter of the epochs are with shuffled tiles, at LARGER times the size, as the papers do."""
        training = self.settings.recipe(EPOCHS_WHOLE, "image")
        if self.settings.method == "plain":
            with seeded(generator):
                self._stage(data, self._headed(encoder, generator), encoder.size, rows, labels, training, generator)
            return
        second = max(1, round(training["epochs"] * SECOND))
        with seeded(generator):
            plain = EncoderWithHead(encoder, nn.Linear(encoder.dim, self.classes_))
            self._stage(data, plain, encoder.size, rows, labels, {**training, "epochs": training["epochs"] - second}, generator)
            encoder.size *= LARGER
            self._stage(data, self._headed(encoder, generator), encoder.size, rows, labels, {**training, "epochs": second}, generator)
        self.note += f", destruction and construction at {encoder.size} px"

    def _stage(
        self, data: Data, network: nn.Module, size: int, rows: Ints, labels: Ints, training: Recipe, generator: torch.Generator
    ) -> None:
        settings = self.settings
        self.size_ = size
        pack, place = data.pixels(size, settings.workers)
        readable = place[rows] >= 0
        views = preset("supervised", size)
        device = pick_device(settings.device)

        def viewed(positions: Tensor) -> Tensor:
            """(b, 3, s, s) random views of the images at some positions."""
            return views(torch.from_numpy(pack[positions.cpu().numpy()]).to(device), generator)

        def loss(images: Tensor, logits: Tensor, truth: Tensor) -> Tensor:
            """Of the stage's network."""
            return network.loss(images, truth) if isinstance(network, Construction) else entropy(images, logits, truth)

        self.network_ = fit_network(
            network, torch.from_numpy(place[rows[readable]]), torch.from_numpy(labels[readable]), loss=loss, generator=generator,
            transform=viewed, device=device, **training,
        )  # fmt: skip

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes); NaN for rows whose image cannot be read."""
        logits = blank(len(rows), self.classes_)
        if "image" in data.hidden:
            return logits
        if self.look_ is not None:
            features = self.look_(data)
            present = features.present[rows]
            if present.any():
                logits[present] = ask(self.network_, torch.from_numpy(features.vectors[rows[present]]))
            return logits
        pack, place = data.pixels(self.size_, self.settings.workers)
        there = np.flatnonzero(place[rows] >= 0)
        with torch.inference_mode():
            device = next(self.network_.parameters()).device
            for part in np.split(there, range(64, len(there), 64)):
                pixels = torch.from_numpy(pack[place[rows[part]]]).to(device)
                logits[part] = self.network_(plain(pixels, self.size_)).float().cpu().numpy()
        return logits


class ImageFeatures:
    """The frozen features of every row's image, of any data: computed once and kept by content, those of the last data at hand.

    Raises NotRun without weights.
    """

    def __init__(self, settings: Settings) -> None:
        weights = starting_weights(settings)
        if weights is None:
            raise NotRun(f"no weights (a frozen {settings.model} needs some: `weights`)")
        self.weights = weights
        encoder = load_encoder(weights, size=side(settings, weights.arch, weights.size))
        self.name = f"{weights.name} ({called(weights.arch)}, {encoder.size} px{suffix(encoder.crops)})"
        self._embedder = Embedder(encoder, device=settings.device, workers=settings.workers)
        self._last: tuple[Catalog, Features] | None = None

    def __call__(self, data: Data) -> Features:
        """(n, d) of every row; rows whose image cannot be read are not present, be they all; nor is any where the data hide images."""
        if "image" in data.hidden:
            return Features(
                np.zeros((len(data.catalog), self._embedder.encoder.dim), np.float32), np.zeros(len(data.catalog), bool), self.name
            )
        if self._last is None or self._last[0] is not data.catalog:
            self._last = data.catalog, self._made(data)
        return self._last[1]

    def _made(self, data: Data) -> Features:
        vectors = np.zeros((len(data.catalog), self._embedder.encoder.dim), np.float32)
        present = np.zeros(len(data.catalog), bool)
        try:
            made = self._embedder.catalog(data.catalog, keep=len(data.catalog) > FEW)
            vectors[made.rows], present[made.rows] = made.features, True
            quarantine = made.quarantine
        except NoneReadable as error:
            quarantine = tuple(error.quarantine)
        if data.readable is None:
            log_left_out(quarantine)
        data.readable = present
        return Features(vectors, present, self.name)

    def state(self) -> State:
        """Which network it was."""
        return State(facts={"name": self.name, "identity": self.weights.identity})

    @classmethod
    def restore(cls, settings: Settings, state: Restored) -> ImageFeatures:
        """The same network again. Raises UserError where its weights are gone, or are others now."""
        made = cls(settings)
        if [made.name, made.weights.identity] != [state.fact("name"), state.fact("identity")]:
            raise UserError(f"these are not the weights it was trained on, {state.fact('name')}", made.weights.name, "Put those back")
        return made


def starting_weights(settings: Settings) -> Weights | None:
    """The weights that a row names; `imagenet` for models that are no network of their own; None for "from scratch".

    Raises UserError when they are of another network than the row's.
    """
    named = settings.weights or ("" if settings.model in NETWORKS else "imagenet")
    if not named:
        return None
    weights = known_weights(named)
    if settings.model in NETWORKS and weights.arch != settings.model:
        message = f"these are weights of {called(weights.arch)}, not of {settings.model}"
        raise UserError(message, named, "Give that network's weights, or `model` encoder")
    return weights


def start(settings: Settings) -> tuple[Weights, Encoder]:
    """What is trained end to end begins from: the weights that a row names, else a network of its own from scratch."""
    weights = starting_weights(settings) or fresh(settings.model, side(settings, settings.model), settings.seed)
    return weights, load_encoder(weights, size=side(settings, weights.arch, weights.size))


def side(settings: Settings, arch: str, usual: int = 0) -> int:
    """The side of the images in pixels: asked for, or the network's usual one times the scale, but not less than it needs.

    Raises UserError when less is asked for than it needs.
    """
    if settings.size:
        check_size(arch, settings.size)
        return settings.size
    return usual_size(arch, max(settings.scaled(usual or backbone(arch).size), backbone(arch).least))
