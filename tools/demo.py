"""The demo: draw the synthetic shop, pretrain, transfer, index, look up, and show it all on one page.

Each stage is a command of ours, run in a process of its own with its words kept in <out>/logs. A stage that is done is
stamped with what it was told, and is not repeated; one that was interrupted goes on.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from repr import console
from repr.commands import command_line
from repr.errors import UserError
from repr.files import content_key, read_json, write_json

VERSION = 2  # of the stages; another number repeats them
BIN = Path(sys.executable).parent
BAR = 24  # characters
PARTS = ("--part", "train", "--part", "val")  # what the shop has photographed; photographs to look up come from test


@dataclass(frozen=True)
class Stage:
    """One step: its name, what it does in words, the commands, what they write, and the seconds they take on two cores."""

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    makes: tuple[str, ...]
    seconds: float


def plan(out: Path, seed: int) -> list[Stage]:
    """The stages in order. Small settings: the point is to see every part, in minutes, on two cores."""
    shop, at = out / "synthetic", str(seed)
    weights, transfer, index = out / "pretrained", out / "transfer", out / "shop.index"
    learners = ("--learner", "ncm", "--learner", "lda", "--learner", "finetune")
    return [
        Stage("synthetic", "Draw the synthetic shop", (("repr", "synthetic", "--out", f"{shop}", "--seed", at),), ("synthetic",), 80),
        Stage(
            "catalog",
            "Read it into a catalog",
            (("repr", "catalog", "build", "--root", f"{shop / 'mep3m'}", "--out", f"{out / 'catalog.parquet'}", "--json"),),
            ("catalog.parquet",),
            10,
        ),
        Stage(
            "pretrain",
            "Pretrain on the web shop",
            (
                (
                    *("repr", "pretrain", "--data", f"{out / 'catalog.parquet'}", "--method", "supervised", "--arch", "resnet18"),
                    *("--size", "64", "--epochs", "12", "--lr", "0.05", "--views", "product-rotate", "--seed", at, "--out", f"{weights}"),
                ),
            ),
            ("pretrained",),
            95,
        ),
        Stage(
            "transfer",
            "Take in 34 new products",
            (
                (
                    *("rpc_transfer", "run", "--root", f"{shop / 'rpc'}", "--novel", "34", "--shots", "10", "--seeds", "1", "--seed", at),
                    *("--weights", f"{weights}", "--size", "64", "--epochs", "6", "--lr", "0.05", *learners, "--out", f"{transfer}"),
                ),
                ("rpc_transfer", "report", f"{transfer}"),
            ),
            ("transfer",),
            270,
        ),
        Stage(
            "index",
            "Build the index",
            (("repr", "index", "build", "--data", f"{shop / 'rpc'}", *PARTS, "--weights", f"{weights}", "--out", f"{index}"),),
            ("shop.index",),
            30,
        ),
        Stage(
            "lookup",
            "Look photographs up",
            (
                (sys.executable, str(Path(__file__).with_name("demo_page.py")), "photos", f"{out}"),
                ("repr", "lookup", "--index", f"{index}", f"@{out / 'photos'}", "-k", "6", "--sheet", f"{out / 'lookup.png'}", "--json"),
            ),
            ("photos", "lookup.png"),
            15,
        ),
        Stage(
            "page",
            "Write the page",
            ((sys.executable, str(Path(__file__).with_name("demo_page.py")), "page", f"{out}"),),
            ("index.html",),
            10,
        ),
    ]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where everything is written.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The one seed of all stages.")
def demo(out: Path, seed: int) -> None:
    """Run the whole story on the synthetic shop and write one page about it."""
    stages = plan(out, seed)
    out.mkdir(parents=True, exist_ok=True)
    run_all(stages, out)
    relative = f"{BIN.relative_to(Path.cwd())}/" if BIN.is_relative_to(Path.cwd()) else ""
    photo = next(iter(sorted((out / "photos").glob("*.jpg"))), out / "photos")
    console.say("\nDone. Everything above was drawn: an illustration, not a measurement.")
    click.echo(f"The page: {(out / 'index.html').resolve()}")
    console.say("\nThree commands to try next:")
    for line in next_commands(out, photo):
        click.echo(f"  {relative}{line}")


def next_commands(out: Path, photo: Path) -> list[str]:
    """What to try when the demo is done."""
    return [
        command_line("repr lookup", photo, index=out / "shop.index", k=5),
        command_line("repr pretrain", data="OTHER_CLASS_FOLDERS", epochs=10, out="runs/mine"),
        command_line("rpc_transfer run", data="YOUR_CLASS_FOLDERS", novel=5, weights="runs/mine"),
    ]


def run_all(stages: Sequence[Stage], out: Path) -> None:
    """Run every stage that is not done yet, in order. Raises UserError when one fails, KeyboardInterrupt when interrupted."""
    progress = Progress(stages)
    key = ""
    for stage in stages:
        key = content_key(VERSION, key, [[Path(word).name if word == sys.executable else word for word in c] for c in stage.commands])
        done, begun = out / "stamps" / f"{stage.name}.done.json", out / "stamps" / f"{stage.name}.begun.json"
        if _stamped(done, key) and all((out / name).exists() for name in stage.makes):
            progress.skip(stage)
            continue
        done.unlink(missing_ok=True)
        if not _stamped(begun, key):
            for name in stage.makes:
                _remove(out / name)
            write_json(begun, {"key": key})
        progress.begin(stage)
        for n, command in enumerate(stage.commands):
            run_command(_resumed(command), out / "logs" / f"{stage.name}-{n}", stage, progress)
        write_json(done, {"key": key, "seconds": progress.end(stage)})


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
    program = words[0] if Path(words[0]).is_absolute() else str(BIN / words[0])
    with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
        child = subprocess.Popen([program, *words[1:]], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            while child.poll() is None:
                progress.show(stage, _last_words(log.with_suffix(".err")))
                time.sleep(0.3)
        except KeyboardInterrupt:
            _stop(child)
            raise
    if child.returncode == 130:
        raise KeyboardInterrupt
    if child.returncode:
        reason = _last_words(log.with_suffix(".err")) or f"exit code {child.returncode}"
        raise UserError(
            f"the stage {stage.name} failed: {reason}", log.with_suffix(".err"), "Read that file; ./tools/demo goes on from here"
        )


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Give the command, which has had the same Ctrl-C when a terminal sent it, time to keep its checkpoint."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(timeout=20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_words(file: Path) -> str:
    """The last line of a growing log, where bars overwrite themselves with carriage returns."""
    with file.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 2000))
        parts = re.split(r"[\r\n]+", stream.read().decode("utf-8", "replace"))
    words = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", part).strip() for part in parts]
    return next((part for part in reversed(words) if part), "")


class Progress:
    """One bar over all stages on stderr, moved by the seconds that each is expected to take; plain lines where no terminal is."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = list(stages)
        self.total = sum(stage.seconds for stage in stages)
        self.past = 0.0
        self.started = self.since = time.monotonic()
        self.live = sys.stderr.isatty()
        self.told = 0.0

    def skip(self, stage: Stage) -> None:
        """A stage that was done before."""
        self.past += stage.seconds
        self._line(f"{self._name(stage)}: done before")

    def begin(self, stage: Stage) -> None:
        """A stage starts."""
        self.since = self.told = time.monotonic()
        if not self.live:
            self._line(f"{self._name(stage)} …")

    def end(self, stage: Stage) -> float:
        """A stage is done; returns its seconds."""
        seconds = time.monotonic() - self.since
        self.past += stage.seconds
        self._line(f"{self._name(stage)}: {seconds:.0f} s")
        return round(seconds, 1)

    def show(self, stage: Stage, words: str) -> None:
        """Draw the bar; without a terminal, a line every half minute."""
        now = time.monotonic()
        inside = min((now - self.since) / stage.seconds, 0.97) * stage.seconds
        share = (self.past + inside) / self.total
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            bar = "█" * round(share * BAR) + "·" * (BAR - round(share * BAR))
            minutes, seconds = divmod(int(now - self.started), 60)
            text = f"{bar} {100 * share:3.0f} %  {minutes}:{seconds:02d}  {self._name(stage)}  {words}"
            click.echo("\r\x1b[K" + text[:width], err=True, nl=False)
        elif now - self.told > 30:
            self.told = now
            self._line(": ".join(filter(None, [f"  {100 * share:3.0f} % of all, {self._name(stage)}", words[:100]])))

    def _name(self, stage: Stage) -> str:
        return f"[{self.stages.index(stage) + 1}/{len(self.stages)}] {stage.title}"

    def _line(self, text: str) -> None:
        console.say(("\r\x1b[K" if self.live else "") + text)


if __name__ == "__main__":
    console.run(demo, "tools/demo")
