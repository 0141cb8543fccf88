"""Whether an index keeps what it said it has: killed at random moments, and with writes that fail.

    python tools/faults/index.py [--kills 1000] [--writes 1000] [--served 1000] [--seconds S] [--seed 0] [--json]

kills: a process does one step after another (build, add, remove, rename, sync, reindex, compact, search) and is killed by SIGKILL at a
random moment; then the index is opened as it is: every step that had returned must be there, the one under way wholly or not at all (the
long ones by whole pieces), searched vectors must be found, and the same step given again must end as if nothing had happened.
writes: writes of each step fail as on a full disk, as on a bad block, or write half. Needs a C compiler.
served: a service is killed while several clients store, describe and remove products (`service`).
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a forked child has no threads to wait for

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also where this is the program

from faults import service
from faults.forked import child
from faults.shop import PIECE, Shop, Step, folder_of, prepare, words
from repr.errors import UserError
from repr.models.weights import Weights

LIFE = 25  # kills until the index is built anew
BUILDS = 3.0  # times the seconds of a build after which a process is killed at the latest; half live a quarter of it
KINDS = {"full disk": (1, errno.ENOSPC), "bad block": (2, errno.EIO), "short write": (3, 0)}
UNDER_WRITES = ("build", "add", "remove", "rename", "sync", "take", "reindex", "compact", "search")


def first(generator: random.Random) -> Step:
    """The build of a new index."""
    return {"do": "build", "folder": folder_of(generator, 6)}


def warm(weights: tuple[Weights, Weights]) -> float:
    """Do a step of each kind here, so that no child has to import anything; returns the seconds of a build."""
    generator, seconds = random.Random(0), 0.0
    for _ in range(2):
        with tempfile.TemporaryDirectory() as place:
            shop, begun = Shop(Path(place), weights), time.perf_counter()
            for step in [first(generator), *(_of(shop, do, generator) for do in ("search", "compact"))]:
                shop.spread(step)
                shop.do(step)
                shop.settle(step)
                seconds = time.perf_counter() - begun if step["do"] == "build" else seconds
            shop.check()
    return seconds


def living(shop: Shop, log: Path, seed: int, pending: Step | None) -> int:
    """Do steps until the end, which comes from outside: begun and done are written to a log."""
    generator = random.Random(seed)
    with log.open("ab", buffering=0) as stream:
        while True:
            step, again = pending or shop.draw(generator), pending is not None
            pending = None
            stream.write(f"{words(step)}\n".encode())
            shop.spread(step)
            repeat(shop, step) if again else shop.do(step)
            stream.write(b"done\n")
            shop.settle(step)


def repeat(shop: Shop, step: Step) -> int:
    """Do a step that may have been committed just before its process ended, and is refused then: the check afterwards tells which."""
    with suppress(*([UserError] if step["do"] in ("build", "rename", "remove", "reindex") else [])):
        shop.do(step)
    return 0


def replay(shop: Shop, log: Path, pending: Step | None) -> Step | None:
    """Take note of the steps that the log says were done; returns the one that was not. pending: to be done first, begun or not."""
    step = pending
    for line in log.read_text().splitlines():
        if line == "done":
            assert step is not None
            shop.settle(step)
            step = None
        else:
            step = json.loads(line)
            shop.folder = step.get("folder", shop.folder)
    return step


def kill(weights: tuple[Weights, Weights], kills: int, seed: int, longest: float, end: float) -> tuple[Counter[str], list[str]]:
    """What was under way at each kill, until so many or a moment (of `time.monotonic`), and what was wrong afterwards."""
    generator, under, wrong = random.Random(seed), Counter[str](), list[str]()
    shop, pending = None, None
    with tempfile.TemporaryDirectory() as place:
        for number in range(kills):
            if time.monotonic() > end:
                break
            if number % LIFE == 0:
                folder = Path(place) / f"life {number}"
                folder.mkdir()
                shop, pending = Shop(folder, weights), first(generator)
            assert shop is not None
            log = shop.place / f"log {number}"
            log.touch()
            begun = generator.randrange(10**9)
            process = child(partial(living, shop, log, begun, pending))
            time.sleep(generator.random() ** 2 * longest)
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            pending = replay(shop, log, pending)
            under[pending["do"] if pending else "between"] += 1
            fault = "" if os.WIFSIGNALED(status) else "the process ended by itself"
            if shop.built:
                fault = fault or shop.check(pending)
            elif shop.state:
                fault = fault or "there is no index any more"
            if fault:
                wrong.append(f"kill {number}, during {words(pending) if pending else 'nothing'}: {fault}")
                shutil.copytree(shop.place, Path(tempfile.gettempdir()) / f"faults-{number}", dirs_exist_ok=True)
                pending, shop = first(generator), Shop(Path(tempfile.mkdtemp(dir=place)), weights)
    return under, wrong


def preloaded() -> ctypes.CDLL | None:
    """fail.c, loaded before all else: the program starts itself again with it. None where there is no compiler."""
    if "FAULTS" in os.environ:
        return ctypes.CDLL(os.environ["FAULTS"])
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = Path(tempfile.mkdtemp()) / "fail.so"
    source = Path(__file__).with_name("fail.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAULTS": str(library)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def failing(shop: Shop, step: Step, library: ctypes.CDLL, kind: str, nth: int, report: int) -> int:
    """Do a step with a write that fails. Exit code 0: done, 3: refused in words; 4: as no program should end."""
    mode, code = KINDS[kind]
    library.faults_arm(mode, nth, code, str(shop.index).encode())
    try:
        shop.do(step)
        ended = 0
    except (UserError, OSError):
        ended = 3
    except BaseException as error:
        os.write(report, repr(error).encode())
        ended = 4
    finally:
        writes = library.faults_seen()
        library.faults_arm(0, 0, 0, b"")
    return ended if writes >= nth else 5  # it went another way than when its writes were counted


def once(shop: Shop, step: Step, library: ctypes.CDLL, kind: str, nth: int) -> tuple[int, str]:
    """The exit code of a step whose n-th write fails, and what is wrong afterwards; then the step is done again."""
    shop.spread(step)
    reading, writing = os.pipe()
    process = child(lambda: failing(shop, step, library, kind, nth, writing))
    _, status = os.waitpid(process, 0)
    os.close(writing)
    text = os.read(reading, 4096).decode()
    os.close(reading)
    ended = os.waitstatus_to_exitcode(status)
    fault = "" if ended in (0, 3, 5) else f"ended by {text or ended}"
    if shop.built:
        fault = fault or shop.check(step)
    if ended == 3:
        process = child(lambda: repeat(shop, step))
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        fault = fault or ("" if code == 0 else f"given again, it ends with {code}")
    shop.settle(step)
    return ended, fault or shop.check()


def fail(weights: tuple[Weights, Weights], library: ctypes.CDLL, writes: int, seed: int, end: float) -> tuple[Counter[str], list[str]]:
    """How steps ended under failing writes, spread evenly over all steps and kinds of failure, and what was wrong afterwards. end: as for
    `kill`."""
    generator, ends, wrong = random.Random(seed), Counter[str](), list[str]()
    turns = [(do, kind) for kind in KINDS for do in UNDER_WRITES]
    for turn, (do, kind) in enumerate(turns):
        with tempfile.TemporaryDirectory() as place:
            before = prepared(Path(place) / "now", weights, do, generator)
            step = first(generator) if do == "build" else _of(before, do, generator)
            there = range(1, written(fresh(before), step, library) + 1)
            share = (turn + 1) * writes // len(turns) - turn * writes // len(turns)
            for nth in sorted(generator.sample(there, min(share, len(there)))):
                if time.monotonic() > end:
                    return ends, wrong
                ended, fault = once(fresh(before), step, library, kind, nth)
                ends[f"{kind}: {'done' if ended == 0 else 'refused'}"] += 1
                if fault:
                    wrong.append(f"{kind}, write {nth} of {words(step)}: {fault}")
    return ends, wrong


def prepared(place: Path, weights: tuple[Weights, Weights], do: str, generator: random.Random) -> Shop:
    """A shop in which a step of a kind can be done, nothing for a build, else a built one; kept for `fresh`."""
    place.mkdir()
    shop = Shop(place, weights)
    if do != "build":
        build = first(generator)
        shop.spread(build)
        os.waitpid(child(partial(repeat, shop, build)), 0)
        shop.settle(build)
    shutil.copytree(place, place.with_name("before"))
    return shop


def fresh(before: Shop) -> Shop:
    """A shop as it was when it was prepared, whatever was done to it."""
    shutil.rmtree(before.place)
    shutil.copytree(before.place.with_name("before"), before.place)
    return replace(before, state={product: set(numbers) for product, numbers in before.state.items()})


def written(shop: Shop, step: Step, library: ctypes.CDLL) -> int:
    """How many writes a step makes."""
    shop.spread(step)
    reading, writing = os.pipe()

    def _count() -> int:
        library.faults_arm(2, 0, 0, str(shop.index).encode())  # none is the 0th
        shop.do(step)
        return os.write(writing, str(library.faults_seen()).encode()) * 0

    os.waitpid(child(_count), 0)
    os.close(writing)
    number = os.read(reading, 20)
    os.close(reading)
    return int(number)


def _of(shop: Shop, do: str, generator: random.Random) -> Step:
    while (step := shop.draw(generator))["do"] != do:
        pass
    return step


def main() -> int:
    """Run both, print what happened; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--writes", type=int, default=1000, help="writes that fail")
    parser.add_argument("--served", type=int, default=1000, help="kills of a service")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which each of the three ends, done or not")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    library = preloaded() if arguments.writes else None
    weights, begun = prepare(), time.perf_counter()
    longest = BUILDS * warm(weights)
    under, wrong = kill(weights, arguments.kills, arguments.seed, longest, time.monotonic() + arguments.seconds)
    ends = Counter[str]()
    if library is not None:
        ends, more = fail(weights, library, arguments.writes, arguments.seed, time.monotonic() + arguments.seconds)
        wrong += more
    served, answered, more = service.kill(weights, arguments.served, arguments.seed, time.monotonic() + arguments.seconds)
    wrong += more
    result = {
        "kills": sum(under.values()), "during": dict(under), "writes": sum(ends.values()), "ended": dict(ends),
        "served": served, "answered": dict(answered), "wrong": wrong,
        "seconds": time.perf_counter() - begun, "piece": PIECE,
    }  # fmt: skip
    print(json.dumps(result, indent=None if arguments.json else 1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
