"""The options of `repr pretrain` → data, settings, run folder, training, in one process or in several."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from repr import worker
from repr.catalog.division import WHOLE, Division
from repr.catalog.fallback import or_synthetic
from repr.catalog.sources import divisions, fill_split, open_sources
from repr.catalog.table import Catalog
from repr.catalog.union import with_split
from repr.commands import command_line
from repr.errors import UserError
from repr.files import held, read_json, write_json
from repr.runs import Config, Run, claim, default_out
from repr.training.checkpoint import FILE
from repr.training.fit import WEIGHTS, Trained, pretrain, train_device
from repr.training.launch import INTERRUPTED, Killed, launch
from repr.training.settings import Settings
from repr.training.stop import Stopped
from repr.training.team import joined

log = logging.getLogger(__name__)

Arguments = dict[str, Any]  # the options of `repr pretrain` by name, as typed or as config.json has them
COMMAND = "repr pretrain"
PART = f"{__name__}:part"
# What each process runs: a function, with modules from where this one has them, not first of all from the folder where it happens to be.
START = """import importlib, json, sys
job = json.load(open(sys.argv[1], encoding="utf-8"))
sys.path[:] = job["path"]
module, name = job["part"].split(":")
getattr(importlib.import_module(module), name)(sys.argv[1])"""
RESTARTS = 3  # times that a run whose process died goes on from its checkpoint; torchrun has an option of its own for that


def execute(arguments: Arguments, *, out: Path | None, resume: bool, part: str = PART) -> Trained:
    """Run `repr pretrain` with its options by name (as in config.json); returns {"run", "weights", "metrics"}.

    With `devices` above 1 so many processes of this machine do it together (`_together`), each by `part`, a "module:function" that is
    called with the path of its job and does what this module's own does: the command line has one that shows progress. Where a launcher
    such as torchrun has started this process as one of several, on one machine or more, it does its part: the first process on each
    machine reads the data and packs the images, and rank 0 writes the run folder, which the others need not see. It should lie where
    all machines find it, though: after a restart another one may be rank 0, and go on from the checkpoint there.
    Raises UserError, and Stopped (its text says how to go on) after Ctrl-C.
    """
    settings = Settings.read(arguments)
    here = worker.here()
    if here.world > 1 and out is None:
        raise UserError("processes that train together write to one run folder", "", "Name it with `out`", argument="out")
    if here.world == 1:
        _check_free(out, resume=resume)
    out = out or default_out("pretrain")
    if settings.devices > 1 and here.world == 1:
        return _together(settings.devices, arguments, out, resume=resume, part=part)
    with joined(train_device(settings, here)) as team:
        resume = resume or any(team.everyones(here.restarts))
        if here.world > 1 and team.rank == 0:
            _check_free(out, resume=resume)
        catalog: Catalog | None = None
        divided: Sequence[Division] = ()
        if team.local_rank == 0:
            arguments = {**arguments, "data": list(or_synthetic(arguments["data"], "mep3m"))}
            catalog, divided = _catalog(arguments, settings)
        with held(out) if team.rank == 0 else nullcontext():
            run = (
                _opened(out, arguments, settings, catalog, resume=resume)
                if team.rank == 0 and catalog is not None
                else Run(out, cast(Config, {}))
            )
            if team.first_ones(run.config.get("status")) == "done":
                log.info("This run is finished already.")
                return team.first_ones(result_of(run))
            try:
                return pretrain(catalog, settings, run, resume=resume, divided=divided, team=team)
            except Stopped:
                raise stopped(out) from None
            except Exception as error:
                if team.rank == 0:
                    with suppress(OSError):  # a full disk: the first reason is the one to tell
                        run.finish("failed", {"error": str(error)})
                raise
            finally:
                if team.rank == 0:
                    run.drop_if_empty()


def _together(devices: int, arguments: Arguments, out: Path, *, resume: bool, part: str) -> Trained:
    """`execute` in so many processes. When one dies all start again from the checkpoint, if there is one, at most RESTARTS times."""
    with TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        for restart in range(RESTARTS + 1):
            write_json(job, {"path": sys.path, "part": part, "arguments": arguments, "out": str(out), "resume": resume})
            try:
                launch(devices, ["-c", START, str(job)])
                break
            except (Killed, RuntimeError) as error:
                if restart == RESTARTS or not (out / FILE).exists():
                    raise
                log.warning(
                    f"{str(error).strip().splitlines()[-1]} Starting again from the checkpoint ({restart + 1} of {RESTARTS} times)."
                )
                resume = True
            except Stopped:
                if (out / "config.json").exists() and Run.open(out).config["status"] == "done":
                    break
                raise stopped(out) from None
    return result_of(Run.open(out))


def stopped(out: Path) -> Stopped:
    """What the user is told who has stopped the run in `out`."""
    ends = f"Go on with: {command_line(COMMAND, resume=True, out=out)}" if (out / FILE).exists() else "There is no checkpoint yet."
    return Stopped(f"Stopped. {ends}")


def result_of(run: Run) -> Trained:
    """The result of a finished run, which may have been moved."""
    return {"run": str(run.path), "weights": str(run.path / WEIGHTS), "metrics": run.config["result"]["metrics"]}


def _check_free(out: Path | None, *, resume: bool) -> None:
    """Raise UserError when `out` holds what would be lost."""
    if out is None:
        return
    if not resume and any((out / file).exists() for file in (FILE, WEIGHTS)):
        raise UserError("this folder holds a run already", out, "Add `resume` to go on with it, or choose another `out`")
    claim(out, COMMAND)


def _catalog(arguments: Arguments, settings: Settings) -> tuple[Catalog, Sequence[Division]]:
    """The data, and how each source was divided; with `split` WHOLE not at all, its own division included."""
    data_seed = arguments.get("data_seed")
    data_seed = settings.seed if data_seed is None else data_seed
    sources = open_sources(arguments["data"], subset=arguments["subset"])
    if arguments["split"] == WHOLE:
        whole = np.full(len(sources), "train", dtype=object)
        log.info(f"All {len(sources):,} images are for training, and none is held out: what is measured on them later says nothing.")
        return with_split(sources, whole), [Division(WHOLE, None, arguments["subset"] or "")] * len(sources.sources)
    divided = divisions(sources, arguments["split"], data_seed, arguments["subset"])
    return fill_split(sources, arguments["split"], data_seed), divided


def started_with(out: Path, arguments: Arguments, typed: Collection[str]) -> Arguments:
    """The arguments to go on with: those that the run in `out` was started with, under those of `arguments` that were `typed` now.

    Raises UserError when there is no run, and no data to start one on.
    """
    if not (out / "config.json").exists():
        if not arguments["data"]:
            raise UserError("no run to go on with in this folder", out, "Check `out`, or leave `resume` out to start one")
        return arguments
    started = Run.open(out).config["typed"]
    return {name: value if name in typed else started.get(name, value) for name, value in arguments.items()}


def _opened(out: Path, arguments: Arguments, settings: Settings, catalog: Catalog, *, resume: bool) -> Run:
    """The run to go on with, or a new one. Raises UserError when one that is finished was of other settings."""
    if not resume or not (out / "config.json").exists():
        return Run.create(out, COMMAND, arguments, data=catalog.name, synthetic=catalog.synthetic)
    run = Run.open(out)
    if run.config["status"] != "done":
        run.config["status"] = "running"
        return run
    differ = settings.differences(Settings.read(run.config["typed"]).as_dict())
    if differ:
        words = ", ".join(f"{name} was {then}" for name, (then, _) in differ.items())
        raise UserError(f"this run is finished, and what is asked for differs ({words})", out, "Start another with another `out`")
    return run


def part(job: str) -> None:
    """Be one of the processes that `_together` has started. job: the path of its file. What it fails of it leaves to the launcher."""
    start = read_json(Path(job))
    with worker.leaving_word():
        try:
            execute(start["arguments"], out=Path(start["out"]), resume=start["resume"])
        except Stopped:
            sys.exit(INTERRUPTED)
