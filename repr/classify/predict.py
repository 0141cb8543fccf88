"""A kept model asked for new products: the likeliest classes with calibrated probabilities, the way down the tree, and doubt."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from repr.arrays import Floats
from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog, Source, build
from repr.classify import MODELS
from repr.classify.data import Data
from repr.classify.kept import Kept, find, read
from repr.errors import UserError
from repr.files import replacing
from repr.records import Json

log = logging.getLogger(__name__)

TOP = 5
LOOKS = {"image": "images", "text": "titles and descriptions", "image+text": "images, titles and descriptions"}
SCHEMA = 1
UNSURE = "unsure"


@dataclass(frozen=True)
class Prediction:
    """Of one product, best first. product, image: as the catalog has them.

    path: the names of the classes above the best one, and its own. unsure: whether its probability is below the threshold.
    """

    product: str
    image: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    path: tuple[str, ...]
    unsure: bool

    @property
    def answer(self) -> str:
        """The best class, or "unsure"."""
        return UNSURE if self.unsure else self.classes[0]

    def as_json(self) -> dict[str, Json]:
        """One line of predictions.jsonl."""
        top: list[Json] = [{"class": name, "probability": p} for name, p in zip(self.classes, self.probabilities, strict=True)]
        return {
            "product": self.product, "image": self.image, "answer": self.answer, "class": self.classes[0],
            "probability": self.probabilities[0], "path": list(self.path), "unsure": self.unsure, "top": top,
        }  # fmt: skip


class Classifier:
    """A kept model, at hand for one product after another or for a catalog.

    classifier = Classifier.load("runs/mine")
    classifier.predict(title="Green leaf tea", image="tea.jpg").answer
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept

    @classmethod
    def load(cls, run: str | Path) -> Classifier:
        """The model of a run folder, or of one of its `models`. Raises UserError for what is none, or is of another version."""
        return cls(read(find(Path(run))))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of `probabilities`' columns."""
        return self.kept.names

    def predict(
        self, title: str = "", image: str | Path | None = None, description: str = "", *, top: int = TOP, threshold: float = 0.0
    ) -> Prediction:
        """Of one product, what is known of it. Raises UserError when nothing is, or the image is not there."""
        if not (title or description or image):
            raise UserError("nothing is known of the product", "", "Give a `title` or an `image`")
        file = Path(image).absolute() if image else Path("/")
        if image and not file.is_file():
            raise UserError("there is no such image", file, "Check the path")
        columns = {"path": [file.name if image else ""], "product": [file.name if image else title]}
        texts = {"title": [title or None], "description": [description or None]}
        source = Source("asked", "csv", file.parent)
        catalog = build({**columns, **texts}, classes=((), (), ()), sources=(source,))
        data = self._data(catalog, frozenset() if image else frozenset({"image"}))
        scores = self._scores(data)
        if image and data.readable is not None and not data.readable[0]:
            raise UserError("not an image that can be read", file, "Give another file")
        if data.blind(self._modality)[0]:
            raise UserError(f"the model sees nothing of the product: it looks at {LOOKS[self._modality]}", "", "Give that too")
        return self._predictions(catalog, scores, top, threshold)[0]

    def of_catalog(self, catalog: Catalog, *, top: int = TOP, threshold: float = 0.0) -> list[Prediction]:
        """Of every row of a catalog, whatever its own classes. top: classes told; threshold: of the best one's probability, 0-1."""
        data = self._data(catalog)
        scores, blind = self._scores(data), data.blind(self._modality)
        if blind.any():
            first = catalog.table["product"][int(np.flatnonzero(blind)[0])].as_py()
            log.warning(
                f"The model sees nothing of {int(blind.sum()):,} of {len(blind):,} products, such as {first}: it looks at "
                f"{LOOKS[self._modality]}. They get the shares of the classes."
            )
        return self._predictions(catalog, scores, top, threshold)

    def probabilities(self, catalog: Catalog) -> Floats:
        """(n, classes) of every row of a catalog, to the bit what the run measured on the same rows."""
        return self._scores(self._data(catalog))

    def _predictions(self, catalog: Catalog, scores: Floats, top: int, threshold: float) -> list[Prediction]:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        products, images = catalog.table["product"].to_pylist(), catalog.table["path"].to_pylist()
        predictions = []
        for row, best in enumerate(order.tolist()):
            confident = tuple(float(scores[row, label]) for label in best)
            names = tuple(self.kept.names[label] for label in best)
            path = self.kept.paths[best[0]]
            predictions.append(Prediction(products[row], images[row] or "", names, confident, path, confident[0] < threshold))
        return predictions

    def _data(self, catalog: Catalog, hidden: frozenset[str] = frozenset()) -> Data:
        settings = self.kept.settings
        return Data(_unlabelled(catalog, self.kept), ocr=settings.ocr, mask=settings.mask, hidden=hidden)

    def _scores(self, data: Data) -> Floats:
        return self.kept.fitted.probabilities(data, np.arange(len(data.catalog)), self.kept.settings.adjust)

    @property
    def _modality(self) -> str:
        return MODELS[self.kept.settings.model].modality


def _unlabelled(catalog: Catalog, kept: Kept) -> Catalog:
    """The rows without classes of their own, under the classes by which the model masks words."""
    table = catalog.table
    for level in (1, 2, 3):
        at = table.schema.get_field_index(f"class_{level}")
        table = table.set_column(at, table.schema.field(at), pa.array(np.full(len(table), -1), pa.int32()))
    return replace(catalog, table=table, classes=kept.classes)


def predict_data(run: Path, data: Sequence[str], *, top: int = TOP, threshold: float = 0.0) -> list[Prediction]:
    """Of every row of some data. Raises UserError for a model or data that cannot be read."""
    classifier = Classifier.load(run)
    return classifier.of_catalog(open_sources(data), top=top, threshold=threshold)


def check_ending(file: Path) -> None:
    """Raise UserError, before any work, for a file that predictions cannot be written to."""
    if file.suffix.lower() not in (".csv", ".jsonl"):
        raise UserError(f"not a kind of file for predictions ({file.suffix or 'no ending'})", file, "Name it .csv or .jsonl")


def write_predictions(file: Path, predictions: Sequence[Prediction]) -> None:
    """Write .jsonl, one object a line, or .csv; whole or not at all. Raises UserError for another ending."""
    check_ending(file)
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        if file.suffix.lower() == ".jsonl":
            stream.writelines(json.dumps(one.as_json(), ensure_ascii=False) + "\n" for one in predictions)
            return
        most = max((len(one.classes) for one in predictions), default=1)
        further = [f"{what}_{n}" for n in range(2, most + 1) for what in ("class", "probability")]
        writer = csv.writer(stream)
        writer.writerow(["product", "image", "answer", "class", "probability", "path", "unsure", *further])
        for one in predictions:
            more = [cell for pair in zip(one.classes[1:], one.probabilities[1:], strict=True) for cell in pair]
            unsure = "yes" if one.unsure else "no"
            writer.writerow([one.product, one.image, one.answer, one.classes[0], one.probabilities[0], " > ".join(one.path), unsure, *more])
