"""Transfer, measured: weights × learners × shots × seeds; base step, then increments, then the tests.

`run(settings, out)` needs no command line. Its trials are those of `repr.experiments`: finished ones are kept in the run folder, so that
an interrupted run goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from repr.catalog.fallback import or_synthetic
from repr.catalog.once import once
from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.experiments.document import TRIALS, Document
from repr.experiments.recording import finish, recording
from repr.experiments.summary import summarise
from repr.experiments.trials import NotRun, Store, Trial, Wanted
from repr.experiments.trials import run as run_trials
from repr.learners import learner_class, make
from repr.learners.memory import Memory
from repr.models.devices import pick_device
from repr.models.encoder import Encoder
from repr.models.leaks import leaks
from repr.models.provenance import Leak
from repr.runs import claim, default_out, newest_unfinished
from rpc_transfer import paper, protocol, results
from rpc_transfer.bench import Bench
from rpc_transfer.configs import TransferConfig, comparisons, list_configs, resolved, training_notes, used_weights
from rpc_transfer.draw import make_split, parse_increments, with_validation
from rpc_transfer.protocol import Split, SplitFile, read_split
from rpc_transfer.results import COMMAND, NONE, SHOWN, About, Results
from rpc_transfer.settings import ARCH, SHOTS, SIZE, Settings
from rpc_transfer.weights import InitialWeights, find_weights

log = logging.getLogger(__name__)


def run(settings: Settings, out: Path | None = None) -> Results:
    """Run the experiment and write the run folder: config.json, split.json, trials/, results.json.

    out: the run folder; by default that of an unfinished run of the same settings, else a new one under runs/. Trials that
    are there are not computed again. Raises UserError for bad input; nothing half-written is left.
    """
    _check_used(settings)
    if out:
        claim(Path(out), COMMAND)
    plan = _plan(settings)
    folder = Path(out) if out else unfinished(settings) or default_out("transfer")
    read = plan.catalog
    with recording(folder, COMMAND, settings.arguments(), data=read.name, synthetic=read.synthetic) as record:
        record.resolve(resolved(plan.settings, plan.split, plan.configs, str(plan.device)))
        SplitFile.of(plan.split, read).write(folder / protocol.FILE)
        bench = Bench(plan.settings, read, plan.split, plan.device)
        wanted = bench.wanted(plan.configs)
        trials = run_trials(wanted, lambda one: bench.compute(plan.configs[one.row], one.seed), Store(folder / TRIALS))
        lost = bench.shelf.unreadable
        missing = [f"{len(lost)} images could not be read and are missing, the first is {next(iter(lost))}"] if lost else []
        finish(record, _document(plan, list(zip(wanted, trials, strict=True)), missing))
    return results.read(folder)


@dataclass(frozen=True)
class _Plan:
    """A run before anything is computed. departures: how far it departs from the paper, where that is its preset."""

    settings: Settings
    catalog: Catalog
    split: Split
    weights: list[InitialWeights]
    configs: list[TransferConfig]
    departures: list[str]
    device: torch.device


def _plan(settings: Settings) -> _Plan:
    """Open the data, draw or read the split, find the weights. Raises UserError for what would fail later."""
    device = pick_device(settings.device)
    settings = replace(settings, data=or_synthetic(settings.data, "rpc"))
    parts = "grouped" if settings.split_file else settings.split
    catalog = once(open_data(settings.data, default="rpc", split=parts, seed=settings.division_seed))
    split = _split(settings, catalog)
    if settings.reject is not None:
        split = with_validation(catalog, split)
    _check_learners(settings, split)
    settings = replace(settings, shots=settings.shots or (split.shots,))
    weights = find_weights(
        settings.weights,
        synthetic=catalog.synthetic,
        arch=settings.arch,
        size=settings.size,
        crops=settings.crops,
        only=settings.only_weights,
    )
    departures = _departures(settings, split, weights)
    return _Plan(settings, catalog, split, weights, list_configs(settings, weights), departures, device)


def _document(plan: _Plan, trials: Sequence[tuple[Wanted, Trial | NotRun]], missing: Sequence[str]) -> Document:
    """What results.json and --json hold. trials: in the order of computing; missing: a note on what could not be read."""
    split, catalog = plan.split, plan.catalog
    order = {seed: place for place, seed in enumerate(split.seeds)}
    rows = tuple(
        summarise(
            config.as_set(plan.settings, split).as_config(),
            sorted((pair for pair in trials if pair[0].row == i), key=lambda pair: order[pair[0].seed]),
            synthetic=catalog.synthetic or config.weights.synthetic,
            error=config.weights.error,
        )
        for i, config in enumerate(plan.configs)
    )
    entries = _seen(plan.weights, catalog, split)
    notes = (*split.notes, *training_notes(plan.settings, split), *plan.departures, *map(str, entries), *missing)
    return Document(
        COMMAND,
        catalog.name,
        any(row.synthetic for row in rows),
        rows,
        tuple(comparisons(rows)),
        used_weights(plan.configs),
        shown=SHOWN,
        named=("learner", "weights"),
        alike=("learner", "shots"),
        notes=notes,
        about=About.of(split).as_config(),
        leaks=tuple(entries),
    )


def _departures(settings: Settings, split: Split, weights: Sequence[InitialWeights]) -> list[str]:
    """How far a run of the paper's preset departs from the paper; what is in force is logged."""
    if settings.preset != "paper":
        return []
    departures = [f"departs from the paper: {what}" for what in paper.departures(settings, split, weights)]
    log.info("\n  ".join(["In force:", *paper.training(settings, split, weights), *departures]))
    return departures


def _seen(weights: Sequence[InitialWeights], catalog: Catalog, split: Split) -> list[Leak]:
    """Weights whose training saw images of the products that are novel here, be they shots, tests or left alone."""
    novel = np.isin(catalog.product_keys().astype(str), [*split.novel, *split.unknown])
    networks = [one.weights for one in weights if one.weights is not None]
    return leaks(networks, catalog.select(novel), "images of novel products")


def _check_used(settings: Settings) -> None:
    """Raise UserError for an argument that no row of the run looks at."""
    if settings.memory is not None and not any("memory" in learner_class(name).takes for name in settings.learner):
        raise UserError(
            f"no memory is kept by {', '.join(settings.learner)}", "", "Leave it out, or add a trained learner", argument="memory"
        )
    kinds = [learner_class(name).input for name in settings.learner]
    from_scratch = not settings.only_weights or NONE in settings.weights
    trains = "images" in kinds or settings.features != "given" or from_scratch  # random weights are always trained
    for argument in ("epochs", "lr", "batch_size", "views"):
        if getattr(settings, argument) is not None and not trains:
            raise UserError(
                f"nothing is trained by {', '.join(settings.learner)}",
                "",
                "Leave it out, or add `features` base-trained",
                argument=argument,
            )
    if settings.arch is not None and not from_scratch:
        raise UserError("no row starts from scratch", "", "Leave it out, or `only_weights`", argument="arch")
    if settings.base_alpha < 1 and settings.features == "given":
        raise UserError("no encoder is trained on the base products and kept", "", "Add `features` base-trained", argument="base_alpha")
    if settings.features != "given" and "features" not in kinds:
        raise UserError(f"no frozen learner is among {', '.join(settings.learner)}", "", "Leave it out, or add one", argument="features")


def _check_learners(settings: Settings, split: Split) -> None:
    """What a learner would refuse only after the images were read, or the base classes taught: each is made once, to be thrown away."""
    stand_in = Encoder(nn.Identity(), ARCH, SIZE)
    for name in (*settings.learner, "finetune"):  # which is the base step from random weights and of base-trained features
        make(name, encoder=stand_in, **settings.for_learner(learner_class(name).takes))
    if settings.memory is not None:
        Memory(settings.memory).check_room(len(split.products))


def _split(settings: Settings, catalog: Catalog) -> Split:
    """The split drawn, or read from a file and cut to the seeds and shots asked for."""
    if settings.split_file is not None:
        return _given_split(settings, settings.split_file, catalog)
    assert settings.novel is not None
    return make_split(
        catalog,
        novel=settings.novel,
        shots=max(settings.shots or (SHOTS,)),
        seeds=settings.run_seeds,
        split_seed=settings.split_seed or 0,
        base_shots=settings.base_shots,
        shots_from=settings.shots_from,
        test_on=settings.test_on,
        unknown=settings.unknown,
        increments=settings.increments,
    )


def _given_split(settings: Settings, file: Path, catalog: Catalog) -> Split:
    """The split of a file. Raises UserError for settings that it contradicts."""
    split = read_split(file, catalog)
    if settings.novel not in (None, len(split.novel)):
        remedy = "Leave `preset` out" if settings.preset else "Leave `novel` out"
        raise UserError(f"the split has {len(split.novel)} novel products, not {settings.novel}", file, remedy)
    expected: dict[str, int | str | None] = {
        "split_seed": settings.split_seed,
        "unknown": settings.unknown or None,
        "base_shots": settings.base_shots,
        "test_on": settings.test_on,
        "shots_from": None if settings.shots_from == "train" else settings.shots_from,  # "train" may not have been typed
    }
    for name, value in expected.items():
        fixed = len(split.unknown) if name == "unknown" else getattr(split, name)
        if value not in (None, fixed):
            drawn_with = "as many as `shots`" if fixed is None else fixed
            raise UserError(
                f"the split was drawn with `{name}` {drawn_with}, not {value}", file, f"Leave `{name}` out, or draw a new split"
            )
    most = max(settings.shots, default=split.shots)
    if most > split.shots:
        raise UserError(f"the split has {split.shots} shots a product, not {most}", file, f"Ask for `shots` {split.shots} or fewer")
    seeds = split.seeds if settings.seeds is None and settings.seed is None else settings.run_seeds
    absent = [seed for seed in seeds if seed not in split.seeds]
    if absent:
        its_seeds = ", ".join(map(str, split.seeds))
        raise UserError(f"the split has no seed {absent[0]} (it has {its_seeds})", file, f"Ask for `seeds` {len(split.seeds)} or fewer")
    if settings.increments:
        split = split.with_increments(parse_increments(settings.increments, len(split.novel)))
    return split.of_seeds(seeds)


def unfinished(settings: Settings) -> Path | None:
    """The newest run under runs/ of the same settings that did not end."""
    folder = newest_unfinished(COMMAND, "transfer-*", settings.arguments())
    if folder:
        log.info(f"Going on with {folder}.")
    return folder
