"""Evaluations as a document: a row an encoder or file of vectors, of one seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from repr.evaluation.evaluate import Evaluation
from repr.evaluation.measure import Constants, Row
from repr.experiments import document
from repr.experiments.document import Document, TrialFile
from repr.experiments.summary import summarise
from repr.experiments.trials import Trial, Wanted
from repr.files import content_key

COMMAND = "repr evaluate"
SHOWN = ("knn_top1", "linear_top1", "recall@1", "map@r")


def evaluated(
    evaluation: Evaluation | None, others: Sequence[Row], constants: Constants, files: Mapping[str, str] | None = None
) -> Document:
    """The document of what was measured: the encoders' rows, those of somebody's vectors (`others`), and raw pixels, which stand last.

    files: by a row's name the file of its vectors in the run folder, for those that have one.
    """
    ours = evaluation.rows if evaluation else []
    pixels = [evaluation.raw_pixels] if evaluation and evaluation.raw_pixels else []
    rows = [*ours, *others, *pixels]
    level = evaluation.level if evaluation else None
    data = evaluation.part.name if evaluation else ", ".join(row.name for row in rows)
    measured = [
        *(_row(row, level, _images_key(evaluation, row), constants.seed, (files or {}).get(row.name, "")) for row in ours),
        *(_row(row, None, row.key, constants.seed, "") for row in others),
        *(_row(row, level, _images_key(evaluation, row), constants.seed, "") for row in pixels),
    ]
    about = {**constants.about(), "quarantined": len(evaluation.quarantine) if evaluation else 0}
    synthetic = any(row.synthetic for row in rows)
    leaks = evaluation.leaks if evaluation else ()
    return Document(
        COMMAND, data, synthetic, tuple(measured), about=about, leaks=leaks, shown=SHOWN, named=("weights",), alike=("weights", "level")
    )


def _images_key(evaluation: Evaluation | None, row: Row) -> str:
    """Of the images and labels that an encoder was measured on."""
    assert evaluation is not None
    return content_key(row.key, evaluation.part.column("path").tolist(), evaluation.part.column("source").tolist())


def _row(row: Row, level: int | None, key: str, seed: int, file: str) -> document.Row:
    """config: what was measured (`weights`), on which level, and what that came to: dimensions, images stored and searched for, and the
    neighbours that vote, which are at most the stored ones."""
    config = {"weights": row.name, "level": level, "dim": row.dim, "stored": row.bank, "queries": row.queries, "k": row.knn_k}
    summary = summarise(config, [(Wanted(0, seed, row.name, ""), Trial(row.metrics()))], synthetic=row.synthetic)
    return replace(summary, trials=(TrialFile(seed, key, file),))
