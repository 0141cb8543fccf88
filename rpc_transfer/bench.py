"""Where trials are computed: the images are held, and the base step that several learners of the same weights and seed share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from repr.catalog.table import Catalog
from repr.experiments.trials import Trial, Wanted, key
from repr.files import content_key
from repr.images.formats import DECODER
from repr.images.known import fingerprints
from repr.learners import UPDATES, learner_class, make
from repr.learners.learner import Learner
from repr.learners.trained import Trained
from repr.models.encoder import Encoder
from repr.models.mixing import between
from repr.models.weights import load_encoder
from repr.records import Json
from rpc_transfer.configs import TransferConfig
from rpc_transfer.draw import generator
from rpc_transfer.images import Shelf, Table, encode
from rpc_transfer.protocol import Images, Split, SplitFile
from rpc_transfer.results import BASE_TRAINED, GIVEN, TRAINED
from rpc_transfer.settings import MOST_EPOCHS, Settings
from rpc_transfer.trial import Task, base_step, make_task, run_trial
from rpc_transfer.weights import InitialWeights

VERSION = 3  # of what every trial computes, beside `Learner.version`; raise it when no stored trial is what would be computed


class Bench:
    """Computes the trials of a run."""

    def __init__(self, settings: Settings, catalog: Catalog, split: Split, device: torch.device) -> None:
        self.settings, self.split, self.device = settings, split, device
        self.file = SplitFile.of(split, catalog)
        self.validation: Mapping[int, Images] = {} if settings.reject is None else split.validation
        extra = [rows for by_product in self.validation.values() for rows in by_product.values()]
        served = np.unique(np.concatenate([split.used(), *extra]))
        self.shelf = Shelf(catalog, served, device=settings.device, workers=settings.workers)
        self.source = content_key(DECODER, fingerprints(catalog, moved=True).tobytes())
        self.stage: Stage | None = None

    def wanted(self, configs: Sequence[TransferConfig]) -> list[Wanted]:
        """The trials of the configs that can be run, in the order of computing: those that share features and the base step together."""
        weights = list(dict.fromkeys(config.weights for config in configs))
        trials = [(i, seed) for i, config in enumerate(configs) if not config.weights.error for seed in self.split.seeds]

        def _together(trial: tuple[int, int]) -> tuple[int, int, int, bool]:
            config = configs[trial[0]]
            return weights.index(config.weights), config.shots, trial[1], config.features != TRAINED

        return [self._wanted(i, configs[i], seed) for i, seed in sorted(trials, key=_together)]

    def _wanted(self, row: int, config: TransferConfig, seed: int) -> Wanted:
        label = f"{config.weights.name}, {config.shots} shots, seed {seed}, {config.learner}"
        return Wanted(row, seed, config.file_name, self._key(config, seed), self.file.key(seed, config.shots), label)

    def compute(self, config: TransferConfig, seed: int) -> Trial:
        """One trial. Those that follow one another with the same weights, shots and seed share what they can."""
        if self.stage is None or (self.stage.weights, self.stage.shots, self.stage.seed) != (config.weights, config.shots, seed):
            self.stage = Stage(self, config.weights, config.shots, seed)
        return self.stage.trial(config)

    def alpha(self, weights: InitialWeights) -> float:
        """How much of the base step's training a base-trained encoder has; mixed with a random network it would be nothing."""
        return 1.0 if weights.random else self.settings.base_alpha

    def _key(self, config: TransferConfig, seed: int) -> str:
        """Of all that a trial's numbers depend on."""
        split, settings = self.split, self.settings
        images = [
            rows.tobytes()
            for by_product in (split.support[seed], split.tests[seed], self.validation.get(seed, {}))
            for rows in by_product.values()
        ]
        base = learner_class("finetune")
        depends: dict[str, Json | bytes] = {
            "source": self.source,
            "products": [split.base, split.novel, split.unknown, split.increments],
            "images": b"".join(images),
            "weights": config.weights.identity,
            "used": [config.size, config.learner, config.features, config.shots, split.base_shots],
            "crops": config.weights.crops,
            "options": settings.for_learner(learner_class(config.learner).takes),
            "training": [UPDATES, MOST_EPOCHS],
            "reject": settings.reject,
        }
        if config.features == BASE_TRAINED:
            depends["base step"] = [base.version, settings.for_learner(base.takes), self.alpha(config.weights)]
        return key(VERSION + learner_class(config.learner).version, seed, depends)


class Stage:
    """Weights, a number of shots and a seed: the arrays, and the base step shared by the learners.

    The base step of `finetune` is trained once, when first asked for, and with the same random numbers in a run that goes on.
    """

    def __init__(self, bench: Bench, weights: InitialWeights, shots: int, seed: int) -> None:
        self.bench, self.weights, self.shots, self.seed = bench, weights, shots, seed
        self.drawn = weights.for_seed(seed)
        self.based: Trained | None = None
        self.encoded: tuple[Task, Table] | None = None

    def trial(self, config: TransferConfig) -> Trial:
        """Run one learner."""
        encoder = None
        if config.features == TRAINED:
            encoder = self._encoder()
            table = self.bench.shelf.pixels(encoder.side)
            task = self._task(table)
        else:
            task, table = self._features(config.features)
        learner = self._make(config.learner, task, encoder)
        if learner.plain_base:
            assert isinstance(learner, Trained)
            learner.start_from(self._base(), table.take(task.steps[0][0]), task.steps[0][1])
        elif not learner.at_once:
            base_step(learner, table, task)
        return run_trial(learner, table, task, reject=self.bench.settings.reject)

    def _task(self, table: Table) -> Task:
        bench = self.bench
        return make_task(bench.split, self.seed, self.shots, table, bench.validation.get(self.seed))

    def _features(self, kind: str) -> tuple[Task, Table]:
        if kind == GIVEN:
            table = self.bench.shelf.features(self.drawn, self.weights.size, self.weights.crops)
            return self._task(table), table
        if self.encoded is None:
            encoder, alpha = self._base().encoder_, self.bench.alpha(self.weights)
            if alpha < 1:
                encoder = between(self._encoder(), encoder, alpha)
            pixels = self.bench.shelf.pixels(encoder.side)
            task = self._task(pixels)
            self.encoded = task, encode(encoder, pixels, task.rows, self.bench.device)
        return self.encoded

    def _base(self) -> Trained:
        """The fine-tuned network after its base step."""
        if self.based is None:
            encoder = self._encoder()
            table = self.bench.shelf.pixels(encoder.side)
            task = self._task(table)
            learner = self._make("finetune", task, encoder)
            assert isinstance(learner, Trained)
            base_step(learner, table, task)
            self.based = learner
        return self.based

    def _encoder(self) -> Encoder:
        """The weights, to be trained: on random views of the whole squares, of which the encoder sees the crops when it is asked."""
        return load_encoder(self.drawn, size=self.weights.trained_size, crops=self.weights.crops)

    def _make(self, name: str, task: Task, encoder: Encoder | None) -> Learner:
        kind, settings = learner_class(name), self.bench.settings
        options = settings.for_learner(kind.takes)
        if "updates" in kind.takes:
            first, later = settings.updates([len(rows) for rows, _ in task.steps])
            if kind.at_once:  # as many in its one step as the others in all of theirs
                options.pop("epochs", None)
                first += later * (len(task.steps) - 1)
            options["updates"] = first, later
        if "seed" in kind.takes:
            # One base step serves them all, and the same numbers a learner with its settings changed.
            purpose = "finetune" if kind.plain_base else name.partition(":")[0]
            options["seed"] = int(generator(self.seed, "loader", purpose).integers(2**31))
        if "device" in kind.takes:
            options["device"] = str(self.bench.device)
        return make(name, encoder=encoder, **options)
