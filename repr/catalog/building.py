"""From a data set to one catalog file, with the figures that `repr catalog build` prints."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from repr import progress
from repr.catalog import mep3m, sources
from repr.catalog.announce import announce
from repr.catalog.passed import PassedOver
from repr.errors import UserError
from repr.records import Json, to_json


@dataclass(frozen=True)
class Build:
    """What was built. quarantine: the list of records left out, if any. peak_mb: most memory of the process, in 10^6 bytes."""

    catalog: Path
    records: int
    quarantined: int
    quarantine: Path | None
    seconds: float
    peak_mb: float
    passed_over: tuple[PassedOver, ...]

    def as_json(self) -> dict[str, Json]:
        """The object that `repr catalog build --json` prints."""
        return {
            "records": self.records,
            "quarantined": self.quarantined,
            "seconds": self.seconds,
            "peak_mb": self.peak_mb,
            "catalog": str(self.catalog),
            "passed_over": to_json(self.passed_over),
        }


def build_catalog(root: Path | None, *, out: Path, annotations: Path | None = None, info: Path | None = None) -> Build:
    """Write the catalog of a folder, a CSV or an annotation file to `out`; annotations are streamed, with a bar on stderr.

    Neither root nor annotations: as open_data without data. info: the class table of MEP-3M, for annotations that have none beside them.
    Raises UserError for contradicting arguments and bad input; nothing is left at `out` then.
    """
    if root and annotations:
        raise UserError("both `root` and `annotations` are given", "", "Give one of them")
    if out.is_dir():
        raise UserError("is a folder", out, "Name a file with `out`, such as catalog.parquet")
    root = root or (None if annotations else sources.default_root("mep3m"))
    begun = time.monotonic()  # drawing the synthetic shop does not count
    if annotations is None and root and sources.kind_of(root) == "mep3m":
        annotations = root if root.is_file() else mep3m.annotations_in(root)
    if out.resolve() in [source.resolve() for source in (root, annotations, info) if source]:
        raise UserError("is what would be read, and writing there would lose it", out, "Choose another `out`")
    if annotations:
        built = _stream(annotations, out, info or mep3m.info_in(annotations.parent))
        announce(built)
        seconds = time.monotonic() - begun
        return Build(out, built.records, built.quarantined, built.quarantine, seconds, peak_mb(), built.passed_over)
    assert root
    if info:
        raise UserError("`info` belongs to MEP-3M's annotations, which are not there", root, "Leave `info` out")
    catalog = sources.read_source(root)
    announce(catalog)
    catalog.write(out)
    return Build(out, len(catalog), 0, None, time.monotonic() - begun, peak_mb(), catalog.passed_over)


def _stream(annotations: Path, out: Path, info: Path | None) -> mep3m.Built:
    size = annotations.stat().st_size if annotations.is_file() else None
    with progress.bar(size, "Reading records", "B", scale=True) as bar:
        return mep3m.build_parquet(annotations, out, info=info, on_bytes=bar.update)


def peak_mb() -> float:
    """The most memory this process has held, in 10^6 bytes.

    Linux tells it as VmHWM of /proc/self/status. getrusage's figure, the only one elsewhere, begins with that of the process that
    started this one; it counts in KiB, on macOS in bytes.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
