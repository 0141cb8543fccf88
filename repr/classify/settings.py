"""What one row of the grid is: the model, what it sees, how it is trained. Recorded in the row's run folder."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from repr.classify import MODELS
from repr.classify.hierarchy import NETS
from repr.errors import UserError, nearest

# Options that only some rows look at; the others get the default, so that they are found again when it changes.
OF_PICTURES = ("weights", "size")
OF_FUSION = ("text_encoder",)
WHOLE = ("vgg19", "inception_v3", "resnet50", "encoder", "bert")  # can be trained end to end


@dataclass(frozen=True)
class Settings:
    """One row and seed. Sizes, epochs and rates that are None follow the preset and the model."""

    model: str = "ngram"
    level: int = 2
    part: str = ""  # a named part of the data, such as outdoors
    hierarchy: str = ""  # a net of repr.classify.hierarchy.NETS, trained on the model's frozen features; "" for the model itself
    seed: int = 0
    preset: str = "grouped"  # paper: Adam 1e-3, halved every 2 epochs, batches of 64; grouped: the same rate on a cosine
    split: str = "grouped"
    ocr: bool = False
    mask: bool = False
    weights: str = ""  # of the images' network; "" for the model's own default
    text_encoder: str = "ngram"  # of image + text rows
    bert: str = ""  # a local folder; "" for the English one that comes as a package
    end_to_end: bool | None = None  # None: the networks of the paper yes, encoder and bert no
    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    size: int | None = None  # side of the images in pixels
    scale: float = 1.0  # of image sides, layer widths and epochs alike
    limit: int = 0  # training rows at most, 0 for all
    balanced: bool = False
    adjust: float = 0.0  # tau of the logit adjustment, 0 for none
    fine_share: float = 1.0  # of training rows whose labels below level 1 are known to a hierarchical net
    weak: str = "children"  # what it makes of the others: see hierarchy/weak.py
    device: str = "auto"
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UserError(f"no model is called {self.model!r}", "", nearest(self.model, MODELS), argument="model")
        if not 0 < self.scale <= 1:
            raise UserError(f"a scale of {self.scale:g}", "", "Give a number above 0, at most 1", argument="scale")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise UserError(f"a learning rate of {self.lr:g}", "", "Give a number above 0, such as 0.001", argument="lr")
        if not 0 <= self.adjust < math.inf:
            raise UserError(
                f"a logit adjustment of {self.adjust:g}", "", "Give 0 for none, or a number such as 1", argument="logit_adjustment"
            )
        if self.hierarchy and self.hierarchy not in NETS:
            raise UserError(f"no net is called {self.hierarchy!r}", "", nearest(self.hierarchy, NETS), argument="hierarchy")
        if not self.hierarchy and self.fine_share < 1:
            raise UserError("a share of fine labels is for hierarchical nets", "", "Name one with `hierarchy`", argument="fine_share")

    @property
    def modality(self) -> str:
        """image, text or image+text, and +ocr where the text holds the OCR text too."""
        seen = MODELS[self.model].modality
        return f"{seen}+ocr" if self.ocr and "text" in seen else seen

    @property
    def parts(self) -> tuple[str, ...]:
        """What of its inputs a row can be without: either modality where it sees both, title or OCR text where it reads both."""
        seen = MODELS[self.model].modality
        return (*(("image", "text") if seen == "image+text" else ()), *(("title", "ocr") if self.ocr and "text" in seen else ()))

    @property
    def encoder(self) -> str:
        """What makes the text features of a fused or hierarchical row: the model itself where it reads text alone; "" for none."""
        seen = MODELS[self.model].modality
        if seen == "text":
            return self.model if self.hierarchy else ""
        return self.text_encoder if "text" in seen else ""

    def training(self, epochs: int) -> dict[str, Any]:
        """Epochs, rate, batch and schedule for `fit_network`. epochs: the model's own number, scaled when none was asked for.

        Adam at 1e-3 in batches of 64, halved every 2 epochs: Pattern Recognition 140 (2023) 109519, section 6.
        """
        asked = self.epochs if self.epochs is not None else max(1, round(epochs * self.scale))
        halve = 2 if self.preset == "paper" else 0
        return {"epochs": asked, "lr": self.lr or 1e-3, "batch_size": self.batch_size or 64, "halve_every": halve}

    def scaled(self, width: int, least: int = 16) -> int:
        """A layer's width or a image's side, times the scale."""
        return max(least, round(width * self.scale))

    def relevant(self) -> dict[str, Any]:
        """The settings that this row depends on, the others at their defaults: the row's identity. Device and workers are not part."""
        seen = MODELS[self.model].modality
        drop = ["device", "workers"]
        if "image" not in seen:
            drop += OF_PICTURES
        if "text" not in seen:
            drop += ["ocr", "mask", "bert"]
        if self.model not in WHOLE or self.hierarchy:
            drop += ["end_to_end"]
        if seen != "image+text":
            drop += OF_FUSION
        if not self.hierarchy:
            drop += ["fine_share", "weak"]
        default: dict[str, Any] = {field.name: field.default for field in fields(self)}
        return asdict(replace(self, **{name: default[name] for name in drop}))
