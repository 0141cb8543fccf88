"""`repr serve` in a process of its own, on a free port of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Started:
    """A service that answers at `url`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def errors(self) -> str:
        return self.log.read_text(encoding="utf-8")


@contextmanager
def started(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[Started]:
    """A warm service, ended with the block."""
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        command = [sys.executable, "-m", "repr", "serve", str(folder), "--port", "0", "--device", "cpu", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        process = subprocess.Popen(command, stderr=log, stdout=log, env=environment, cwd=ROOT)
        try:
            service = Started(process, "", Path(log.name))
            end = time.monotonic() + 120
            while not (service.url and ready(service.url)):
                assert process.poll() is None and time.monotonic() < end, service.errors()
                said = service.errors().partition(" at http://")[2].partition("/")[0]
                service.url = f"http://{said}" if said else ""
                time.sleep(0.05)
            yield service
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ready(url: str) -> bool:
    """Whether a service is warm."""
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
