"""The trials of a grid: every row with every seed, on the catalog of its part that was divided for the seed; done ones are found again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repr.catalog.table import Catalog
from repr.classify import kept
from repr.classify.data import Data
from repr.classify.flat_rows import run_flat
from repr.classify.kept import FOLDER
from repr.classify.leaks import leaks_of
from repr.classify.settings import Settings
from repr.classify.tree_rows import run_tree
from repr.classify.trials import as_trial, wanted, write_per_class
from repr.errors import UserError
from repr.experiments.document import TRIALS
from repr.experiments.trials import Found, NotRun, Store, Trial, Wanted
from repr.experiments.trials import run as run_wanted
from repr.models.provenance import Leak

log = logging.getLogger(__name__)

PER_CLASS = "per_class"  # the folder of a run that holds its trials' per-class tables
Open = Callable[[int, str, str], Catalog]  # seed, part, split → catalog with its split


class Refused(NotRun):
    """A trial that an error of the user's kept from being run, beside others that could be."""


@dataclass(frozen=True)
class Ran:
    """trials: of each row, in the order of the seeds. leaks: weights that have seen test images, the worst of all splits each."""

    trials: list[list[Found]]
    leaks: tuple[Leak, ...]


def run(open_catalog: Open, rows: Sequence[Settings], seeds: Sequence[int], out: Path | None = None) -> Ran:
    """Run every row with every seed (the rows' own seeds do not count).

    open_catalog: of a seed, a part's name and a split's. out: the run folder, which then keeps the trials below `out/trials`, where
    those that are done are found again, what was trained below `out/models`, and each one's classes as a table below `out/per_class`. A
    trial that cannot be run is a NotRun; what is wrong with the only row is raised as UserError.
    """
    store, models = (Store(out / TRIALS), out / FOLDER) if out else (None, None)
    trials: dict[tuple[int, int], Found] = {}
    found_leaks: list[Leak] = []
    for part, split in dict.fromkeys((row.part, row.split) for row in rows):
        for seed in seeds:
            members = {number: replace(row, seed=seed) for number, row in enumerate(rows) if (row.part, row.split) == (part, split)}
            group, leaks = _run_group(open_catalog, members, seed, store, models, alone=len(rows) == 1)
            trials |= {(one.row, seed): (one, trial) for one, trial in group}
            found_leaks += leaks
    if out and store:
        _write_classes(out / PER_CLASS, store, [one for one, trial in trials.values() if isinstance(trial, Trial)])
    return Ran([[trials[number, seed] for seed in seeds] for number in range(len(rows))], _worst(found_leaks))


def _run_group(
    open_catalog: Open, members: Mapping[int, Settings], seed: int, store: Store | None, models: Path | None, *, alone: bool
) -> tuple[list[Found], list[Leak]]:
    """The trials of one seed, part and split, which share a catalog and what is made of it, and its leaks. members: by the row's number."""
    first = next(iter(members.values()))
    try:
        catalog = open_catalog(seed, first.part, first.split)
    except UserError as error:
        if alone or not first.part:
            raise
        return [(Wanted(number, seed, row.model, ""), Refused(str(error))) for number, row in members.items()], []
    leaks = leaks_of(members.values(), catalog)
    for leak in leaks:
        log.info(f"Note: {leak}.")
    views = {view: Data(catalog, ocr=view[0], mask=view[1]) for view in dict.fromkeys((row.ocr, row.mask) for row in members.values())}
    to_run: list[Wanted] = []
    refused: list[Found] = []
    for number, row in members.items():
        try:
            to_run.append(wanted(number, row, views[row.ocr, row.mask], title(row), kept=store is not None))
        except UserError as error:
            if alone:
                raise
            refused.append((Wanted(number, seed, row.model, ""), Refused(str(error))))
        except NotRun as reason:
            refused.append((Wanted(number, seed, row.model, ""), reason))

    def compute(one: Wanted) -> Trial:
        """One trial; what a user can mend keeps only its own row from being run."""
        row = members[one.row]
        try:
            return run_trial(views[row.ocr, row.mask], row, models and models / Path(one.file).stem)
        except UserError as error:
            if alone:
                raise
            raise Refused(str(error)) from None

    return [*refused, *zip(to_run, run_wanted(to_run, compute, store), strict=True)], leaks


def _worst(leaks: Sequence[Leak]) -> tuple[Leak, ...]:
    """Of each weights and kind of leak that with the largest share: every seed divides the images anew."""
    worst: dict[tuple[str, str], Leak] = {}
    for leak in leaks:
        other = worst.setdefault((leak.weights, leak.kind), leak)
        if (leak.share or 0) > (other.share or 0):
            worst[leak.weights, leak.kind] = leak
    return tuple(worst.values())


def run_trial(data: Data, settings: Settings, keep: Path | None = None) -> Trial:
    """Train and measure one row with its seed, and keep the model in the folder `keep`.

    Raises NotRun where a model lacks what it needs, UserError for a level without labels.
    """
    outcome = (run_tree if settings.hierarchy else run_flat)(data, settings)
    if keep:
        kept.write(keep, kept.described(data, settings, outcome.problem, outcome.fitted))
    trial = as_trial(settings, data, outcome)
    note = f"; {trial.note}" if trial.note else ""
    log.info(f"{title(settings)}: top-1 {100 * (trial.metrics['top1'] or 0):.1f} % in {trial.metrics['seconds']:.1f} s{note}")
    return trial


def _write_classes(folder: Path, store: Store, done: Sequence[Wanted]) -> None:
    for entry in done:
        path = folder / Path(entry.file).with_suffix(".csv").name
        if not path.is_file():
            write_per_class(path, store.read(entry.file).arrays)


def title(settings: Settings) -> str:
    """A row in a few words."""
    words = [settings.model, settings.weights, settings.modality, settings.part, f"level {settings.level}", settings.hierarchy]
    return ", ".join(filter(None, [*words, "masked" if settings.masked else "", f"seed {settings.seed}"]))
