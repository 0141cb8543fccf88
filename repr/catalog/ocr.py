"""Fill the OCR field of a catalog's images that lack it: resumable, in several processes, with every line's confidence kept.

Beside the catalog stands a journal, `<name>.ocr.jsonl`: first the engine, then one line an image with its key, its lines and their
confidences, or the reason why it could not be read. It is what an interrupted run goes on from.
"""

from __future__ import annotations

import json
import logging
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repr import progress
from repr.catalog.engines import Engine, Line, make
from repr.catalog.pools import processes
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.images.boxes import Box
from repr.images.reader import read_image
from repr.machine import cores

log = logging.getLogger(__name__)

VERSION = 1
CONFIDENCE = 0.5  # of the lines that go into the catalog; rapidocr's own bound (text_score)
CHUNK = 4  # images a process reads before it hands back
SIDE = 1500  # pixels wanted of the shorter side: rapidocr shrinks what has more than 2000, and big JPEGs decode faster at a half


@dataclass(frozen=True)
class Task:
    """An image to read. key: its place in the journal."""

    key: str
    file: Path
    box: Box | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in an image: its lines, none for none, or the reason why it could not be read. size: of its file, in bytes."""

    lines: tuple[Line, ...] = ()
    error: str = ""
    size: int = 0


@dataclass(frozen=True)
class Filled:
    """The catalog with its OCR filled in, and the counts. Images, not rows, are counted; shares are fractions."""

    catalog: Catalog
    path: Path
    journal: Path
    engine: str
    lacking: int  # images without OCR before
    resumed: int  # of those, read by an earlier run
    with_text: int  # of those, with text of enough confidence
    unreadable: tuple[tuple[str, str], ...]  # key, reason
    confidence: float | None  # mean over the lines taken
    seconds: float

    @property
    def share(self) -> float:
        """Share of all rows that have OCR text now."""
        return float(pc.sum(pc.not_equal(self.catalog.table["ocr"], "")).as_py() or 0) / max(1, len(self.catalog))

    def lines(self) -> list[str]:
        """The counts in words."""
        if not self.lacking:
            return [f"No image lacks OCR; text on {100 * self.share:.1f} % of the rows."]
        mean = f", mean confidence {self.confidence:.2f}" if self.confidence is not None else ""
        return [
            f"{self.lacking:,} images lacked OCR: {self.with_text:,} now have text{mean}, {len(self.unreadable):,} could not be read "
            f"({self.seconds:.1f} s, {self.engine}).",
            f"Text on {100 * self.share:.1f} % of the rows{' (synthetic)' if self.catalog.synthetic else ''}; every line: {self.journal}",
        ]

    def as_json(self) -> dict[str, object]:
        """The object that `repr catalog ocr --json` prints."""
        return {
            "catalog": str(self.path),
            "journal": str(self.journal),
            "engine": self.engine,
            "lacking": self.lacking,
            "resumed": self.resumed,
            "with_text": self.with_text,
            "unreadable": [{"image": key, "reason": reason} for key, reason in self.unreadable],
            "share": self.share,
            "confidence": self.confidence,
            "seconds": self.seconds,
            "synthetic": self.catalog.synthetic,
        }


def fill(
    catalog: Catalog,
    out: Path,
    *,
    engine: str = "rapidocr",
    confidence: float = CONFIDENCE,
    workers: int | None = None,
) -> Filled:
    """Read the images whose OCR is null and write the catalog with their text to `out`.

    Text there is, empty text too, stays as it is. Lines of at least `confidence` go into the field, joined by blanks; an image without
    any stays null. workers: processes, default one a core; 1 reads in this process. A run that was stopped goes on from the journal;
    images that could not be read, or whose file has another length now, are tried again.
    Raises UserError when the engine is not installed, the journal is of another engine, or not one image could be read.
    """
    begun = time.monotonic()
    out = Path(out)
    if out.is_dir():
        raise UserError("is a folder", out, "Name a file with `out`, such as catalog.parquet")
    boxes = catalog.boxes()
    keys, tasks = _tasks(catalog, boxes)
    journal = out.with_name(f"{out.stem}.ocr.jsonl")
    version, resumed, done = "", 0, dict[str, Reading]()
    if tasks:
        version = make(engine).version
        done = _resume(journal, version)
        unread = [key for key, row in tasks.items() if not _still(done.get(key), catalog.file(row))]
        resumed = len(tasks) - len(unread)
        if resumed:
            log.info(f"{resumed:,} of {len(tasks):,} images were read before: {journal}")
        todo = (Task(key, catalog.file(tasks[key]), boxes[tasks[key]]) for key in unread)
        done.update(_kept(journal, _read(todo, len(unread), engine, workers or cores()), len(unread)))
    unreadable = tuple((key, done[key].error) for key in tasks if done[key].error)
    if tasks and len(unreadable) == len(tasks):
        raise UserError(f"none of {len(tasks):,} images could be read ({unreadable[0][1]})", unreadable[0][0], "Check that they are there")
    taken = {key: [line for line in done[key].lines if line.confidence >= confidence and line.text.strip()] for key in tasks}
    filled = _with_text(catalog, keys, {key: " ".join(line.text.strip() for line in lines) for key, lines in taken.items()})
    filled.write(out)
    confidences = [line.confidence for lines in taken.values() for line in lines]
    with_text = sum(1 for lines in taken.values() if lines)
    mean = float(np.mean(confidences)) if confidences else None
    return Filled(filled, out, journal, version, len(tasks), resumed, with_text, unreadable, mean, time.monotonic() - begun)


def _tasks(catalog: Catalog, boxes: list[Box | None]) -> tuple[list[str | None], dict[str, int]]:
    """The key of every row that lacks OCR (None for the others), and each key's first row: boxes of one scene have keys of their own."""
    keys: list[str | None] = [None] * len(catalog)
    tasks: dict[str, int] = {}
    columns = (catalog.table[name].to_pylist() for name in ("path", "source"))
    lacking = catalog.table["ocr"].is_null().to_pylist()
    for row, (path, source, box, lacks) in enumerate(zip(*columns, boxes, lacking, strict=True)):
        if lacks:
            where = "" if box is None else "#" + ",".join(f"{value:g}" for value in box)
            key = f"{catalog.sources[source].name}:{path}{where}"
            keys[row] = key
            tasks.setdefault(key, row)
    return keys, tasks


def _still(reading: Reading | None, file: Path) -> bool:
    """Whether an image was read, and its file is as long as it was then (or gone)."""
    if reading is None or reading.error:
        return False
    try:
        return file.stat().st_size == reading.size
    except OSError:
        return True


def _with_text(catalog: Catalog, keys: list[str | None], texts: dict[str, str]) -> Catalog:
    """The catalog with the texts in place of the nulls of rows that have a key; an empty text stays null."""
    old = catalog.table["ocr"].to_pylist()
    new = [text if key is None else (texts[key] or None) for text, key in zip(old, keys, strict=True)]
    at = catalog.table.schema.get_field_index("ocr")
    return replace(catalog, table=catalog.table.set_column(at, catalog.table.schema.field(at), pa.array(new, pa.string())))


def _resume(journal: Path, version: str) -> dict[str, Reading]:
    """What the journal holds, begun when it is not there; half a line at its end, of a run that was stopped, is cut off."""
    blob = journal.read_bytes() if journal.exists() else b""
    whole = blob[: blob.rfind(b"\n") + 1]
    if not whole:
        journal.parent.mkdir(parents=True, exist_ok=True)
        journal.write_text(json.dumps({"version": VERSION, "engine": version}) + "\n", encoding="utf-8")
        return {}
    lines = whole.decode("utf-8", errors="replace").removesuffix("\n").split("\n")  # text may hold other line ends
    try:
        first = json.loads(lines[0])
        readings = dict(_parsed(line) for line in lines[1:])
    except (json.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError):
        raise UserError("not a journal of OCR", journal, "Move it away or choose another `out`") from None
    if not isinstance(first, dict) or first.get("version", 0) > VERSION or "engine" not in first:
        raise UserError("not a journal of OCR, or of a newer version", journal, "Move it away or choose another `out`")
    if first["engine"] != version:
        raise UserError(f"begun with {first['engine']}, not {version}", journal, "Choose another `out` or the same `engine`")
    if len(whole) < len(blob):
        with journal.open("r+b") as stream:
            stream.truncate(len(whole))
    return readings


def _kept(journal: Path, readings: Iterator[tuple[str, Reading]], total: int) -> Iterator[tuple[str, Reading]]:
    """The readings, each written to the journal before it is handed on, with a bar."""
    with journal.open("a", encoding="utf-8") as stream:
        for key, reading in progress.counted(readings, total, "Reading text", "image"):
            stream.write(_line(key, reading))
            stream.flush()  # what was read is kept, whatever comes
            yield key, reading


def _parsed(line: str) -> tuple[str, Reading]:
    entry = json.loads(line)
    lines = tuple(Line(text, confidence) for text, confidence in entry.get("lines", ()))
    return entry["image"], Reading(lines, entry.get("error", ""), entry.get("bytes", 0))


def _line(key: str, reading: Reading) -> str:
    entry: dict[str, object] = {"image": key}
    if reading.error:
        entry["error"] = reading.error
    else:
        entry["bytes"] = reading.size
        entry["lines"] = [[line.text, round(line.confidence, 4)] for line in reading.lines]
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _read(tasks: Iterator[Task], total: int, engine: str, workers: int) -> Iterator[tuple[str, Reading]]:
    """Readings in the order of the tasks; only a few chunks wait at a time, however many tasks there are."""
    if not total:
        return
    workers = min(workers, -(-total // CHUNK))
    if workers < 2:
        yield from _read_with(make(engine), tasks)
        return
    chunks = iter(lambda: list(islice(tasks, CHUNK)), [])
    pool = processes(workers, _begin, engine)
    waiting: deque[Future[list[tuple[str, Reading]]]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_read_chunk, chunk))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_OWN: list[Engine] = []  # in a worker process: its engine


def _begin(engine: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process at the terminal ends the others
    _OWN[:] = [make(engine)]


def _read_chunk(tasks: list[Task]) -> list[tuple[str, Reading]]:
    return list(_read_with(_OWN[0], tasks))


def _read_with(engine: Engine, tasks: Iterable[Task]) -> Iterator[tuple[str, Reading]]:
    for task in tasks:
        try:
            lines = tuple(engine(read_image(task.file, short_side=SIDE, box=task.box)))
            yield task.key, Reading(lines, size=task.file.stat().st_size)
        except Exception as error:  # whatever a broken image makes reader or engine trip over; counted and listed
            yield task.key, Reading(error=" ".join(str(error).split()) or type(error).__name__)
