"""`repr serve` under load, beside `repr.embed` in bulk, on this machine's loopback.

    python tools/bench/serve.py [--weights imagenet] [--images 400] [--clients 64] [--requests 10000] [--seconds 15] [--json]

The index holds 200 of the drawn photographs (220 px, about 20 KB). Measured one after the other:

bulk      images a second of `repr.embed` on bytes of the same photographs, all at once
full      --clients at once, each with its next photograph as soon as it has its answer, for --seconds: images a second, errors
half      requests at half of that rate, evenly spaced, for --seconds: p50, p99
flat      --requests in all, mostly listings and lookups: memory and open files of the service after a tenth of them and at the end

The clients are threads of one process of their own, which take their share of the cores. Bars: no error, full ≥ 0.8 × bulk,
p99 ≤ 3 × p50, memory and open files flat (≤ 10 % and ≤ 8 more).
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
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import harness

ROOT = Path(__file__).resolve().parents[2]
STORED = 200
HEADERS = {"Content-Type": "application/octet-stream"}


@contextmanager
def service(folder: Path) -> Iterator[tuple[int, int]]:
    """Process id and port of a warm service of an index."""
    command = [sys.executable, "-m", "repr", "serve", str(folder), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert process.stderr is not None
        port = 0
        for line in process.stderr:
            if " at http://" in line:
                port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
                break
        assert port, "the service did not begin to listen"
        while ask(HTTPConnection("127.0.0.1", port), "GET", "/readyz") != 200:
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
    except OSError:
        connection.close()
        return 0


def crowd(port: int, clients: int, work: Callable[[HTTPConnection, int], None]) -> None:
    """Run `work` in so many threads at once, each with a connection of its own."""

    def _client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
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


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All four, one after the other."""
    from repr.lookup.index import Index

    folder = scratch / "photographs"
    harness.draw(folder, harness.SIZES["220 px"], arguments.images)
    files = sorted(folder.rglob("*.jpg"))
    index = Index.create(scratch / "index", weights=arguments.weights, device="cpu")
    for kind in sorted(folder.iterdir()):
        index.add(kind.name, [file for file in files[:STORED] if file.parent == kind] or files[-1:])
    photographs = [file.read_bytes() for file in files]
    before = bulk(folder, arguments.weights)
    with service(scratch / "index") as (pid, port):
        most = full(port, photographs, arguments.clients, arguments.seconds)
        half = steady(port, photographs, most["images_a_second"] / 2, arguments.seconds)
        even = flat(pid, port, photographs, arguments.requests)
    embedded = (before + bulk(folder, arguments.weights)) / 2
    return {"bulk": embedded, "full": {**most, "ratio": most["images_a_second"] / embedded}, "half": half, "flat": even}


def main() -> None:
    """Print a line a measurement, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(arguments, Path(scratch))
    if arguments.json:
        print(json.dumps(found))
        return
    most, half, even = found["full"], found["half"], found["flat"]
    print(f"bulk  {found['bulk']:.0f} images a second by repr.embed")
    print(f"full  {most['images_a_second']:.0f} a second: {most['ratio']:.2f} x bulk, {most['errors']:.0f} of {most['asked']:.0f} failed")
    print(f"half  {half['rate']:.0f} a second: p50 {1000 * half['p50']:.0f} ms, p99 {1000 * half['p99']:.0f} ms, {half['ratio']:.1f} x")
    print(
        f"flat  {even['requests']:.0f} requests: {even['mb_before']:.0f} -> {even['mb_after']:.0f} MB, "
        f"{even['files_before']:.0f} -> {even['files_after']:.0f} open files"
    )


if __name__ == "__main__":
    main()
