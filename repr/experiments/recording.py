"""The run folder of an experiment while it runs."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from repr.experiments import document
from repr.experiments.document import TRIALS, Document
from repr.files import held
from repr.records import Json
from repr.runs import Run

log = logging.getLogger(__name__)


@contextmanager
def recording(folder: Path, command: str, arguments: Mapping[str, Json], *, data: str, synthetic: bool) -> Iterator[Run]:
    """Make the run folder, or take an existing one over, for this process alone while the block computes trials below it.

    Ends as "stopped" when it is interrupted, as "failed" when the block raises; then a folder that was made for it and holds no trial goes
    again: bad input leaves nothing half-written. The block ends well by `finish`. Raises UserError when another process writes there, or
    another command's run is there.
    """
    existed = folder.exists()
    with held(folder):
        record = Run.create(folder, command, dict(arguments), data=data, synthetic=synthetic)
        try:
            yield record
        except BaseException as error:
            if not isinstance(error, Exception):
                record.finish("stopped")
                log.info(f"The finished trials are in {folder}.")
                raise
            record.finish("failed", {"error": str(error)})
            if not existed and not (folder / TRIALS).exists():
                shutil.rmtree(folder)
            raise


def finish(record: Run, results: Document) -> None:
    """Write the results of a run, which has then ended."""
    document.write(record.path, results)
    record.finish("done", {"rows": len(results.rows)})
