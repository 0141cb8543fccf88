"""The options of `repr pretrain` → data, settings, run folder, training, report."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path
from typing import Any

from repr.catalog.division import divisions
from repr.catalog.sources import fill_split, open_sources
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.files import held
from repr.runs import Run, claim, default_out
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
    names = {field.name for field in fields(Settings)}
    settings = Settings(**{name: value for name, value in arguments.items() if name in names})
    if out is not None and not resume and any((out / file).exists() for file in (FILE, WEIGHTS)):
        raise UserError("this folder holds a run already", out, "Add `resume` to go on with it, or choose another `out`")
    if out is not None:
        claim(out, COMMAND)
    sources = open_sources(tuple(arguments["data"]), default="mep3m", subset=arguments["subset"])
    catalog = fill_split(sources, arguments["split"], settings.seed)
    divided = divisions(sources, arguments["split"], settings.seed, arguments["subset"])
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
            ends = f"Go on with: repr pretrain --resume --out {out}" if kept else "There is no checkpoint yet."
            raise Stopped(f"Stopped. {ends}") from None
        finally:
            run.drop_if_empty()


def _opened(out: Path, arguments: dict[str, Any], settings: Settings, catalog: Catalog, *, resume: bool) -> Run:
    """The run to go on with, or a new one. Raises UserError when one that is finished was of other settings."""
    if not resume or not (out / "config.json").exists():
        data = list(map(str, arguments["data"]))
        return Run.create(out, COMMAND, {**arguments, "data": data}, data=catalog.name, synthetic=catalog.synthetic)
    run = Run.open(out)
    if run.config["status"] != "done":
        run.config["status"] = "running"
        return run
    then = {name: value for name, value in run.config["typed"].items() if name in settings.as_dict()}
    differ = settings.differences(settings.as_dict() | then)
    if differ:
        words = ", ".join(f"{name} was {then[name]}" for name in differ)
        raise UserError(f"this run is finished, and what is asked for differs ({words})", out, "Start another with another `out`")
    return run
