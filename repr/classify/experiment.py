"""The grid: rows of model × modality × level × hierarchy over seeds, each row and seed a run folder, done ones found again."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from repr.arrays import Floats, Ints
from repr.catalog.table import Catalog
from repr.classify import MODELS
from repr.classify.data import Data, NotRun, Problem
from repr.classify.longtail import adjust, balanced
from repr.classify.metrics import Blocks, Measured, measure
from repr.classify.prior import prior
from repr.classify.settings import Settings
from repr.classify.trials import RATES, Trial, describe, folder_name, is_whole, write
from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature, log_softmax
from repr.runs import Run

log = logging.getLogger(__name__)

BLOCK = 8192  # rows scored at a time
KEPT = 5e7  # probabilities of a test part that are kept, 200 MB
CALIBRATED = 20_000  # validation rows for the temperature; a tenth of three million with 599 logits each took 1.5 GB
Open = Callable[[int, str], Catalog]  # seed, part → catalog with its split


class Classifier(Protocol):
    """What a model is: learns from rows of the data, gives logits of others, NaN where a row has nothing that it sees."""

    note: str  # what a reader of the row must know, "" for nothing

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: Any) -> Classifier: ...

    def logits(self, data: Data, rows: Ints) -> Floats: ...


def run_trial(data: Data, settings: Settings) -> Trial:
    """Train and measure one row on one split. Raises NotRun where a model lacks what it needs, UserError for a level without labels."""
    if settings.hierarchy:
        from repr.classify.tree_rows import run_tree

        return run_tree(data, settings)
    import torch

    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    trained, labels = np.unique(problem.labels[problem.train], return_inverse=True)
    rows = problem.train
    if settings.balanced:
        chosen = balanced(labels, np.random.default_rng([settings.seed, 1]))
        rows, labels = rows[chosen], labels[chosen]
    generator = torch.Generator().manual_seed(settings.seed)
    model = load(settings).fit(data, rows, labels, len(trained), generator)
    fitted = time.perf_counter() - started
    temperature = _temperature(model, data, problem, trained)
    classes, counts, nothing = len(problem.names), problem.counts[trained], prior(labels, len(trained))

    def blocks(seen: Data = data, tau: float = settings.adjust) -> Iterator[Floats]:
        for part in np.split(problem.test, range(BLOCK, len(problem.test), BLOCK)):
            logits = model.logits(seen, part) / np.float32(temperature)
            logits[np.isnan(logits[:, 0])] = nothing  # the classes' shares, which no temperature sharpens
            full = np.zeros((len(part), classes), np.float32)
            full[:, trained] = np.exp(log_softmax(adjust(logits, counts, tau) if tau else logits))
            yield full

    truth = problem.labels[problem.test]
    measured = _measure(truth, blocks, classes)
    plain = _measure(truth, lambda: blocks(tau=0), classes) if settings.adjust else measured
    seconds = time.perf_counter() - started
    unknown = getattr(model, "unknown", None)  # a model that reads words may say how many texts have none that it knows
    row = describe(settings, data, problem, measured, plain, unknown(data, problem.test) if unknown else None) | {
        "temperature": temperature,
        "seconds": seconds,
        "fit_seconds": fitted,
        "note": model.note,
        "missing": _missing(settings, data, truth, lambda seen: lambda: blocks(seen)),
    }
    return Trial(settings, row, measured, problem)


def _measure(truth: Ints, blocks: Blocks, classes: int) -> Measured:
    """`measure` reads the probabilities twice: those that fit are kept, so that no model is asked a second time."""
    if len(truth) * classes > KEPT:
        return measure(truth, blocks, classes)
    kept = list(blocks())
    return measure(truth, lambda: iter(kept), classes)


def load(settings: Settings) -> Classifier:
    """The model of a row, not yet trained."""
    module, name = MODELS[settings.model].place.split(":")
    model: Classifier = getattr(import_module(module), name)(settings)
    return model


def _temperature(model: Classifier, data: Data, problem: Problem, trained: Ints) -> float:
    """Fitted on the validation rows whose class was trained, of very many on an even choice: one number needs no more."""
    rows = problem.validation[np.isin(problem.labels[problem.validation], trained)]
    if not len(rows):
        return 1.0
    rows = rows[:: max(1, len(rows) // CALIBRATED)]
    logits = model.logits(data, rows)
    seen = ~np.isnan(logits[:, 0])
    return fit_temperature(logits[seen], np.searchsorted(trained, problem.labels[rows[seen]]))


def _missing(settings: Settings, data: Data, truth: Ints, of: Callable[[Data], Blocks]) -> dict[str, float]:
    """Top-1 when one of the modalities that a row sees is missing from every test row; title and OCR text each alone too."""
    found = {}
    for name in settings.parts:
        predicted = np.concatenate([scores.argmax(axis=1) for scores in of(data.without(name))()])
        found[f"without_{name}"] = float((predicted == truth).mean())
    return found


def run(open_catalog: Open, rows: Sequence[Settings], out: Path | None = None) -> list[dict[str, Any]]:
    """Run every row, one seed after the other, and return the trials' rows in the order given.

    open_catalog: of a seed and a part's name. out: each row and seed keeps a folder below `out/rows`; those that are done are
    not run again. A row that cannot be run has "note" "not run: …" and no rates; what is wrong with the only row is raised as UserError.
    """
    found: dict[Settings, dict[str, Any]] = {}
    alone = len({replace(settings, seed=0) for settings in rows}) == 1
    for seed, part in dict.fromkeys((settings.seed, settings.part) for settings in rows):
        members = [settings for settings in rows if (settings.seed, settings.part) == (seed, part)]
        try:
            catalog = open_catalog(seed, part)
        except UserError as error:
            if alone or not part:
                raise
            found |= {settings: not_run(settings, error) for settings in members}
            continue
        from repr.classify.image import leaks_of

        for leak in leaks_of(members, catalog):
            log.info(f"Note: {leak}.")
        views: dict[tuple[bool, bool], Data] = {}
        for number, settings in enumerate(members, 1):
            view = (settings.ocr, settings.mask)
            if view not in views:
                views[view] = Data(catalog, ocr=settings.ocr, mask=settings.mask)
            data = views[view]
            found[settings] = _kept_or_run(data, settings, out, f"[{number}/{len(members)}]", alone=alone)
    return [found[settings] for settings in rows]


def _kept_or_run(data: Data, settings: Settings, out: Path | None, where: str, *, alone: bool) -> dict[str, Any]:
    try:
        folder = out / "rows" / folder_name(settings, data) if out else None
        if folder and (folder / "config.json").exists():
            kept = _config(folder)
            if kept.get("status") == "done" and is_whole(folder):
                log.info(f"{where} {title(settings)}: done before.")
                row: dict[str, Any] = kept["result"]
                return row | {"folder": str(folder)}
        log.info(f"{where} {title(settings)} …")
        trial = run_trial(data, settings)
    except (NotRun, UserError) as reason:
        if alone and isinstance(reason, UserError):
            raise
        log.info(f"{where} {title(settings)}: not run: {reason}")
        return not_run(settings, reason, data.catalog.synthetic)
    note = f"; {trial.row['note']}" if trial.row["note"] else ""
    log.info(f"    top-1 {100 * trial.row['top1']:.1f} % in {trial.row['seconds']:.1f} s{note}")
    if folder is None:
        return trial.row
    write(trial, folder, data)
    return trial.row | {"folder": str(folder)}


def _config(folder: Path) -> dict[str, Any]:
    """What a row's folder holds; {} where it is damaged: it is then removed, and the row run again."""
    try:
        return dict(Run.open(folder).config)
    except UserError as error:
        log.info(f"    run again: {error}")
        shutil.rmtree(folder)
        return {}


def not_run(settings: Settings, reason: NotRun | UserError, synthetic: bool = False) -> dict[str, Any]:
    """The row of something that cannot be run here; "error" where the user can mend it."""
    names = ("model", "modality", "level", "hierarchy", "part", "weights", "seed", "balanced", "adjust", "fine_share", "preset", "split")
    row = {name: getattr(settings, name) for name in names} | dict.fromkeys(RATES)
    row |= {"text_encoder": settings.encoder, "weak": settings.weak if settings.hierarchy else ""}
    masked = settings.mask and "text" in settings.modality
    error = {"error": reason.as_json()} if isinstance(reason, UserError) else {}
    return row | error | {"masked": masked, "note": f"not run: {reason}", "seconds": None, "synthetic": synthetic}


def title(settings: Settings) -> str:
    """A row in a few words."""
    words = [settings.model, settings.weights, settings.modality, settings.part, f"level {settings.level}", settings.hierarchy]
    more = ["masked" if settings.mask and "text" in settings.modality else "", f"seed {settings.seed}"]
    return ", ".join(filter(None, [*words, *more]))


def grid(
    base: Settings,
    *,
    models: Sequence[str],
    levels: Sequence[int],
    seeds: Sequence[int],
    hierarchies: Sequence[str] = ("",),
    weights: Sequence[str] = (),
    shares: Sequence[float] = (1.0,),
) -> list[Settings]:
    """Every combination, rows first, then seeds. weights: `encoder` and fusion rows for each, the papers' networks those of their kind.

    Raises UserError for names that are in no table.
    """
    rows = [
        replace(base, model=model, level=level, hierarchy=hierarchy, weights=named, fine_share=share)
        for model in models
        for named in _weights_of(model, weights)
        for hierarchy in hierarchies
        for share in shares
        for level in levels
    ]
    return [replace(row, seed=seed) for row in rows for seed in seeds]


def _weights_of(model: str, weights: Sequence[str]) -> list[str]:
    """Which of the named weights a model is run with."""
    from repr.classify.image import NETWORKS, known_weights

    if model in MODELS and "image" not in MODELS[model].modality:
        return [""]
    if model in NETWORKS:  # "none" is their own start, from scratch
        return ["" if named == "none" else named for named in weights if named == "none" or known_weights(named).arch == model] or [""]
    return list(weights) or [""]
