"""The options of `repr pretrain` → data, settings, run folder, training, report."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from repr.catalog.sources import division, fill_split, open_sources
from repr.catalog.table import Catalog
from repr.commands import command_line
from repr.errors import UserError
from repr.files import held
from repr.runs import Run, claim, default_out
from repr.synthetic.fallback import or_synthetic
from repr.training.checkpoint import FILE
from repr.training.fit import WEIGHTS, pretrain
from repr.training.settings import Settings
from repr.training.stop import Stopped

log = logging.getLogger(__name__)

COMMAND = "repr pretrain"


def execute(arguments: dict[str, Any], *, out: Path | None, resume: bool) -> dict[str, Any]:
    """Run `repr pretrain` with its options by name (as in config.json); returns {"run", "weights", "metrics"}.

    Raises UserError, and Stopped (its text says how to go on) after Ctrl-C.
    """
    settings = Settings.read(arguments)
    data_seed = settings.seed if arguments["data_seed"] is None else arguments["data_seed"]
    if out is not None and not resume and any((out / file).exists() for file in (FILE, WEIGHTS)):
        raise UserError("this folder holds a run already", out, "Add `resume` to go on with it, or choose another `out`")
    if out is not None:
        claim(out, COMMAND)
    arguments = {**arguments, "data": list(or_synthetic(arguments["data"], "mep3m"))}
    sources = open_sources(arguments["data"], subset=arguments["subset"])
    catalog = fill_split(sources, arguments["split"], data_seed)
    divided = division(sources, arguments["split"], data_seed)
    out = out or default_out("pretrain")
    with held(out):
        run = _opened(out, arguments, settings, catalog, resume=resume)
        if run.config["status"] == "done":
            log.info("This run is finished already.")
            return {**run.config["result"], "run": str(out), "weights": str(out / WEIGHTS)}  # it may have been moved
        try:
            return pretrain(catalog, settings, run, resume=resume, divided=divided)
        except Stopped:
            kept = (out / FILE).exists()
            ends = f"Go on with: {command_line(COMMAND, resume=True, out=out)}" if kept else "There is no checkpoint yet."
            raise Stopped(f"Stopped. {ends}") from None
        finally:
            run.drop_if_empty()


def started_with(out: Path, arguments: dict[str, Any], typed: Collection[str]) -> dict[str, Any]:
    """The arguments to go on with: those that the run in `out` was started with, under those of `arguments` that were `typed` now.

    Raises UserError when there is no run, and no data to start one on.
    """
    if not (out / "config.json").exists():
        if not arguments["data"]:
            raise UserError("no run to go on with in this folder", out, "Check `out`, or leave `resume` out to start one")
        return arguments
    started = Run.open(out).config["arguments"]
    return {name: value if name in typed else started.get(name, value) for name, value in arguments.items()}


def _opened(out: Path, arguments: dict[str, Any], settings: Settings, catalog: Catalog, *, resume: bool) -> Run:
    """The run to go on with, or a new one. Raises UserError when one that is finished was of other settings."""
    if not resume or not (out / "config.json").exists():
        return Run.create(out, COMMAND, arguments, data=catalog.name, synthetic=catalog.synthetic)
    run = Run.open(out)
    if run.config["status"] != "done":
        run.config["status"] = "running"
        return run
    differ = settings.differences(Settings.read(run.config["arguments"]).as_dict())
    if differ:
        words = ", ".join(f"{name} was {then}" for name, (then, _) in differ.items())
        raise UserError(f"this run is finished, and what is asked for differs ({words})", out, "Start another with another `out`")
    return run
