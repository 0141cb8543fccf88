"""One table: several encoders, and raw pixels, measured on the same images of a catalog; or somebody's vectors."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from repr.arrays import Floats, Ints
from repr.catalog.once import once
from repr.catalog.table import Catalog
from repr.crops import suffix
from repr.embedding.embedder import BATCH, Embedder
from repr.embedding.embeddings import log_left_out
from repr.errors import UserError
from repr.evaluation.measure import Constants, Row, measure
from repr.evaluation.pixels import NAME, pixel_features
from repr.evaluation.resolution import by_resolution, short_sides
from repr.evaluation.task import Task, read_vectors, task
from repr.evaluation.words import percent
from repr.images.decoded import Quarantined
from repr.models.devices import pick_device
from repr.models.encoder import Encoder
from repr.models.leaks import leaks
from repr.models.names import apart
from repr.models.provenance import Leak
from repr.models.weights import Weights, load_encoder
from repr.records import Json
from repr.vectors import normalised

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What was measured. rows: one an encoder, in the order given; raw_pixels: the same with nothing learned, or None.

    part: the readable images; stored: (n,) their positions in `part` that were stored, queries: (q,) those searched for;
    labels: (len(part),) class numbers into `names`; vectors: by row name, (len(part), d) L2-normalised. leaks: weights that
    have seen what was searched for, or may have. resolved: what of the arguments was left open and came to.
    """

    rows: list[Row]
    raw_pixels: Row | None
    part: Catalog
    stored: Ints
    queries: Ints
    labels: Ints
    names: tuple[str, ...]
    level: int
    quarantine: tuple[Quarantined, ...]
    vectors: dict[str, Floats] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()
    resolved: Mapping[str, Json] = field(default_factory=dict)

    @property
    def leave_one_out(self) -> bool:
        """Whether stored images were searched among each other, for lack of images kept apart."""
        return len(self.stored) == len(self.queries) == len(self.part)


def evaluate(
    catalog: Catalog,
    weights: Sequence[Weights],
    constants: Constants,
    *,
    level: int | None = None,
    leave_one_out: bool = False,
    size: int | None = None,
    crops: tuple[float, ...] | None = None,
    raw_pixels: bool = True,
    batch_size: int = BATCH,
    device: str = "auto",
    workers: int | None = None,
) -> Evaluation:
    """Embed the catalog's labelled images with each of the weights and measure them: stored = train, asked = test.

    leave_one_out: search all images among each other instead. Files of the same content are one image; unreadable images are left
    out and listed. Raises UserError
    when the catalog has no labels on the level, or nothing can be read.
    """
    target = pick_device(device)
    first = task(catalog, level, leave_one_out=leave_one_out)
    alone = first.queries is None  # also where there are no two parts
    catalog = once(catalog, by_split=not alone, level=first.level)
    whole = task(catalog, level, leave_one_out=leave_one_out)
    images = catalog.select(whole.rows)
    rows: list[Row] = []
    vectors: dict[str, Floats] = {}
    readable = np.arange(len(images))
    quarantine: tuple[Quarantined, ...] = ()
    encoders = [load_encoder(spec, size=size, crops=crops) for spec in weights]
    for name, encoder in zip(_names([encoder.name + suffix(encoder.crops) for encoder in encoders]), encoders, strict=True):
        embeddings = Embedder(encoder, device=device, workers=workers, batch_size=batch_size).catalog(images)
        readable, quarantine = embeddings.rows, embeddings.quarantine
        rows.append(_row(name, embeddings.features, whole, readable, constants, str(target), encoder.synthetic or catalog.synthetic))
        vectors[name] = embeddings.vectors
    pixels = None
    if raw_pixels:
        features, readable = pixel_features(images, workers=workers)
        pixels = _row(NAME, features, whole, readable, constants, str(target), catalog.synthetic)
        vectors[NAME] = normalised(features)
    stored, queries = _positions(whole, readable)
    part = images.select(readable)
    sides = short_sides(part, queries)
    labels = np.concatenate([whole.bank_labels, whole.query_labels])[readable] if whole.queries is not None else whole.bank_labels[readable]
    return Evaluation(
        [_by_resolution(row, sides) for row in rows],
        _by_resolution(pixels, sides) if pixels else None,
        part,
        stored,
        queries,
        labels,
        whole.names,
        whole.level,
        quarantine,
        vectors,
        tuple(leaks(weights, part.select(queries))),
        _resolved(rows, encoders, whole, str(target)),
    )


def _resolved(rows: Sequence[Row], encoders: Sequence[Encoder], whole: Task, device: str) -> dict[str, Json]:
    """What was left open and came to, one entry an encoder where each has its own."""
    return {
        "weights": [row.name for row in rows],
        "size": [encoder.size for encoder in encoders],
        "crops": [list(encoder.crops) for encoder in encoders],
        "level": whole.level,
        "leave_one_out": whole.queries is None,
        "device": device,
    }


def warn_of_one_class(name: str, labels: Ints) -> None:
    """Say so where all images are of one class: then every answer is right, and the figures say nothing."""
    if len(np.unique(labels)) == 1:
        log.warning(f"{name}: one class only, so every answer is right, whatever the vectors are. These figures say nothing.")


def evaluate_vectors(files: Sequence[Path], constants: Constants) -> list[Row]:
    """Measure somebody's vectors, a row a file; see `read_vectors` for the files. Raises UserError when one does not fit."""
    tables = [read_vectors(file) for file in files]
    names = apart([file.with_suffix("") for file in files])
    for name, vectors_of in zip(names, tables, strict=True):
        blank = sum(int((~vectors.any(axis=1)).sum()) for vectors in (vectors_of.bank, vectors_of.queries) if vectors is not None)
        warn_of_one_class(name, np.concatenate([vectors_of.bank_labels, vectors_of.query_labels]))
        if blank:
            log.info(f"{name}: {blank:,} of the embeddings are all zeros: without a direction they are equally near to every image.")
    return [
        measure(name, vectors_of.bank, vectors_of.bank_labels, vectors_of.queries, vectors_of.query_labels, constants)
        for name, vectors_of in zip(names, tables, strict=True)
    ]


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table, rates in per cent. Rows made on the synthetic shop are marked."""
    header = ["weights", "kNN", "linear", "recall@1", "recall@5", "recall@10", "map@r", "r-precision", "mrr", "macro recall@1", "rank"]
    lines = []
    for row in rows:
        micro = row.retrieval.micro
        rates = [row.knn_top1, row.linear_top1, *micro.values(), row.retrieval.macro["recall@1"]]
        name = f"{row.name} (synthetic)" if row.synthetic else row.name
        lines.append([name, *map(percent, rates), f"{row.effective_rank:.0f}"])
    return header, lines


BY_LEVEL = "Per cent of the queries whose nearest neighbour is right on each level; lone queries left out, level by level."


def level_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]] | None:
    """Header and lines of the hits by level; None where there is one level only."""
    levels = sorted({level for row in rows for level in row.by_level})
    if len(levels) < 2:
        return None
    lines = [[row.name, *(percent(row.by_level.get(level)) for level in levels)] for row in rows]
    return ["weights", *(f"level {n}" for n in levels)], lines


def caption(rows: Sequence[Row], constants: Constants) -> str:
    """What the table's numbers are, with every constant."""
    first = rows[0]
    same = all((row.bank, row.queries, row.knn_k) == (first.bank, first.queries, first.knn_k) for row in rows)
    sizes = f"{first.queries:,} queries against {first.bank:,} stored images" if same else "several sets"
    lone = sorted({row.retrieval.lone for row in rows})
    capped = f" (capped from {constants.k} to the stored images)" if first.knn_k < constants.k else ""
    return (
        f"Per cent; {sizes}. kNN: cosine, k = {first.knn_k}{capped}, T = {constants.temperature:g}. "
        f"Linear: SGD {constants.epochs} epochs on stored features, last epoch, seed {constants.seed}. "
        f"Retrieval: micro means unless said; {' or '.join(f'{n:,}' for n in lone)} lone queries left out of all. Rank: effective rank."
    )


def _row(name: str, features: Floats, whole: Task, readable: Ints, constants: Constants, device: str, synthetic: bool) -> Row:
    n = len(whole.bank)
    stored = readable[readable < n]
    if whole.queries is None:
        queries, query_rows = None, stored
    else:
        queries, query_rows = features[readable >= n], readable[readable >= n] - n
    if not len(stored) or not len(query_rows):
        raise UserError("no readable images left on one side of the split", name, "Check the images and the split")
    return measure(
        name,
        features[readable < n],
        whole.bank_labels[stored],
        queries,
        whole.query_labels[query_rows],
        constants,
        bank_levels={number: labels[stored] for number, labels in whole.bank_levels.items()},
        query_levels={number: labels[query_rows] for number, labels in whole.query_levels.items()},
        device=device,
        synthetic=synthetic,
    )


def _by_resolution(row: Row, sides: Ints) -> Row:
    """The row with its accuracy by image size; sides: (q,) of the queries, of which those count that have something to find."""
    counted = row.retrieval.rows
    return replace(row, by_resolution=by_resolution(sides[counted], row.correct[counted]))


def _positions(whole: Task, readable: Ints) -> tuple[Ints, Ints]:
    """Positions among the readable images of those stored and of those asked for."""
    stored = np.flatnonzero(readable < len(whole.bank))
    return stored, stored if whole.queries is None else np.flatnonzero(readable >= len(whole.bank))


def _names(labels: Sequence[str]) -> list[str]:
    """One name a row, numbered where two are the same."""
    names: list[str] = []
    for each in labels:
        name, n = each, 2
        while name in names:
            name, n = f"{each} ({n})", n + 1
        names.append(name)
    return names


def announce(evaluation: Evaluation) -> None:
    """Say what was left out, how the images were divided, and which weights have seen them."""
    for leak in evaluation.leaks:
        log.info(f"Note: {leak}.")
    log_left_out(evaluation.quarantine)
    warn_of_one_class(evaluation.part.name, evaluation.labels)
    if evaluation.leave_one_out:
        log.info("No train and test parts: every image is searched among all the others, and there is no linear probe.")
