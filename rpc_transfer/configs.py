"""The configs of a run, which become its rows: which there are, what is set of each, and which are compared with which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from repr.experiments.document import Comparison, Row, UsedWeights
from repr.experiments.summary import compared
from repr.learners import learner_class, make
from repr.models.encoder import Encoder
from repr.records import Json
from repr.settings import values
from repr.training.finetune import MOMENTUM, WEIGHT_DECAY
from rpc_transfer.protocol import Split
from rpc_transfer.results import AGAINST_JOINT, AGAINST_USUAL, AGAINST_WEIGHTS, BASE_TRAINED, GIVEN, IMAGENET, SHOWN, TRAINED, RowConfig
from rpc_transfer.settings import ARCH, SIZE, Settings
from rpc_transfer.weights import InitialWeights

USUAL = {"learner": "linear", "weights": IMAGENET, "features": GIVEN}  # what a user has without us, in an afternoon


@dataclass(frozen=True)
class TransferConfig:
    """One row to be: the weights it begins from, a learner, which encoder it works on, and the shots a product."""

    weights: InitialWeights
    learner: str
    features: str  # GIVEN, BASE_TRAINED or TRAINED
    shots: int

    @property
    def size(self) -> int:
        """Image side in pixels."""
        return self.weights.size if self.features == GIVEN else self.weights.trained_size

    @property
    def file_name(self) -> str:
        """What the files of its trials begin with."""
        return self.learner.partition(":")[0]

    def as_set(self, settings: Settings, split: Split) -> RowConfig:
        """What is set of the row, and what that came to."""
        return RowConfig(
            learner=self.learner,
            weights=self.weights.name,
            features=self.features,
            shots=self.shots,
            base_shots=self.shots if split.base_shots is None else split.base_shots,
            shots_from=split.shots_from,
            test_on=split.test_on,
            increments=tuple(len(step) for step in split.increments),
            memory=memory(settings, split, self),
            arch=self.weights.arch,
            size=self.size,
            crops=self.weights.crops,
        )


def list_configs(settings: Settings, weights: Sequence[InitialWeights]) -> list[TransferConfig]:
    """The configs in the table's order: by shots, then by learner, the weights side by side."""
    configs = []
    for shots in dict.fromkeys(settings.shots):
        for learner in dict.fromkeys(settings.learner):
            images = learner_class(learner).input == "images"
            for one in weights:
                if images:
                    kinds = [TRAINED]
                elif one.random:
                    kinds = [BASE_TRAINED]
                else:
                    kinds = {"given": [GIVEN], "base-trained": [BASE_TRAINED], "both": [GIVEN, BASE_TRAINED]}[settings.features or "given"]
                configs += [TransferConfig(one, learner, kind, shots) for kind in kinds]
    return configs


def memory(settings: Settings, split: Split, config: TransferConfig) -> int | None:
    """Images that a learner may keep: None where the encoder stays as it is, every shot where none was said."""
    kind = learner_class(config.learner)
    if kind.input == "features":
        return None
    if "memory" not in kind.takes and not kind.at_once:
        return 0
    every = sum(split.sizes(config.shots))
    return every if settings.memory is None or kind.at_once else min(settings.memory, every)


def used_weights(configs: Sequence[TransferConfig]) -> tuple[UsedWeights, ...]:
    """What the configs begin from, as the weights' files tell it, and the image sides at which they are used."""
    return tuple(
        UsedWeights(
            one.name,
            weights.arch,
            tuple(weights.provenance.lines()),
            tuple(sorted({config.size for config in configs if config.weights is one})),
            one.crops,
        )
        for one in dict.fromkeys(config.weights for config in configs)
        if (weights := one.weights) is not None
    )


def training_notes(settings: Settings, split: Split) -> list[str]:
    """Notes on what was not typed and the trained learners then do."""
    kinds = {name: learner_class(name) for name in settings.learner}
    notes = []
    if settings.base_alpha < 1:
        notes.append(f"base-trained encoders are {settings.base_alpha:g} of what the base step made of the weights, the rest as they came")
    keepers = [name for name, kind in kinds.items() if "memory" in kind.takes]
    if keepers and settings.memory is None:
        notes.append(f"without a memory set, every shot is kept and seen again by {', '.join(keepers)}")
    if settings.epochs is None and any("updates" in kind.takes for kind in kinds.values()):
        for shots in dict.fromkeys(settings.shots):
            first, later = settings.updates(split.sizes(shots))
            n = len(split.increments)
            each = "in the increment" if n == 1 else f"in each of {n} increments"
            notes.append(f"updates with {shots} shots: about {first} in the base step and {later} {each}; joint {first + n * later}")
    return notes


def resolved(settings: Settings, split: Split, configs: Sequence[TransferConfig], device: str) -> dict[str, Json]:
    """What was left open and came to: the split, the weights and the sides of their images, the device, and all settings of each learner.

    Those of a learner that trains hold its learning rate; the optimiser is that of `repr.training.finetune`, without warm-up.
    """
    stand_in = Encoder(nn.Identity(), ARCH, SIZE)  # learners that take an encoder are made with one, to be asked what their settings are
    learners: dict[str, Json] = {}
    trains = any(config.features != GIVEN for config in configs)
    for name in (*settings.learner, *(["finetune"] if trains and "finetune" not in settings.learner else [])):  # which is the base step
        own = values(make(name, encoder=stand_in, **settings.for_learner(learner_class(name).takes)))
        learners[name] = {key: value for key, value in own.items() if key not in ("seed", "device", "updates")}
    training: dict[str, Json] = {
        "optimiser": "sgd",
        "momentum": MOMENTUM,
        "weight_decay": WEIGHT_DECAY,
        "warmup": 0,
        "schedule": "cosine",
        "updates": {str(shots): list(settings.updates(split.sizes(shots))) for shots in dict.fromkeys(settings.shots)},
    }
    return {
        "data": list(settings.data),
        "novel": len(split.novel),
        "unknown": len(split.unknown),
        "shots": list(settings.shots),
        "base_shots": split.base_shots,
        "shots_from": split.shots_from,
        "test_on": split.test_on,
        "split_seed": split.split_seed,
        "data_seed": settings.division_seed,
        "seeds": len(split.seeds),
        "increments": [len(step) for step in split.increments],
        "weights": list(dict.fromkeys(config.weights.name for config in configs)),
        "arch": list(dict.fromkeys(config.weights.arch for config in configs)),
        "size": sorted({config.size for config in configs}),
        "device": device,
        "learners": learners,
        **({"training": training} if trains else {}),
    }


def comparisons(rows: Sequence[Row]) -> list[Comparison]:
    """Rows of one number of shots compared seed by seed, a minus b. `against` says why the two are:

    weights    every two weights of one learner, the later row minus the earlier one
    joint      a row minus the upper bound from its own weights, on images of one size
    imagenet   a row minus logistic regression on the features of `imagenet` as given
    """
    tests: list[Comparison] = []
    configs = [row.config for row in rows]
    for j, b in enumerate(configs):
        for i, a in enumerate(configs[j + 1 :], j + 1):
            if (a["learner"], a["shots"]) == (b["learner"], b["shots"]) and a["weights"] != b["weights"]:
                tests += compared(rows, i, j, SHOWN, against=AGAINST_WEIGHTS)
    for i, a in enumerate(configs):
        for j, b in enumerate(configs):
            if i != j and a["shots"] == b["shots"]:
                if b["learner"] == "joint" and all(b[key] == a[key] for key in ("weights", "size")):
                    tests += compared(rows, i, j, SHOWN, against=AGAINST_JOINT)
                if all(b[key] == value for key, value in USUAL.items()):
                    tests += compared(rows, i, j, SHOWN, against=AGAINST_USUAL)
    return tests
