"""The journal paper's tables, each a list of rows of the grid: those that it prints, then ours.

Liu, Chen, Du, Gao and Xu, Pattern Recognition 140 (2023) 109519. Where the weights of its networks are not named, its image rows are
trained from scratch, and a row on other weights, `imagenet` unless told otherwise, stands beside them as ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from repr.catalog.parts import PAPER as SIZES
from repr.classify import MODELS, SUBSETS
from repr.classify.combinations import combine
from repr.classify.hierarchy import NETS
from repr.classify.settings import Settings
from repr.errors import UserError
from repr.models.weights import known_weights

NUMBERS = ("4", "5", "6", "8", "fig8", "rakuten")
TITLES = {
    "4": "Table 4: image, text, and both, level 2",
    "5": "Table 5: ResNet-50 and BERT below two layers of 4096, three levels",
    "6": "Table 6: hierarchical nets on frozen features",
    "8": "Table 8: fine-grained subsets",
    "fig8": "Fig. 8: accuracy against training samples, level 3",
    "rakuten": "Rakuten, Table 1: single modalities, feature-level fusion, decision-level fusion, ensemble",
}
FEATURE = ("concat", "sum", "attention", "gated")  # of Rakuten's, rows of feature-level fusion
DECISION = ("vote", "mean", "product", "layer", "layers", "stacking", "boosting")
TEXTS = {"4": "bilstm", "6": "bert"}  # what makes the text features of a table's image + text rows


@dataclass(frozen=True)
class Choice:
    """What a user narrows a table by; empty means all of it."""

    models: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    hierarchies: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)  # subtrees in place of the four subsets, or parts of another table; their levels
    weights: tuple[str, ...] = ()
    masks: tuple[bool, ...] = (False, True)
    shares: tuple[float, ...] = ()  # of fine labels, in table 6
    ocrs: tuple[bool, ...] = (False,)
    usual: int = 2  # level of the data


def rows_of(number: str, base: Settings, choice: Choice) -> list[Settings]:
    """The rows of a table: those that read titles once for each of `masks` and `ocrs`. Raises UserError for what is no table or row."""
    if number not in NUMBERS:
        raise UserError(f"there is no table {number!r} to run", "table", f"Choose from: {', '.join(NUMBERS)}")
    rows = _models_of(number, base, choice)
    if number != "8" and choice.parts:
        rows = [replace(row, part=part) for part in choice.parts for row in rows]
    # Images have nothing to mask: their rows stand once.
    reads = {row.model: "text" in MODELS[row.model].modality for row in rows}
    rows = [replace(row, ocr=ocr) for row in rows for ocr in (choice.ocrs if reads[row.model] else (False,))]
    rows = [replace(row, mask=mask) for row in rows for mask in (choice.masks if reads[row.model] else (False,))]
    if choice.models:
        unknown = set(choice.models) - {row.model for row in rows}
        if unknown:
            listed = ", ".join(dict.fromkeys(row.model for row in rows))
            raise UserError(f"{TITLES[number]} has no row {', '.join(sorted(unknown))}", "", f"It has {listed}", argument="model")
        rows = [row for row in rows if row.model in choice.models]
    return rows


def _models_of(number: str, base: Settings, choice: Choice) -> list[Settings]:
    """The rows that a table names, then ours, before titles are read in more than one way."""
    weights = choice.weights
    levels = choice.levels or {"4": (2,), "5": (1, 2, 3), "6": (1,)}.get(number, (3,))
    if number == "4":
        alone: tuple[str, ...] = ("vgg19", "inception_v3", "lstm", "bilstm")
        rows = combine(base, models=alone, levels=levels, weights=weights)
        rows += combine(base, models=("concat", "tfn", "lmf"), levels=levels, weights=_of_network("vgg19", weights))
        return rows + combine(base, models=("resnet50", "encoder", "bert", "ngram", "gated"), levels=levels, weights=weights)
    if number == "5":
        wide = replace(base, layers=2 if base.end_to_end is not True else None)
        scratch = base.end_to_end is None and not _known("resnet50", weights)  # there is nothing to freeze
        resnet = replace(wide, end_to_end=True, layers=None) if scratch else wide
        rows = combine(resnet, models=("resnet50",), levels=levels, weights=weights) + combine(wide, models=("bert",), levels=levels)
        return rows + combine(wide, models=("encoder",), levels=levels, weights=weights) + combine(base, models=("ngram",), levels=levels)
    if number == "6":
        nets, shares = choice.hierarchies or tuple(NETS), choice.shares or (1.0,)
        resnet_weights = _of_network("resnet50", weights)
        rows = combine(base, models=("resnet50", "bert"), levels=levels, weights=weights, hierarchies=nets, shares=shares)
        rows += combine(base, models=("concat",), levels=levels, weights=resnet_weights, hierarchies=nets, shares=shares)
        return rows + combine(base, models=("encoder",), levels=levels, weights=weights, hierarchies=nets, shares=shares)
    if number == "rakuten":
        single = (base.image_model, base.text_encoder)
        return combine(base, models=(*single, *FEATURE, *DECISION, "committee"), levels=choice.levels or (choice.usual,), weights=weights)
    if number == "8":
        parts = choice.parts or dict.fromkeys(SUBSETS, 3)
        return [
            row
            for models in (("resnet50", "bert"), ("encoder", "bilstm", "ngram", "gated"))
            for part, level in parts.items()
            for row in combine(replace(base, part=part), models=models, levels=choice.levels or (level,), weights=weights)
        ]
    return combine(base, models=("resnet50", "encoder"), levels=levels, weights=weights)


def _known(network: str, weights: Sequence[str]) -> tuple[str, ...]:
    """Those of the named weights that are of a network."""
    return tuple(named for named in weights if named != "none" and known_weights(named).arch == network)


def _of_network(network: str, weights: Sequence[str]) -> Sequence[str]:
    """What the image + text rows of a table look through: the named weights of its network, else all that are named."""
    return _known(network, weights) or weights


def remarks(number: str, stand_ins: Sequence[str] = ()) -> list[str]:
    """What a reader of a table must know. stand_ins: parts that were run where the data have none of the four subsets."""
    if number == "rakuten":
        return []
    said = ["Rows of the paper first, below the line ours. The paper does not say which averages its AP and F1 are."]
    if number == "8":
        sizes = ", ".join(f"{name} {SIZES[name][0]} classes and {SIZES[name][1]:,} products" for name in SUBSETS)
        said.append(f"The paper's subsets (its Table 7): {sizes}.")
        stand = f"None of them is in these data: {', '.join(stand_ins)} stand in, the largest. " if stand_ins else ""
        said.append(f"{stand}Classes named with `parts` run any subtree in their place.")
    if number == "6":
        said.append("The paper draws its nets in a figure that is not in the text: the nets here are of our design, in their spirit.")
        said.append("Rows of a network whose weights were not named with `weights` are not run; `encoder` stands in for them.")
    if number in ("4", "5", "8"):
        said.append("Networks of the paper whose weights were not named with `weights` start from scratch; `encoder` looks through others.")
    if number in ("4", "6"):
        network = {"4": "VGG-19", "6": "ResNet-50"}[number]
        said.append(f"The paper's image + text rows look through {network}; here through its weights where they are named, else imagenet.")
    return said
