"""Transfer, measured: starts × learners × shots × seeds; base step, then increments, then the tests.

`run(settings, out)` needs no command line. Finished trials are kept in the run folder, so that an interrupted run goes on.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repr import progress
from repr.catalog.once import once
from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.crops import WHOLE
from repr.errors import UserError
from repr.files import content_key, held
from repr.images.known import fingerprints
from repr.learners import UPDATES, learner_class, make
from repr.models.devices import pick_device
from repr.models.weights import between, load_encoder
from repr.runs import Run, claim, default_out, newest_unfinished
from rpc_transfer import paper, results
from rpc_transfer.images import Shelf, Table, encode
from rpc_transfer.protocol import Images, Split, generator, make_split, parse_increments, with_validation
from rpc_transfer.results import Results, Trial
from rpc_transfer.rows import BASE_TRAINED, GIVEN, TRAINED, Row, list_rows
from rpc_transfer.rows import content as rows_content
from rpc_transfer.settings import ARCH, MOST_EPOCHS, SHOTS, SIZE, Settings
from rpc_transfer.split_file import read_split, write_split
from rpc_transfer.starts import Start, find_starts
from rpc_transfer.trial import Task, base_step, make_task, run_trial

if TYPE_CHECKING:
    from repr.learners.learner import Learner
    from repr.models.encoder import Encoder

log = logging.getLogger(__name__)

VERSION = 2  # of what every trial computes, beside `Learner.version`; raise it when no stored trial is what would be computed
COMMAND = "rpc_transfer run"


def run(settings: Settings, out: Path | None = None) -> Results:
    """Run the experiment and write the run folder: config.json, split.json, trials/, results.json.

    out: the run folder; by default that of an unfinished run of the same settings, else a new one under runs/. Trials that
    are there are not computed again. Raises UserError for bad input; nothing half-written is left.
    """
    taken = frozenset().union(*(learner_class(name).takes for name in settings.learner))
    if settings.memory is not None and "memory" not in taken:
        raise UserError(
            f"no memory is kept by {', '.join(settings.learner)}", "", "Leave it out, or add a trained learner", argument="memory"
        )
    _check_used(settings)
    if out:
        claim(Path(out), COMMAND)
    device = pick_device(settings.device)
    parts = "grouped" if settings.split_file else settings.split
    catalog = once(open_data(settings.data, default="rpc", split=parts, seed=settings.split_seed or 0))
    split = _split(settings, catalog)
    if settings.reject is not None:
        split = with_validation(catalog, split)
    _check_learners(settings, split)
    arguments = settings.arguments()
    settings = replace(settings, shots=settings.shots or (split.shots,))
    starts = find_starts(
        settings.weights,
        synthetic=catalog.synthetic,
        arch=settings.arch,
        size=settings.size,
        crops=settings.crops,
        only=settings.only_weights,
    )
    rows = list_rows(settings, starts)
    departures = []
    if settings.preset == "paper":
        departures = [f"departs from the paper: {what}" for what in paper.departures(settings, split, starts)]
        log.info("\n  ".join(["In force:", *paper.training(settings, split, starts), *departures]))
    folder = Path(out) if out else _unfinished(arguments) or default_out("transfer")
    existed = folder.exists()
    with held(folder):
        record = Run.create(folder, COMMAND, arguments, data=catalog.name, synthetic=catalog.synthetic)
        try:
            write_split(folder / "split.json", split, catalog)
            bench = _Bench(settings, catalog, split, folder, device)
            trials = bench.run(rows)
        except BaseException as error:
            record.finish("stopped")
            if isinstance(error, KeyboardInterrupt):
                log.info(f"The finished trials are in {folder}.")
            elif not existed and not (folder / "trials").exists():
                shutil.rmtree(folder)  # bad input: nothing half-written is left
            raise
        lost = bench.shelf.unreadable
        missing = [f"{len(lost)} images could not be read and are missing, the first is {next(iter(lost))}"] if lost else []
        notes = [*departures, *_seen(starts, catalog), *missing]
        content = {**rows_content(settings, catalog, split, rows, trials, notes), "run": str(folder)}
        results.write(folder, content)
        record.finish("done", {"rows": len(content["rows"])})
    return results.read(folder)


def _seen(starts: Sequence[Start], catalog: Catalog) -> list[str]:
    """A note on each start whose training saw the very set it is tested on, its novel products perhaps among what they learned from."""
    names = {source.name for source in catalog.sources}
    return [
        f"{start.spec} was trained on {', '.join(sorted(names & seen))}: products that are novel here may be among what it has seen"
        for start in starts
        if start.weights is not None and names & (seen := start.weights.sources)
    ]


def _check_used(settings: Settings) -> None:
    """Raise UserError for an argument that no row of the run looks at."""
    kinds = [learner_class(name).input for name in settings.learner]
    from_scratch = not settings.only_weights or "none" in settings.weights
    trains = "images" in kinds or settings.features != "given" or from_scratch  # a random start is always trained
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
    from torch import nn

    from repr.learners.memory import Memory
    from repr.models.encoder import Encoder

    stand_in = Encoder(nn.Identity(), ARCH, SIZE)
    for name in (*settings.learner, "finetune"):  # which is the base step of random starts and of --features base-trained
        make(name, encoder=stand_in, **settings.for_learner(learner_class(name).takes))
    if settings.memory is not None:
        Memory(settings.memory).check_room(len(split.products))


def _split(settings: Settings, catalog: Catalog) -> Split:
    """The split drawn, or read from a file and cut to the seeds and shots asked for."""
    if settings.split_file is None:
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
    file = settings.split_file
    split = read_split(file, catalog)
    if settings.novel not in (None, len(split.novel)):
        remedy = "Leave `preset` out" if settings.preset else "Leave `novel` out"
        raise UserError(f"the split has {len(split.novel)} novel products, not {settings.novel}", file, remedy)
    asked: dict[str, int | str | None] = {
        "split_seed": settings.split_seed,
        "unknown": settings.unknown or None,
        "base_shots": settings.base_shots,
        "test_on": settings.test_on,
        "shots_from": None if settings.shots_from == "train" else settings.shots_from,  # "train" may not have been typed
    }
    for name, value in asked.items():
        fixed = len(split.unknown) if name == "unknown" else getattr(split, name)
        if value not in (None, fixed):
            told = "as many as `shots`" if fixed is None else fixed
            raise UserError(f"the split was drawn with `{name}` {told}, not {value}", file, f"Leave `{name}` out, or draw a new split")
    most = max(settings.shots, default=split.shots)
    if most > split.shots:
        raise UserError(f"the split has {split.shots} shots a product, not {most}", file, f"Ask for `shots` {split.shots} or fewer")
    seeds = split.seeds if settings.seeds is None and settings.seed is None else settings.run_seeds
    absent = [seed for seed in seeds if seed not in split.seeds]
    if absent:
        told = ", ".join(map(str, split.seeds))
        raise UserError(f"the split has no seed {absent[0]} (it has {told})", file, f"Ask for `seeds` {len(split.seeds)} or fewer")
    if settings.increments:
        split = split.with_increments(parse_increments(settings.increments, len(split.novel)))
    return split.of_seeds(seeds)


def _unfinished(arguments: dict[str, Any]) -> Path | None:
    """The newest run under runs/ with the same arguments that did not end."""
    found = newest_unfinished(COMMAND, "transfer-*", arguments)
    if found:
        log.info(f"Going on with {found}.")
    return found


class _Bench:
    """Runs trials: holds the images, and the base step that several learners of one start and seed share."""

    def __init__(self, settings: Settings, catalog: Catalog, split: Split, folder: Path, device: Any) -> None:
        self.settings, self.catalog, self.split, self.folder, self.device = settings, catalog, split, folder, device
        self.validation: Mapping[int, Images] = {} if settings.reject is None else split.validation
        extra = [rows for of in self.validation.values() for rows in of.values()]
        served = np.unique(np.concatenate([split.used(), *extra]))
        self.shelf = Shelf(catalog, served, device=settings.device, workers=settings.workers)
        self.source = content_key(fingerprints(catalog, moved=True).tobytes())

    def run(self, rows: Sequence[Row]) -> dict[tuple[int, int], Path]:
        """(row, seed) -> the trial's file, for every row that can be run."""
        files = {(i, seed): self._file(row, seed) for i, row in enumerate(rows) if not row.start.error for seed in self.split.seeds}
        todo = [key for key, file in files.items() if not file.exists()]
        # One group shares features, and the base step.
        todo.sort(key=lambda key: (_position(rows, key[0]), rows[key[0]].shots, key[1], rows[key[0]].encoder != TRAINED))
        if len(todo) < len(files):
            log.info(f"{len(files) - len(todo)} of {len(files)} trials are already there.")
        group: tuple[Any, ...] = ()
        stage: _Stage | None = None
        with progress.bar(len(files), "", "trial", done=len(files) - len(todo)) as bar:
            for i, seed in todo:
                row = rows[i]
                stage_now = f"{row.start.spec or 'none'}, {row.shots} shots, seed {seed}, {row.learner}"
                bar.describe(stage_now)
                if stage is None or group != (row.start, row.shots, seed):
                    group = (row.start, row.shots, seed)
                    stage = _Stage(self, row, seed)
                stage.trial(row).write(files[i, seed])
                bar.update()
        return files

    def share(self, start: Start) -> float:
        """How much of the base step's training a base-trained encoder has; mixed with a random network it would be nothing."""
        return 1.0 if start.spec is None else self.settings.base_alpha

    def _file(self, row: Row, seed: int) -> Path:
        """The file of a trial, named by all that its numbers depend on."""
        split, settings = self.split, self.settings
        images = [rows.tobytes() for of in (split.support[seed], split.tests[seed], self.validation.get(seed, {})) for rows in of.values()]
        options = settings.for_learner(learner_class(row.learner).takes)
        if row.encoder == BASE_TRAINED:
            base = learner_class("finetune")
            options |= {"base share": settings.base_alpha} if self.share(row.start) < 1 else {}
            options |= {"base version": base.version, **{f"base {k}": v for k, v in settings.for_learner(base.takes).items()}}
        if row.start.crops != WHOLE:
            options |= {"crops" if row.encoder == GIVEN else "trained crops": row.start.crops}
        key = content_key(
            VERSION + learner_class(row.learner).version,
            [self.source, split.base, split.novel, split.unknown, split.increments],
            b"".join(images),
            [row.start.identity, row.size, row.learner, row.encoder, row.shots, split.base_shots, seed],
            [options, UPDATES, MOST_EPOCHS, settings.reject],
        )
        return self.folder / "trials" / f"{row.learner.partition(':')[0]}-{key}.npz"


def _position(rows: Sequence[Row], i: int) -> int:
    return next(j for j, row in enumerate(rows) if row.start is rows[i].start)


class _Stage:
    """One start, number of shots and seed: the arrays, and the base step shared by the learners.

    The base step of `finetune` is trained once, when first asked for, and with the same random numbers in a run that goes on.
    """

    def __init__(self, bench: _Bench, row: Row, seed: int) -> None:
        self.bench, self.start, self.shots, self.seed = bench, row.start, row.shots, seed
        self.weights = row.start.for_seed(seed)
        self.based: Learner | None = None
        self.encoded: tuple[Task, Table] | None = None

    def trial(self, row: Row) -> Trial:
        """Run one learner."""
        kind = learner_class(row.learner)
        encoder = None
        if row.encoder == TRAINED:
            encoder = self._encoder()
            table = self.bench.shelf.pixels(encoder.side)
            task = self._task(table)
        else:
            task, table = self._features(row.encoder)
        learner: Any = self._make(row.learner, task, encoder)
        if kind.plain_base:
            learner.start_from(self._base(), table.take(task.steps[0][0]), task.steps[0][1])
        elif not kind.at_once:
            base_step(learner, table, task)
        return run_trial(learner, table, task, reject=self.bench.settings.reject)

    def _task(self, table: Table) -> Task:
        bench = self.bench
        return make_task(bench.split, self.seed, self.shots, table, bench.validation.get(self.seed))

    def _features(self, kind: str) -> tuple[Task, Table]:
        if kind == GIVEN:
            table = self.bench.shelf.features(self.weights, self.start.size, self.start.crops)
            return self._task(table), table
        if self.encoded is None:
            encoder, share = self._base().encoder_, self.bench.share(self.start)
            if share < 1:
                encoder = between(self._encoder(), encoder, share)
            pixels = self.bench.shelf.pixels(encoder.side)
            task = self._task(pixels)
            self.encoded = task, encode(encoder, pixels, task.rows, self.bench.device)
        return self.encoded

    def _base(self) -> Any:
        """The fine-tuned network after its base step."""
        if self.based is None:
            encoder = self._encoder()
            table = self.bench.shelf.pixels(encoder.side)
            task = self._task(table)
            self.based = base_step(self._make("finetune", task, encoder), table, task)
        return self.based

    def _encoder(self) -> Encoder:
        """The start, to be trained: on random views of the whole squares, of which it sees the crops when it is asked."""
        return load_encoder(self.weights, size=self.start.trained_size, crops=self.start.crops)

    def _make(self, name: str, task: Task, encoder: Encoder | None) -> Learner:
        kind, settings = learner_class(name), self.bench.settings
        options = settings.for_learner(kind.takes)
        if "updates" in kind.takes:
            first, later = settings.updates([len(rows) for rows, _ in task.steps])
            if kind.at_once:  # as many in its one step as the others in all of theirs
                options.pop("epochs", None)
                first += later * (len(task.steps) - 1)
            options["updates"] = first, later
        if "seed" in kind.takes:
            # One base step serves them all, and the same numbers a learner with its settings changed.
            purpose = "finetune" if kind.plain_base else name.partition(":")[0]
            options["seed"] = int(generator(self.seed, "loader", purpose).integers(2**31))
        if "device" in kind.takes:
            options["device"] = self.bench.device
        return make(name, encoder=encoder, **options)
