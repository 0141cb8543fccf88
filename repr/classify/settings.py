"""What one row of the grid is: the model, what it sees, how it is trained. Recorded in the row's run folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from repr.classify import ENCODERS, FUSIONS, IMAGES, MODELS, PRESETS
from repr.classify.hierarchy import NETS, WEAK
from repr.classify.late import FUSERS
from repr.errors import UserError
from repr.records import Json
from repr.settings import check, setting, values
from repr.shared import Machine
from repr.training.rates import Schedule, linear, tenths

# Settings that only some rows look at: they are no part of the others' identity.
OF_IMAGES = ("weights", "size")
OF_FUSION = ("text_encoder",)
SAID = (
    *("model", "level", "hierarchy", "part", "weights", "fine_share", "balanced", "adjust", "preset", "split", "bert", "end_to_end"),
    *("layers", "epochs", "lr", "batch_size", "size", "scale", "limit"),
)  # by a row's config as they are set
OF_SOME = ("pooling", "pieces", "grid", "adversary", "fuse_hidden")  # by the config of rows that look at them
NETWORKS = ("vgg19", "inception_v3", "resnet50", "resnet152")  # image models of their own; "encoder" is any other
WHOLE = (*NETWORKS, "encoder", "bert")  # can be trained end to end
WIDE = 4096  # units of a hidden layer


@dataclass(frozen=True)
class RowConfig:
    """The config of a row in results: what is set, and what that comes to.

    modality: image, text or image+text, and +ocr. masked: whether class names leave the texts. weights: as named, "" for the model's own.
    text_encoder, weak: "" where the row has none. held_out: whether the validation rows were taken from the training part.
    image_model: of late fusion, towers: of feature-level fusion, else "".
    """

    model: str
    modality: str
    level: int
    hierarchy: str
    masked: bool
    part: str
    weights: str
    text_encoder: str
    fine_share: float
    weak: str
    balanced: bool
    adjust: float
    preset: str
    split: str
    bert: str
    end_to_end: bool | None
    epochs: int | None
    lr: float | None
    batch_size: int | None
    size: int | None
    scale: float
    limit: int
    held_out: bool = False
    layers: int | None = None
    method: str = "plain"
    image_model: str = ""
    towers: str = ""
    optimiser: str = "adam"
    pooling: str = "mean"
    pieces: int | None = None
    grid: int = 7
    adversary: str = "classes"
    fuse_hidden: int = 6


class Training(TypedDict):
    """How a network is trained, as `fit_network` takes it."""

    epochs: int
    lr: float
    batch_size: int
    halve_every: int


class Recipe(Training, total=False):
    """The same of what is trained end to end, where a preset says more."""

    optimiser: str
    weight_decay: float
    schedule: Schedule


@dataclass(frozen=True, kw_only=True)
class Shared(Machine):
    """What all rows of a grid have in common. Sizes, epochs and rates that are None follow the preset and the model.

    bert: a local folder. layers: hidden ones of 4096 units on frozen features. adjust: tau of the logit adjustment.
    weak: see hierarchy/weak.py.
    """

    ocr: bool = setting(False, "Read the OCR text together with the title; tables then show both.", group="data")
    limit: int = setting(0, "Train on at most so many rows, drawn by chance; 0 for all.", low=0, group="data")
    balanced: bool = setting(False, "Draw the training rows so that every class is equally likely.", group="data")
    bert: str = setting("", "A local BERT folder.", metavar="DIR", usual="the English one that comes as a package", group="model")
    pooling: str = setting("mean", "What becomes of a text model's states.", choices=("mean", "pooled"), group="model")
    pieces: int | None = setting(None, "Word pieces of a text that are read.", low=2, usual="64, with OCR text 128", group="model")
    end_to_end: bool | None = setting(None, "Train the network too, or only what follows it.", usual="by model", group="model")
    layers: int | None = setting(None, "Hidden layers of 4096 on frozen features.", low=0, high=2, usual="by model", group="model")
    size: int | None = setting(None, "Image side.", low=16, metavar="PX", usual="that of the network", group="model")
    scale: float = setting(1.0, "Makes image sides, layer widths and epochs smaller.", low=0, above=True, high=1, group="model")
    method: str = setting(
        "plain", "How images are fine-tuned; dcl: tiles shuffled and put back.", choices=("plain", "dcl"), group="training"
    )
    grid: int = setting(7, "Tiles along a side, of dcl.", low=2, high=32, metavar="N", group="training")
    adversary: str = setting("classes", "What tells shuffled images apart, of dcl.", choices=("classes", "two"), group="training")
    towers: str = setting(
        "frozen", "Below feature fusion: frozen, trained (each alone) or joint.", choices=("frozen", "trained", "joint"), group="training"
    )
    image_model: str = setting("encoder", "The image model of late fusion.", choices=IMAGES, group="model")
    fuse_hidden: int = setting(6, "Hidden size of late fusion in two layers.", low=1, metavar="N", group="model")
    weak: str = setting("children", "What nets make of rows without fine labels.", choices=WEAK, group="model")
    epochs: int | None = setting(None, "Times every row is seen.", low=1, usual="by model", group="training")
    lr: float | None = setting(None, "Learning rate of Adam.", low=0, above=True, usual="0.001", group="training")
    batch_size: int | None = setting(None, "Rows a step.", low=1, usual="64", group="training")
    optimiser: str = setting(
        "adam", "Of BERT end to end; adamw: with a warm-up and a linear decay.", choices=("adam", "adamw"), group="training"
    )
    adjust: float = setting(0.0, "Divide by the class frequencies to this power.", low=0, metavar="TAU", group="training")


@dataclass(frozen=True, kw_only=True)
class Settings(Shared):
    """One row and seed: its model, what it sees and how it is trained.

    part: a named part of the data, such as outdoors. hierarchy: a net of NETS, trained on the model's frozen features (of late fusion one
    on each modality's), "" for the model itself. weights: of the images' network, "" for the model's own default. text_encoder: of image +
    text rows. fine_share: of training rows, those whose labels below level 1 are known to a hierarchical net. preset: "paper" is Adam at
    1e-3, halved every 2 epochs, batches of 64, "grouped" the same rate on a cosine, "rakuten" what the challenge's winners did.
    """

    model: str = setting("ngram", "What classifies.", choices=tuple(MODELS))
    level: int = setting(2, "Class level.", low=1, high=3)
    part: str = setting("", "Only what is below this class.")
    hierarchy: str = setting("", "The net on the features.", choices=("", *NETS))
    seed: int = setting(0, "Of split and start.", low=0)
    preset: str = setting("grouped", "How rows are divided and networks trained.", choices=PRESETS)
    split: str = setting("grouped", "How the data were divided.")
    mask: bool = setting(False, "Whether class names leave the titles.")
    weights: str = setting("", "Of the images' network.")
    text_encoder: str = setting("ngram", "Text features of image + text rows.", choices=ENCODERS)
    fine_share: float = setting(1.0, "Share of rows with fine labels.", low=0, above=True, high=1)

    def __post_init__(self) -> None:
        """Raises UserError for values beyond their limits."""
        check(self)
        if self.method == "dcl" and "image" in self.modality and not self._trains_images:
            remedy = "Add `end_to_end`, choose another `model` or `towers` trained, or leave it out"
            raise UserError("dcl is for images trained end to end", "", remedy, argument="method")
        if self.hierarchy and self.model in FUSIONS and self.model != "concat":
            remedy = "Choose `model` concat, or a late fusion"
            raise UserError(f"hierarchical nets take both modalities side by side, not by {self.model}", "", remedy, argument="hierarchy")
        if self.hierarchy and self.model in FUSIONS and self.towers != "frozen":
            raise UserError("hierarchical nets stand on frozen features", "", "Leave it out", argument="towers")
        if not self.hierarchy and self.fine_share < 1:
            raise UserError("a share of fine labels is for hierarchical nets", "", "Name one with `hierarchy`", argument="fine_share")

    @property
    def whole(self) -> bool:
        """Whether an image model is trained end to end, and not only what follows it."""
        if MODELS[self.model].modality != "image":
            return False
        return self.end_to_end if self.end_to_end is not None else self.model in NETWORKS

    @property
    def _trains_images(self) -> bool:
        """Whether it has, or may have, an image network that is trained for the classes by itself; hierarchical nets have none."""
        if self.hierarchy:
            return False
        return self.whole or self.model in FUSERS or (self.model in FUSIONS and self.towers == "trained")

    @property
    def tunes_text(self) -> bool:
        """Whether it is BERT, trained end to end by a preset that leaves the optimiser open."""
        return self.model == "bert" and not self.hierarchy and bool(self.end_to_end) and self.preset != "rakuten"

    @property
    def modality(self) -> str:
        """image, text or image+text, and +ocr where the text holds the OCR text too."""
        modality = MODELS[self.model].modality
        return f"{modality}+ocr" if self.ocr and "text" in modality else modality

    @property
    def parts(self) -> tuple[str, ...]:
        """What of its inputs a row can be without: either modality where it sees both, title or OCR text where it reads both."""
        modality = MODELS[self.model].modality
        return (*(("image", "text") if modality == "image+text" else ()), *(("title", "ocr") if self.ocr and "text" in modality else ()))

    @property
    def encoder(self) -> str:
        """What makes the text features of a fused or hierarchical row: the model itself where it reads text alone; "" for none."""
        modality = MODELS[self.model].modality
        if modality == "text":
            return self.model if self.hierarchy else ""
        return self.text_encoder if "text" in modality else ""

    @property
    def masked(self) -> bool:
        """Whether class names leave the texts that it reads."""
        return self.mask and "text" in self.modality

    @property
    def config(self) -> RowConfig:
        """What is set of the row, and what that comes to."""
        return RowConfig(
            **{name: getattr(self, name) for name in SAID},
            modality=self.modality,
            masked=self.masked,
            text_encoder=self.encoder,
            weak=self.weak if self.hierarchy else "",
            method=self.method if self._trains_images else "plain",
            image_model=self.image_model if self.model in FUSERS else "",
            towers=self.towers if self.model in FUSIONS else "",
            optimiser=self.optimiser if self.tunes_text else "adam",
            **{name: getattr(self, name) for name in OF_SOME if name in self.relevant()},
        )

    def recipe(self, epochs: int, modality: str) -> Recipe:
        """`training` of a network that is trained end to end, "image" or "text"; of the preset rakuten the challenge's winners'.

        Images: SGD at 0.01, a tenth every 12 epochs, 60 epochs; texts: AdamW at 3e-5 in batches of 64, 40 epochs, a warm-up and linear
        decay (Bi, Wang and Fan, SIGIR eCom 2020, section 4.1, which does not tell the warm-up's length: 0.06, RoBERTa's). The epochs
        between drops scale with the epochs. AdamW of other presets: decay 0.01, warm-up over a tenth of the steps, linear decay
        (google-research/bert, optimization.py and run_classifier.py).
        """
        if self.preset != "rakuten":
            usual = cast(Recipe, self.training(epochs))
            if not (self.tunes_text and self.optimiser == "adamw"):
                return usual
            return {**usual, "halve_every": 0, "optimiser": "adamw", "weight_decay": 0.01, "schedule": linear(0.1)}
        whole, rate = (60, 0.01) if modality == "image" else (40, 3e-5)
        if modality == "image" and self.method == "dcl":
            whole = 80
        common = {**self.training(whole), "lr": self.lr or rate, "halve_every": 0}
        if modality == "image":
            return {**common, "optimiser": "sgd", "weight_decay": 1e-4, "schedule": tenths(12 / 60)}  # type: ignore[typeddict-item]
        return {**common, "optimiser": "adamw", "weight_decay": 0.01, "schedule": linear(0.06)}  # type: ignore[typeddict-item]

    def training(self, epochs: int) -> Training:
        """Epochs, rate, batch and schedule for `fit_network`. epochs: the model's own number, scaled when none was asked for.

        Adam at 1e-3 in batches of 64, halved every 2 epochs: Pattern Recognition 140 (2023) 109519, section 4.2.
        """
        times = self.epochs if self.epochs is not None else max(1, round(epochs * self.scale))
        halve = 2 if self.preset == "paper" else 0
        return {"epochs": times, "lr": self.lr or 1e-3, "batch_size": self.batch_size or 64, "halve_every": halve}

    def hidden(self, usual: int) -> list[int]:
        """Widths of the hidden layers on frozen features; usual: how many the model has where nothing else is asked for.

        Two of 4096: Pattern Recognition 140 (2023) 109519, Table 5.
        """
        return [self.scaled(WIDE)] * (usual if self.layers is None else self.layers)

    def scaled(self, width: int, least: int = 16) -> int:
        """A layer's width or an image's side, times the scale."""
        return max(least, round(width * self.scale))

    def relevant(self) -> dict[str, Json]:
        """The settings that this row depends on, by name: the row's identity. Device and workers are not part."""
        idle = self._idle()
        return {name: value for name, value in values(self).items() if name not in idle}

    def _idle(self) -> set[str]:
        modality = MODELS[self.model].modality
        reads_bert, trained = "bert" in (self.model, self.encoder), self.whole or bool(self.end_to_end)
        looked_at = {
            OF_IMAGES: "image" in modality,
            ("ocr", "mask"): "text" in modality,
            ("bert", "pooling", "pieces"): reads_bert,
            ("end_to_end",): self.model in (*WHOLE, *FUSERS) and not self.hierarchy,
            ("layers",): self.model in (*WHOLE, *FUSERS) and not self.hierarchy and not trained,
            OF_FUSION: modality == "image+text",
            ("image_model",): self.model in FUSERS,
            ("fuse_hidden",): self.model in ("layers", "committee"),
            ("optimiser",): self.tunes_text,
            ("method",): self._trains_images,
            ("grid", "adversary"): self._trains_images and self.method == "dcl",
            ("towers",): self.model in FUSIONS,
            ("fine_share", "weak"): bool(self.hierarchy),
        }
        return {"device", "workers", *(name for names, used in looked_at.items() if not used for name in names)}


def check_used(rows: Iterable[Settings], given: Mapping[str, bool]) -> None:
    """Raise UserError for the first setting that is given and that none of the rows looks at."""
    looked_at = {"device", "workers"}.union(*(row.relevant() for row in rows))
    for name, is_given in given.items():
        if is_given and name not in looked_at:
            raise UserError("none of the rows asked for looks at this", "", "Leave it out, or choose other rows", argument=name)


def split_of(preset: str, split: str | None) -> str:
    """How data without a split of their own are divided: as asked for, else by the preset."""
    return split or {"paper": "random", "rakuten": "random"}.get(preset, "grouped")
