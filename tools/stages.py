"""Stages of a longer piece of work, one after the other: what is done is not repeated, what was interrupted goes on.

Each stage runs commands in processes of their own (`forked`) and keeps their words in <out>/logs. A stage that is done is stamped in
<out>/stamps with what it was told and the seconds it took.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import click
import forked

from repr import console
from repr.errors import UserError
from repr.files import content_key, read_json, write_json

VERSION = 6  # of what stages do; another number repeats them
BIN = Path(sys.executable).parent
BAR = 24  # characters
EVERY = 15.0  # seconds between the lines that tell how far it is, where no terminal is


@dataclass(frozen=True)
class Stage:
    """One step: its name, what it does in words, the commands, what they write below the folder, its seconds on two free cores."""

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    makes: tuple[str, ...]
    seconds: float


def run_all(stages: Sequence[Stage], out: Path, after: Callable[[Stage], None] = lambda stage: None) -> None:
    """Run every stage that is not done yet, in order, and call `after` with each that is done by now.

    Raises UserError when one fails, KeyboardInterrupt when interrupted.
    """
    progress = Progress(stages)
    key = ""
    for place, stage in enumerate(stages):
        key = content_key(VERSION, key, list(map(list, stage.commands)))
        done, begun = out / "stamps" / f"{stage.name}.done.json", out / "stamps" / f"{stage.name}.begun.json"
        if _stamped(done, key) and all((out / name).exists() for name in stage.makes):
            progress.skip(stage)
        else:
            done.unlink(missing_ok=True)
            if not _stamped(begun, key):  # told otherwise than before: what follows from it is of no use either
                for name in (name for one in stages[place:] for name in one.makes):
                    _remove(out / name)
                write_json(begun, {"key": key})
            progress.begin(stage)
            for n, command in enumerate(stage.commands):
                run_command(_resumed(command), out / "logs" / f"{stage.name}-{n}", stage, progress)
            write_json(done, {"key": key, "seconds": progress.end(stage)})
        after(stage)


def seconds(stages: Sequence[Stage], out: Path) -> float:
    """How long stages took that are done."""
    return round(sum(float(read_json(out / "stamps" / f"{stage.name}.done.json")["seconds"]) for stage in stages), 1)


def _stamped(file: Path, key: str) -> bool:
    return file.is_file() and read_json(file).get("key") == key


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _resumed(command: Sequence[str]) -> list[str]:
    """The command as it is run: pretraining that has a run folder goes on in it, and @FOLDER stands for the images in it."""
    words: list[str] = []
    for word in command:
        words += [str(file) for file in sorted(Path(word[1:]).iterdir())] if word.startswith("@") else [word]
    if words[:2] == ["repr", "pretrain"] and (Path(words[words.index("--out") + 1]) / "config.json").exists():
        words.append("--resume")
    return words


def run_command(words: Sequence[str], log: Path, stage: Stage, progress: Progress) -> None:
    """Run one command; its standard output goes to <log>.out, its words to <log>.err, of which the bar shows the last."""
    log.parent.mkdir(parents=True, exist_ok=True)
    messages = log.with_suffix(".err")
    child = forked.start(words, log.with_suffix(".out"), messages)
    try:
        forked.load(lambda: progress.show(stage, ""))
        while child.is_alive():
            progress.show(stage, last_words(messages) if messages.exists() else "")
            child.join(0.2)
    except BaseException:
        _stop(child)
        raise
    if child.exitcode == 130:
        raise KeyboardInterrupt
    if child.exitcode:
        reason = last_words(messages) or f"exit code {child.exitcode}"
        raise UserError(f"the stage {stage.name} failed: {reason}", messages, "Read that file; the same command goes on from here")


def _stop(child: BaseProcess) -> None:
    """Give the command time to keep its checkpoint. It has had the same Ctrl-C where a terminal sent it; else it is sent one."""
    child.join(3)
    if child.pid is not None and child.is_alive():
        os.kill(child.pid, signal.SIGINT)
    child.join(20)
    if child.is_alive():
        child.kill()
        child.join()


def last_words(file: Path) -> str:
    """The last line of a growing log, where bars overwrite themselves with carriage returns."""
    with file.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 2000))
        parts = re.split(r"[\r\n]+", stream.read().decode("utf-8", "replace"))
    words = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", part).strip() for part in parts]
    return next((part for part in reversed(words) if part), "")


class Progress:
    """One bar over all stages on stderr, with the time left; plain lines where no terminal is, never the same twice.

    A stage moves by the seconds that it is expected to take, the slower the longer it takes beyond them. The time left is what is expected
    of the rest, times how much longer than expected it has taken so far.
    """

    def __init__(self, stages: Sequence[Stage], clock: Callable[[], float] = time.monotonic) -> None:
        self.stages = list(stages)
        self.total = sum(stage.seconds for stage in stages)
        self.past = 0.0  # expected seconds of the stages behind us
        self.spent = self.expected = 0.0  # of those that this call ran
        self.clock = clock
        self.since = self.shown = clock()
        self.live = sys.stderr.isatty()

    def skip(self, stage: Stage) -> None:
        """A stage that was done before."""
        self.past += stage.seconds
        self._line(f"{self._name(stage)}: done before")

    def begin(self, stage: Stage) -> None:
        """A stage starts."""
        self.since = self.shown = self.clock()
        if not self.live:
            self._line(f"{self._name(stage)} …")

    def end(self, stage: Stage) -> float:
        """A stage is done; returns its seconds."""
        seconds = self.clock() - self.since
        self.past += stage.seconds
        self.spent += seconds
        self.expected += stage.seconds
        self._line(f"{self._name(stage)}: {seconds:.0f} s")
        return round(seconds, 1)

    def state(self, stage: Stage) -> tuple[float, float]:
        """How much of all is done (0 to 1), and the seconds that are left, in the middle of a stage."""
        gone = self.clock() - self.since
        inside = 0.9 * gone / stage.seconds if gone < stage.seconds else 1 - 0.1 * stage.seconds / gone
        pace = max(1.0, (self.spent + gone) / max(self.expected + inside * stage.seconds, 1.0))
        left = self.total - self.past - inside * stage.seconds
        return (self.past + inside * stage.seconds) / self.total, left * pace

    def show(self, stage: Stage, words: str) -> None:
        """Draw the bar; without a terminal, a line every quarter of a minute."""
        share, left = self.state(stage)
        minutes, seconds = divmod(round(left), 60)
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            cells = min(BAR, width // 5)  # a narrow terminal has room for the words first
            bar = "█" * round(share * cells) + "·" * (cells - round(share * cells))
            text = f"{bar} {100 * share:3.0f} %, {minutes}:{seconds:02d} left  {self._name(stage)}  {words}"
            click.echo("\r\x1b[K" + text[:width], err=True, nl=False)
        elif self.clock() - self.shown >= EVERY:
            self.shown = self.clock()
            self._line(f"  {100 * share:3.0f} %, about {minutes}:{seconds:02d} left")

    def _name(self, stage: Stage) -> str:
        return f"[{self.stages.index(stage) + 1}/{len(self.stages)}] {stage.title}"

    def _line(self, text: str) -> None:
        console.say(("\r\x1b[K" if self.live else "") + text)
