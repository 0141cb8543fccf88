"""Transfer, measured: starts × learners × shots × seeds; base step, then increments, then the tests.

`run(settings, out)` needs no command line. Finished cells are kept in the run folder, so that an interrupted run goes on.
"""

from __future__ import annotations

import copy
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repr import console
from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.evaluation.statistics import interval, paired
from repr.files import content_key
from repr.models.devices import pick_device
from repr.models.weights import load_encoder
from repr.runs import Run, claim, default_out
from rpc_transfer import results
from rpc_transfer.cell import Task, base_step, make_task, run_cell
from rpc_transfer.learners import learner_class, make
from rpc_transfer.pictures import Shelf, Table, encode
from rpc_transfer.protocol import Pictures, Split, generator, make_split, parse_increments, spare_pictures
from rpc_transfer.results import Cell, Results
from rpc_transfer.settings import MOST_EPOCHS, SIZE, UPDATES, Settings
from rpc_transfer.split_file import read_split, write_split
from rpc_transfer.starts import Start, find_starts

if TYPE_CHECKING:
    from repr.models.encoder import Encoder
    from rpc_transfer.learners.learner import Learner

VERSION = 2  # of what a cell computes; raise it when stored cells are no longer what would be computed
COMMAND = "rpc_transfer run"
GIVEN, BASE_TRAINED, TRAINED = "as given", "base-trained", "trained"
FIGURES = (
    *("acc_all", "acc_base", "acc_novel", "harmonic_mean"),
    *("acc_novel_only", "avg_incremental_acc", "forgetting_base", "auroc_unknown", "fpr95_unknown", "ece", "seconds"),
    *("memory_mb", "macro_all", "macro_base", "macro_novel", "base_to_novel", "novel_to_base", "aurc"),
    *("reject_threshold", "rejected_known", "acc_accepted", "accepted_unknown"),
)
COMPARED = ("acc_all", "acc_base", "acc_novel", "harmonic_mean")


@dataclass(frozen=True)
class Row:
    """One row of the table: a start, a learner, which encoder it works on, and the shots a product."""

    start: Start
    learner: str
    encoder: str  # GIVEN, BASE_TRAINED or TRAINED
    shots: int

    @property
    def size(self) -> int:
        """Picture side in pixels."""
        return self.start.size if self.encoder == GIVEN else self.start.trained_size


def run(settings: Settings, out: Path | None = None) -> Results:
    """Run the experiment and write the run folder: config.json, split.json, cells/, results.json.

    out: the run folder; by default that of an unfinished run of the same settings, else a new one under runs/. Cells that
    are there are not computed again. Raises UserError for bad input; nothing half-written is left.
    """
    taken = frozenset().union(*(learner_class(name).takes for name in settings.learner))
    if settings.memory is not None and "memory" not in taken:
        raise UserError(f"no memory is kept by {', '.join(settings.learner)}", "--memory", "Leave it out, or add a trained learner")
    if out:
        claim(Path(out), COMMAND)
    device = pick_device(settings.device)
    catalog = open_data(settings.data, default="rpc", split="grouped" if settings.split_file else settings.split, seed=settings.split_seed)
    split = _split(settings, catalog)
    _check_learners(settings, split)
    starts = find_starts(settings.weights, sample=catalog.sample, arch=settings.arch, size=settings.size, only=settings.only_weights)
    rows = _rows(settings, starts)
    arguments = settings.arguments()
    folder = Path(out) if out else _unfinished(arguments) or default_out("transfer")
    existed = folder.exists()
    record = Run.create(folder, COMMAND, arguments, data=catalog.name, sample=catalog.sample)
    try:
        write_split(folder / "split.json", split, catalog)
        bench = _Bench(settings, catalog, split, folder, device)
        cells = bench.run(rows)
    except BaseException as error:
        record.finish("stopped")
        if isinstance(error, KeyboardInterrupt):
            console.say(f"The finished cells are in {folder}.")
        elif not existed and not (folder / "cells").exists():
            shutil.rmtree(folder)  # bad input: nothing half-written is left
        raise
    content = _content(settings, catalog, split, rows, cells, bench)
    results.write(folder, content)
    record.finish("done", {"rows": len(content["rows"])})
    return results.read(folder)


def _check_learners(settings: Settings, split: Split) -> None:
    """What a learner would refuse only after the pictures were read, or the base classes taught."""
    from repr.pictures.views import preset
    from rpc_transfer.learners.icarl import check_memory
    from rpc_transfer.learners.memory import Memory

    if settings.memory is not None:
        if "icarl" in settings.learner:
            check_memory(settings.memory)
        Memory(settings.memory).check_room(len(split.products))
    if settings.views not in (None, "plain"):
        preset(settings.views, SIZE)


def _split(settings: Settings, catalog: Catalog) -> Split:
    """The split drawn, or read from a file and cut to the seeds and shots asked for."""
    most = max(settings.shots)
    if settings.split_file is None:
        assert settings.novel is not None
        return make_split(
            catalog,
            novel=settings.novel,
            shots=most,
            seeds=settings.run_seeds,
            split_seed=settings.split_seed,
            base_shots=settings.base_shots,
            shots_from=settings.shots_from,
            test_on=settings.test_on,
            unknown=settings.unknown,
            increments=settings.increments,
        )
    file = settings.split_file
    split = read_split(file, catalog)
    if settings.novel not in (None, len(split.novel)):
        raise UserError(f"the split has {len(split.novel)} novel products, not {settings.novel}", file, "Leave --novel out")
    asked: dict[str, int | str | None] = {
        "unknown": settings.unknown or None,
        "base_shots": settings.base_shots,
        "test_on": settings.test_on,
        "shots_from": None if settings.shots_from == "train" else settings.shots_from,  # "train" may not have been typed
    }
    for name, value in asked.items():
        fixed = len(split.unknown) if name == "unknown" else getattr(split, name)
        if value not in (None, fixed):
            option = "--" + name.replace("_", "-")
            told = "as many as --shots" if fixed is None else fixed
            raise UserError(f"the split was drawn with {option} {told}, not {value}", file, f"Leave {option} out, or draw a new split")
    if most > split.shots:
        raise UserError(f"the split has {split.shots} shots a product, not {most}", file, f"Ask for --shots {split.shots} or fewer")
    absent = [seed for seed in settings.run_seeds if seed not in split.seeds]
    if absent:
        told = ", ".join(map(str, split.seeds))
        raise UserError(f"the split has no seed {absent[0]} (it has {told})", file, f"Ask for --seeds {len(split.seeds)} or fewer")
    if settings.increments:
        split = split.with_increments(parse_increments(settings.increments, len(split.novel)))
    return split.of_seeds(settings.run_seeds)


def _rows(settings: Settings, starts: Sequence[Start]) -> list[Row]:
    """The rows of the table, in its order: by shots, then by learner, the starts side by side."""
    rows = []
    for shots in dict.fromkeys(settings.shots):
        for learner in dict.fromkeys(settings.learner):
            pictures = learner_class(learner).input == "pictures"
            for start in starts:
                if pictures:
                    kinds = [TRAINED]
                elif start.spec is None:
                    kinds = [BASE_TRAINED]
                else:
                    kinds = {"given": [GIVEN], "base-trained": [BASE_TRAINED], "both": [GIVEN, BASE_TRAINED]}[settings.features]
                rows += [Row(start, learner, kind, shots) for kind in kinds]
    return rows


def _unfinished(arguments: dict[str, Any]) -> Path | None:
    """The newest run under runs/ with the same arguments that did not end."""
    found = []
    for file in Path("runs").glob("transfer-*/config.json"):
        config = Run.open(file.parent).config
        if config["command"] == COMMAND and config["arguments"] == arguments and config["status"] != "done":
            found.append((config["created"], file.parent))
    if not found:
        return None
    console.say(f"Going on with {max(found)[1]}.")
    return max(found)[1]


class _Bench:
    """Runs cells: holds the pictures, and the base step that several learners of one start and seed share."""

    def __init__(self, settings: Settings, catalog: Catalog, split: Split, folder: Path, device: Any) -> None:
        self.settings, self.catalog, self.split, self.folder, self.device = settings, catalog, split, folder, device
        self.spare: dict[int, Pictures] = {}
        if settings.reject is not None:
            self.spare = {seed: spare_pictures(catalog, split, seed) for seed in split.seeds}
        extra = [rows for of in self.spare.values() for rows in of.values()]
        served = np.unique(np.concatenate([split.used(), *extra]))
        self.shelf = Shelf(catalog, served, device=settings.device, workers=settings.workers)
        self.source = [[s.name, str(s.root.absolute())] for s in catalog.sources]

    def run(self, rows: Sequence[Row]) -> dict[tuple[int, int], Path]:
        """(row, seed) -> the cell's file, for every row that can be run."""
        from tqdm import tqdm

        files = {(i, seed): self._file(row, seed) for i, row in enumerate(rows) if not row.start.error for seed in self.split.seeds}
        todo = [key for key, file in files.items() if not file.exists()]
        # One group shares features, and the base step.
        todo.sort(key=lambda key: (_position(rows, key[0]), rows[key[0]].shots, key[1], rows[key[0]].encoder != TRAINED))
        if len(todo) < len(files):
            console.say(f"{len(files) - len(todo)} of {len(files)} cells are already there.")
        group: tuple[Any, ...] = ()
        stage: _Stage | None = None
        with tqdm(
            total=len(files),
            initial=len(files) - len(todo),
            unit="cell",
            file=sys.stderr,
            leave=False,
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 10,
        ) as bar:
            for i, seed in todo:
                row = rows[i]
                stage_now = f"{row.start.spec or 'none'}, {row.shots} shots, seed {seed}, {row.learner}"
                bar.set_description(stage_now, refresh=sys.stderr.isatty())
                if stage is None or group != (row.start, row.shots, seed):
                    group = (row.start, row.shots, seed)
                    based = [rows[j] for j, other in todo if rows[j].encoder == BASE_TRAINED and other == seed]
                    shared = any(other.start is row.start and other.shots == row.shots for other in based)
                    stage = _Stage(self, row, seed, shared=shared)
                stage.cell(row).write(files[i, seed])
                bar.update()
        return files

    def _file(self, row: Row, seed: int) -> Path:
        """The file of a cell, named by all that its numbers depend on."""
        split, settings = self.split, self.settings
        pictures = [rows.tobytes() for of in (split.support[seed], split.tests[seed], self.spare.get(seed, {})) for rows in of.values()]
        options = settings.for_learner(learner_class(row.learner).takes)
        if row.encoder == BASE_TRAINED:
            options |= {f"base {k}": v for k, v in settings.for_learner(learner_class("finetune").takes).items()}
        key = content_key(
            VERSION,
            [self.source, split.base, split.novel, split.unknown, split.increments],
            b"".join(pictures),
            [row.start.identity, row.size, row.learner, row.encoder, row.shots, split.base_shots, seed],
            [options, UPDATES, MOST_EPOCHS, settings.reject],
        )
        return self.folder / "cells" / f"{row.learner}-{key}.npz"


def _position(rows: Sequence[Row], i: int) -> int:
    return next(j for j, row in enumerate(rows) if row.start is rows[i].start)


class _Stage:
    """One start, number of shots and seed: the arrays, and the base step shared by the learners."""

    def __init__(self, bench: _Bench, row: Row, seed: int, *, shared: bool) -> None:
        self.bench, self.start, self.shots, self.seed = bench, row.start, row.shots, seed
        self.shared = shared  # whether the fine-tuned network after the base step is wanted by others too
        self.weights = row.start.for_seed(seed)
        self.based: Learner | None = None
        self.encoded: tuple[Task, Table] | None = None

    def cell(self, row: Row) -> Cell:
        """Run one learner."""
        reject = self.bench.settings.reject
        if row.encoder == TRAINED:
            table = self.bench.shelf.pixels(row.size)
            task = self._task(table)
            if row.learner == "finetune" and self.shared:
                return run_cell(copy.deepcopy(self._base()), table, task, reject=reject)
            learner = self._make(row.learner, task, load_encoder(self.weights, size=row.size))
        else:
            task, table = self._features(row.encoder)
            learner = self._make(row.learner, task, None)
        if not learner_class(row.learner).at_once:
            base_step(learner, table, task)
        return run_cell(learner, table, task, reject=reject)

    def _task(self, table: Table) -> Task:
        bench = self.bench
        return make_task(bench.split, self.seed, self.shots, table, bench.spare.get(self.seed))

    def _features(self, kind: str) -> tuple[Task, Table]:
        if kind == GIVEN:
            table = self.bench.shelf.features(self.weights, self.start.size)
            return self._task(table), table
        if self.encoded is None:
            pixels = self.bench.shelf.pixels(self.start.trained_size)
            task = self._task(pixels)
            self.encoded = task, encode(self._base().encoder_, pixels, task.rows, self.bench.device)
        return self.encoded

    def _base(self) -> Any:
        """The fine-tuned network after its base step."""
        if self.based is None:
            table = self.bench.shelf.pixels(self.start.trained_size)
            task = self._task(table)
            learner = self._make("finetune", task, load_encoder(self.weights, size=self.start.trained_size))
            self.based = base_step(learner, table, task)
        return self.based

    def _make(self, name: str, task: Task, encoder: Encoder | None) -> Learner:
        takes = learner_class(name).takes
        options = self.bench.settings.for_learner(takes, pictures=len(task.steps[0][0]))
        if "seed" in takes:
            options["seed"] = int(generator(self.seed, "loader", name).integers(2**31))
        if "device" in takes:
            options["device"] = self.bench.device
        return make(name, encoder=encoder, **options)


def _content(
    settings: Settings, catalog: Catalog, split: Split, rows: Sequence[Row], cells: dict[tuple[int, int], Path], bench: _Bench
) -> dict[str, Any]:
    """The object of results.json and of --json."""
    described = []
    for i, row in enumerate(rows):
        files = {seed: cells[i, seed] for seed in split.seeds if (i, seed) in cells}
        figures = [Cell.read(file).figures for file in files.values()]
        described.append(
            {
                "learner": row.learner,
                "weights": row.start.spec,
                "shots": row.shots,
                "shots_from": split.shots_from,
                "test_on": split.test_on,
                "increments": [len(step) for step in split.increments],
                **{name: interval([figure.get(name) for figure in figures]) for name in FIGURES},
                "per_meta": _per_meta(figures),
                "features": row.encoder,
                "base_shots": row.shots if split.base_shots is None else split.base_shots,
                "size": row.size,
                "arch": row.start.arch,
                "sample": catalog.sample or row.start.sample,
                "error": row.start.error or None,
                "cells": [{"seed": seed, "file": f"cells/{file.name}"} for seed, file in files.items()],
            }
        )
    lost = bench.shelf.unreadable
    notes = [*split.notes, *([f"{len(lost)} pictures could not be read and are missing, the first is {next(iter(lost))}"] if lost else [])]
    return {
        "data": catalog.name,
        "novel_ids": list(split.novel),
        "split_seed": split.split_seed,
        "seeds": list(split.seeds),
        "rows": described,
        "paired": _paired(described),
        "products": {"base": len(split.base), "novel": len(split.novel), "unknown": len(split.unknown)},
        "metas": len({split.metas[key] for key in split.products}),
        "tests": _counts(split),
        "notes": notes,
        "sample": catalog.sample or any(row.start.sample for row in rows),
        "run": str(bench.folder),
    }


def _counts(split: Split) -> dict[str, int]:
    """Test pictures of the first seed."""
    tests = split.tests[split.seeds[0]]
    return {kind: sum(len(tests[key]) for key in getattr(split, kind)) for kind in ("base", "novel", "unknown")}


def _per_meta(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    metas = sorted({meta for figure in figures for meta in figure["per_meta"]})
    return {meta: interval([figure["per_meta"].get(meta) for figure in figures]) for meta in metas}


def _paired(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every two starts of one learner and number of shots, compared seed by seed: the later row minus the earlier one."""
    compared = []
    for i, b in enumerate(rows):
        for a in rows[i + 1 :]:
            same = (a["learner"], a["shots"]) == (b["learner"], b["shots"])
            if not same or a["weights"] == b["weights"] or not (a["cells"] and b["cells"]):
                continue
            for name in COMPARED:
                pairs = [(x, y) for x, y in zip(a[name]["values"], b[name]["values"], strict=True) if not (x is None or y is None)]
                if not pairs:
                    continue
                test = paired([x for x, _ in pairs], [y for _, y in pairs])
                described = {"learner": a["learner"], "shots": a["shots"], "metric": name}
                described |= {"a": a["weights"], "a_features": a["features"], "b": b["weights"], "b_features": b["features"]}
                compared.append({**described, "difference": test.difference, "ci95": test.ci95, "p": test.p, "n": test.n})
    return compared
