"""The preset "paper": what section 7.2 of the MEP-3M paper states, the choices where it is silent, and how far a run departs from it.

MEP-3M: Pattern Recognition 140, 2023.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from repr.errors import UserError
from repr.learners import learner_class
from repr.settings import Keywords, Value, declared
from rpc_transfer.protocol import Split
from rpc_transfer.settings import BATCH, Settings
from rpc_transfer.weights import InitialWeights

log = logging.getLogger(__name__)

SHOTS = 10
SAYS: dict[str, tuple[Value, str]] = {
    "novel": (34, "two SKUs of each of RPC's 17 supercategories are novel"),
    "shots": ((SHOTS,), "10 random images for each class"),
    "base_shots": (None, "of each base class too"),
    "learner": (("finetune",), "a ResNet is trained on the base classes, then transferred to all"),
    "increments": ("34", "all novel classes at once"),
}
SILENT: dict[str, tuple[Value, str]] = {
    "memory": (None, "base images are seen again with the novel ones"),
    "shots_from": ("train", "images are exemplars, cropped to their box"),
    "test_on": ("validation", "tested on the exemplars that are not shots"),
    "seeds": (5, "5 seeds"),
    "split_seed": (0, "which 34 products: split seed 0"),
    "arch": (None, "ResNet depth: that of the weights, else resnet18"),
    "size": (None, "image size: that of the weights, else 64 px"),
}
PRODUCTS, SUPERCATEGORIES = 200, 17  # of RPC


def fixed(settings: Mapping[str, Value]) -> Keywords:
    """The settings with those of the preset; what differs from its default was given, and wins where the paper is silent.

    settings: by name. Logs both lists. Raises UserError when a setting that was given contradicts the paper.
    """
    values: Keywords = dict(settings)
    if values["base_shots"] == SHOTS:
        values["base_shots"] = None  # as many as of a novel class
    typed = {name for name, one in declared(Settings).items() if values[name] != one.default}
    log.info("Preset paper, stated by the MEP-3M paper:")
    for name, (value, why) in SAYS.items():
        if name in typed and values[name] != value:
            raise UserError(f"the paper says otherwise: {why}", "", f"Leave `{name}` out, or `preset`", argument=name)
        values[name] = value
        log.info(f"  {why}")
    log.info("Our choice where it is silent (each can be given):")
    of_split = () if values["split"] in ("random", "grouped") else ("shots_from", "test_on", "split_seed", "seeds")
    for name, (value, why) in SILENT.items():
        if name in typed:
            log.info(f"  {name.replace('_', ' ')}: {values[name]}, as given")
        elif name in of_split:
            log.info(f"  {name.replace('_', ' ')}: as the split file has it")
        else:
            values[name] = value
            log.info(f"  {why}")
    return values


def training(settings: Settings, split: Split, weights: Sequence[InitialWeights]) -> list[str]:
    """The values in force of what the paper does not state of training, a line each."""
    own = declared(learner_class("finetune"))

    def _in_force(name: str) -> str:
        value = getattr(settings, name)
        return f"{own[name].default}, ours" if value is None else f"{value}, as given"

    first, later = settings.updates(split.sizes(settings.shots[0]))
    epochs = f"{settings.epochs}, as given" if settings.epochs is not None else "as many as make these updates, ours"
    return [
        *(f"{one.name}: {one.arch} at {one.trained_size} px" for one in weights if not one.error),
        f"updates: about {first} in the base step, then {later}, in batches of {settings.batch_size or BATCH}",
        f"epochs: {epochs}",
        "optimiser: SGD, momentum 0.9, weight decay 5e-4 but on norms and biases, the rate falls to 0 by a cosine in each step, ours",
        *(f"{label}: {_in_force(name)}" for name, label in (("lr", "rate"), ("batch_size", "batch"), ("views", "views"))),
    ]


def departures(settings: Settings, split: Split, weights: Sequence[InitialWeights]) -> list[str]:
    """Where the run is not the paper's experiment, a line each; empty where it is."""
    products = (*split.products, *split.unknown)
    supercategories = {split.supercategories[key] for key in products} - {""}
    differences = []
    if (len(products), len(supercategories)) != (PRODUCTS, SUPERCATEGORIES):
        differences.append(f"{len(products)} products in {len(supercategories)} supercategories, not RPC's {PRODUCTS} in {SUPERCATEGORIES}")
    each = Counter(split.supercategories[key] for key in split.novel)
    if (len(each), set(each.values())) != (SUPERCATEGORIES, {2}):
        few, many = min(each.values()), max(each.values())
        differences.append(
            f"{few if few == many else f'{few} to {many}'} novel products in each of {len(each)} supercategories, "
            f"not 2 in each of {SUPERCATEGORIES}"
        )
    if split.base_shots not in (None, SHOTS):
        differences.append(f"{split.base_shots} images of each base product, not {SHOTS}")
    if split.unknown:
        differences.append(f"{len(split.unknown)} products are never taught (`unknown`)")
    if not any(one.random for one in weights):
        differences.append("no row without pretraining stands beside the weights (`only_weights`)")
    # imagenet is shown beside every run; it is the user's own only where it was asked for
    own = [one for one in weights if one.random or one.name in settings.weights]
    others = [one for one in own if not one.error and not one.arch.startswith("resnet")]
    return [*differences, *(f"{one.name} is {one.arch}, not a ResNet" for one in others)]
