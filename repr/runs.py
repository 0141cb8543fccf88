"""The run folder: what a run writes and how it is found again.

config.json       version, command, typed, resolved, data, synthetic, created, status ("running", "stopped", "failed", "done"), result
environment.json  versions, machine
metrics.csv       one row a logged step or epoch
warnings.csv      what was noticed while training: step, kind, text
views.png         some images as training sees them
weights.safetensors, checkpoint/, report.html   where the command makes them
"""

from __future__ import annotations

import csv
import datetime
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from repr.errors import UserError
from repr.files import read_json, replacing, write_json
from repr.machine import cores
from repr.records import Json, Scalar

VERSION = 2
PACKAGES = ("torch", "torchvision", "lightly", "faiss-gpu", "faiss-cpu", "scikit-learn", "numpy", "pillow", "timm")


Options = dict[str, Any]  # JSON-able values of options, by name


class Config(TypedDict):
    """The content of config.json.

    typed: every option as it was given, or left at its default (None: open); `--config` gives it back. resolved: what was made of
    those that do not stand as they are, numbers where the typed ones were left open. result: the command's JSON object, once done;
    once failed {"error": why}.
    """

    version: int
    command: str
    typed: Options
    resolved: Options
    data: str
    synthetic: bool
    created: str
    status: str
    result: NotRequired[Any]


@dataclass
class Run:
    """One run folder. `path` is the folder; `config` is the content of its config.json."""

    path: Path
    config: Config

    @classmethod
    def create(cls, path: Path, command: str, typed: Options, *, data: str, synthetic: bool, resolved: Options | None = None) -> Run:
        """Make the folder, or take an existing one over, and write config.json and environment.json.

        command: "repr pretrain"; typed: every option as given, JSON-able; resolved: what they came to, as far as that is known
        (`resolve` adds to it); data: the name of the data; synthetic: whether any of it is the synthetic shop.
        Raises UserError when there is a run of another command.
        """
        path = Path(path)
        claim(path, command)
        fresh, new = not path.exists(), not (path / "config.json").exists()
        path.mkdir(parents=True, exist_ok=True)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        config: Config = {
            "version": VERSION,
            "command": command,
            "typed": typed,
            "resolved": dict(resolved or {}),
            "data": data,
            "synthetic": synthetic,
            "created": now,
            "status": "running",
        }
        run = cls(path, config)
        try:
            write_json(path / "config.json", config)
            write_json(path / "environment.json", environment())
        except BaseException:
            if new:
                run.drop_if_empty()
            if fresh:
                path.rmdir()
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open an existing run folder. Raises UserError when it is not one, or is of another version."""
        path = Path(path)
        if not (path / "config.json").is_file():
            raise UserError("not a run folder (no config.json)", path, "Give the folder that a command wrote with `out`")
        config = read_json(path / "config.json")
        if not isinstance(config, dict) or "command" not in config or not isinstance(config.get("version", 0), int):
            raise UserError("not a run's config.json", path / "config.json", "Give the folder that a command wrote with `out`")
        version = config.get("version", 0)
        if version != VERSION:
            newer = version > VERSION
            message = f"written by {'a newer' if newer else 'an older'} version ({version}, not {VERSION})"
            raise UserError(message, path, "Update the package" if newer else "Run it again")
        return cls(path, cast(Config, config))

    @property
    def settings(self) -> Options:
        """The options in force: as resolved, else as typed."""
        return {**self.config["typed"], **self.config["resolved"]}

    def resolve(self, resolved: Options) -> None:
        """Write into config.json what options came to; JSON-able."""
        self.config["resolved"] |= resolved
        write_json(self.path / "config.json", self.config)

    def log(self, row: Mapping[str, Scalar]) -> None:
        """Add a row to metrics.csv; a new column goes into the header, so rows of different kinds may alternate."""
        self._write("metrics.csv", [*self.metrics(), row])

    def metrics(self) -> list[dict[str, str]]:
        """The rows of metrics.csv as text; empty when nothing was logged yet."""
        return self._read("metrics.csv")

    def cut_metrics(self, n: int) -> None:
        """Keep the first `n` rows of metrics.csv; without any the file goes too."""
        self._write("metrics.csv", self.metrics()[:n])

    def warn(self, step: int, kind: str, text: str) -> None:
        """Add a row to warnings.csv: what was noticed after `step` steps; kind: one word for all warnings of its sort."""
        self._write("warnings.csv", [*self.warnings(), {"step": step, "kind": kind, "text": text}])

    def warnings(self) -> list[dict[str, str]]:
        """The rows of warnings.csv as text; empty when there was no reason to warn."""
        return self._read("warnings.csv")

    def cut_warnings(self, step: int) -> None:
        """Keep the warnings of the first `step` steps."""
        self._write("warnings.csv", [row for row in self.warnings() if int(row["step"]) <= step])

    def drop_if_empty(self) -> None:
        """Take away again what is written before the first step when there is nothing else: the run never began."""
        files = list(self.path.iterdir())
        if {file.name for file in files} <= {"config.json", "environment.json", "views.png"}:
            for file in files:
                file.unlink()

    def _write(self, name: str, rows: Sequence[Mapping[str, Scalar]]) -> None:
        if not rows:
            (self.path / name).unlink(missing_ok=True)
            return
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with replacing(self.path / name) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)

    def _read(self, name: str) -> list[dict[str, str]]:
        file = self.path / name
        if not file.exists():
            return []
        with file.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def go_on(self, changed: Options) -> None:
        """Write into config.json that a stopped run goes on, and the options that are typed otherwise now."""
        self.config["typed"] |= changed
        self.config["status"] = "running"
        write_json(self.path / "config.json", self.config)

    def finish(self, status: str, result: object = None) -> None:
        """Write the status ("done", "stopped" or "failed") and the command's JSON result into config.json."""
        self.config["status"], self.config["result"] = status, result
        write_json(self.path / "config.json", self.config)


def claim(path: Path, command: str) -> None:
    """Raise UserError, before any work, when a run of `command` cannot go to `path`: it is a file, or holds another command's run."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise UserError("is a file, not a folder", path, "Choose another `out`")
    if (path / "config.json").is_file() and (other := Run.open(path).config["command"]) != command:
        raise UserError(f"holds a run of `{other}`, which would be lost", path, "Choose another `out`")


def environment() -> dict[str, Json]:
    """What a reader needs to judge a number: versions, machine, processors, cards where torch is in use. No user or host names."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    torch = sys.modules.get("torch")  # not imported for this: an answer without it stays quick
    cards: list[str] = []
    if torch and torch.cuda.is_available():
        with suppress(RuntimeError):  # a card that is busy or broken
            cards = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "python": sys.version.split()[0],
        "packages": versions,
        "machine": platform.machine(),
        "system": platform.platform(terse=True),
        "cpus": cores(),
        **({"gpu": ", ".join(cards)} if cards else {}),
    }


def default_out(kind: str) -> Path:
    """runs/<kind>-<UTC time>, under the working folder; never an existing one."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    path, n = Path("runs", f"{kind}-{stamp}"), 1
    while path.exists():
        path, n = Path("runs", f"{kind}-{stamp}-{n}"), n + 1
    return path


def newest_weights(*, synthetic: bool, under: Path = Path("runs")) -> Path | None:
    """The newest finished pretraining run below `under` whose data were (or were not) the synthetic shop; None if none."""
    finished = [
        run for run in _below(under, "*", "repr pretrain") if run.config["status"] == "done" and run.config["synthetic"] is synthetic
    ]
    dated = [(run.config["created"], run.path) for run in finished if (run.path / "weights.safetensors").exists()]
    return max(dated)[1] if dated else None


def newest_unfinished(command: str, names: str, typed: Options, *, under: Path = Path("runs")) -> Path | None:
    """The newest run of `command` with the same options that did not end, in a folder below `under` called like `names`."""
    runs = _below(under, names, command)
    dated = [(run.config["created"], run.path) for run in runs if run.config["typed"] == typed and run.config["status"] != "done"]
    return max(dated)[1] if dated else None


def _below(under: Path, names: str, command: str) -> list[Run]:
    """The runs of a command; folders of other tools, whatever they hold, are passed over."""
    runs = []
    for file in under.glob(f"{names}/config.json"):
        with suppress(UserError):
            run = Run.open(file.parent)
            if run.config["command"] == command and {"created", "status", "synthetic", "typed"} <= set(run.config):
                runs.append(run)
    return runs
