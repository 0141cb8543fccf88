"""`repr serve` under load, beside `repr.embed` in bulk, on this machine's loopback.

    python tools/bench/serve.py [--weights imagenet] [--images 200] [--clients 64] [--requests 10000] [--seconds 15] [--json] [--keep FILE]

The index holds the drawn photographs (220 px, about 20 KB). Measured one after the other:

bulk      images a second of `repr.embed` on bytes of the same photographs, all at once
full      --clients at once, each with its next photograph as soon as it has its answer, for --seconds: images a second, errors
half      requests at half of that rate, evenly spaced, for --seconds: p50, p99
flat      --requests in all, a tenth of them lookups: memory and open files of the service after a tenth of them and at the end

The clients are threads of one process of their own, which take their share of the cores. Bars: no error, full ≥ 0.8 × bulk,
p99 ≤ 3 × p50, memory and open files flat (≤ 10 % and ≤ 8 more). Bulk is measured before and after, and the mean of both taken.
--keep writes the figures with command, day and machine, as they stand in tools/bench/results.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import harness

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds until a request, or the beginning of the service, is given up
Row = dict[str, str | float]
HEADERS = {"Content-Type": "application/octet-stream"}


@contextmanager
def service(folder: Path, log: Path) -> Iterator[tuple[int, int]]:
    """Process id and port of a warm service of an index, which writes to a log: a pipe that nobody reads would stop it when it is full."""
    command = [sys.executable, "-m", "repr", "serve", str(folder), "--port", "0", "--device", "cpu"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        end, port = time.monotonic() + PATIENCE, 0
        while not (port and ask(HTTPConnection("127.0.0.1", port), "GET", "/readyz") == 200):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"The service did not begin:\n{log.read_text()}")
            port = int(log.read_text().partition(" at http://127.0.0.1:")[2].partition("/")[0] or 0)
            time.sleep(0.1)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(60)


def ask(connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> int:
    """The status of one request; 0 where the connection broke."""
    try:
        connection.request(method, path, body, HEADERS if body else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, HTTPException):
        connection.close()
        return 0


def crowd(port: int, clients: int, work: Callable[[HTTPConnection, int], None]) -> None:
    """Run `work` in so many threads at once, each with a connection of its own."""

    def _client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        work(connection, number)
        connection.close()

    threads = [threading.Thread(target=_client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def full(port: int, photographs: Sequence[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Images a second and errors with every client busy."""
    statuses: list[int] = []
    end = time.perf_counter() + seconds

    def _work(connection: HTTPConnection, number: int) -> None:
        turn = number
        while time.perf_counter() < end:
            statuses.append(ask(connection, "POST", "/v1/lookup?k=5", photographs[turn % len(photographs)]))
            turn += clients

    begun = time.perf_counter()
    crowd(port, clients, _work)
    took = time.perf_counter() - begun
    return {
        "images_a_second": statuses.count(200) / took,
        "errors": float(len(statuses) - statuses.count(200)),
        "asked": float(len(statuses)),
    }


def steady(port: int, photographs: Sequence[bytes], rate: float, seconds: float) -> dict[str, float]:
    """p50 and p99 in seconds, from when each request was due, at so many a second."""
    due: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()
    times: list[float] = []

    def _work(connection: HTTPConnection, _: int) -> None:
        while (one := due.get()) is not None:
            if ask(connection, "POST", "/v1/lookup?k=5", one[1]) == 200:
                times.append(time.perf_counter() - one[0])

    def _clock() -> None:
        begun = time.perf_counter()
        for number in range(int(rate * seconds)):
            moment = begun + number / rate
            time.sleep(max(0.0, moment - time.perf_counter()))
            due.put((moment, photographs[number % len(photographs)]))
        for _ in range(32):
            due.put(None)

    clock = threading.Thread(target=_clock)
    clock.start()
    crowd(port, 32, _work)
    clock.join()
    cuts = statistics.quantiles(times, n=100)
    return {"rate": rate, "asked": float(len(times)), "p50": cuts[49], "p99": cuts[98], "ratio": cuts[98] / cuts[49]}


def flat(pid: int, port: int, photographs: Sequence[bytes], requests: int) -> dict[str, float]:
    """Memory and open files of the service after a tenth of the requests, and after all."""
    small = [("GET", "/v1/products?limit=5"), ("GET", "/v1/products/kind%200"), ("GET", "/v1/images/1?size=64"), ("GET", "/healthz")]

    def _some(number: int) -> None:
        def _work(connection: HTTPConnection, client: int) -> None:
            for turn in range(client, number, 16):
                if turn % 10 == 0:
                    ask(connection, "POST", "/v1/lookup?k=5", photographs[turn % len(photographs)])
                else:
                    ask(connection, *small[turn % len(small)])

        crowd(port, 16, _work)

    _some(requests // 10)
    before = held(pid)
    _some(requests - requests // 10)
    after = held(pid)
    return {"mb_before": before[0], "mb_after": after[0], "files_before": before[1], "files_after": after[1], "requests": float(requests)}


def held(pid: int) -> tuple[float, float]:
    """MB of memory, and open files, of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, float(len(list(Path(f"/proc/{pid}/fd").iterdir())))


def bulk(folder: Path, weights: str) -> float:
    """Images a second of `repr.embed`, in a process of its own, at the crops of the index."""
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom repr import embed, load\nfrom repr.lookup.building import CROPS\n"
        "images = [file.read_bytes() for file in sorted(Path(sys.argv[1]).rglob('*.jpg'))]\n"
        "embedder = load(sys.argv[2], crops=CROPS, device='cpu')\nembed(images[:64], embedder)\nbegun = time.perf_counter()\n"
        "embed(images, embedder)\nprint(len(images) / (time.perf_counter() - begun))\n"
    )
    command = [sys.executable, "-c", script, str(folder), weights]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.split()[-1])


def measure(arguments: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    """One after the other; ratio: to bulk, p99 to p50, memory at the end to that of the beginning."""
    from repr.lookup.index import Index

    folder = scratch / "photographs"
    harness.draw(folder, harness.SIZES["220 px"], arguments.images)
    Index.create(scratch / "index", weights=arguments.weights, data=folder, device="cpu").close()
    photographs = [file.read_bytes() for file in sorted(folder.rglob("*.jpg"))]
    before = bulk(folder, arguments.weights)
    with service(scratch / "index", scratch / "log") as (pid, port):
        most = full(port, photographs, arguments.clients, arguments.seconds)
        after = bulk(folder, arguments.weights)
        embedded = (before + after) / 2
        yield {"name": "bulk", "images_a_second": embedded, "before": before, "after": after, "ratio": 1.0}
        yield {"name": "full", **most, "ratio": most["images_a_second"] / embedded}
        yield {"name": "half", **steady(port, photographs, most["images_a_second"] / 2, arguments.seconds)}
        even = flat(pid, port, photographs, arguments.requests)
        yield {"name": "flat", **even, "ratio": even["mb_after"] / even["mb_before"]}


def main() -> None:
    """Print a line a measurement, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the figures to a JSON file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = list[Row]()
        for row in measure(arguments, Path(scratch)):
            rows.append(row)
            if arguments.keep is not None:  # what is measured stays, should it be stopped
                harness.keep(arguments.keep, rows)
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print(", ".join(f"{name} {value:,.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
