"""A reader in another process never waits for a writer, and sees what was committed with its next question."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from repr.lookup.index import Index
from repr.lookup.store import NewImage, Product
from repr.models.weights import fresh
from repr.vectors import normalised

ROOT = Path(__file__).resolve().parents[3]
DIM = 512
READER = """
import sys
from repr.lookup.index import Index
from tests.repr.lookup.test_beside import vector
index = Index.open(sys.argv[1], device="cpu")
for line in sys.stdin:
    found = index.search(vector(int(line))[None], k=1)[0]
    print(found[0].product, flush=True)
"""


def vector(number: int) -> np.ndarray:
    features: np.ndarray = normalised(np.random.default_rng(number).standard_normal((1, DIM), dtype=np.float32))[0]
    return features


def image(number: int) -> NewImage:
    return NewImage(f"p{number}", f"{number}.jpg", number.to_bytes(32, "big"), vector(number))


def put(index: Index, *numbers: int) -> None:
    with index.store.change("add") as change:
        change.put_products([Product(f"p{number}") for number in numbers])
        change.add([image(number) for number in numbers])


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index.create(tmp_path / "i", weights=fresh("resnet18", 32, 0), crops=[1], device="cpu")
    put(made, *range(200))
    return made


@pytest.fixture
def reader(index: Index) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", READER, str(index.folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def asked(reader: subprocess.Popen[str], number: int) -> str:
    """What the other process finds for an image."""
    assert reader.stdin is not None and reader.stdout is not None
    reader.stdin.write(f"{number}\n")
    reader.stdin.flush()
    return reader.stdout.readline().strip()


def test_a_reader_beside_a_writer(index: Index, reader: subprocess.Popen[str]) -> None:
    assert asked(reader, 7) == "p7"
    for number in range(200, 300):
        with index.store.change("add") as change:
            change.put_products([Product(f"p{number}")])
            change.add([image(number)])
            if number % 20 == 0:  # it is answered while the change is open: waiting for it, it would never be
                assert asked(reader, number) != f"p{number}" and asked(reader, 8) == "p8"
        assert asked(reader, number) == f"p{number}"
    index.remove(["p250"])
    assert asked(reader, 250) != "p250"
    index.rename("p251", "another")
    assert asked(reader, 251) == "another"


def test_a_reader_while_all_is_written_anew(index: Index, reader: subprocess.Popen[str]) -> None:
    index.remove([f"p{number}" for number in range(100)])
    index.compact()
    assert asked(reader, 150) == "p150" and asked(reader, 50) != "p50"
    index.store.db.execute("BEGIN EXCLUSIVE")
    assert asked(reader, 151) == "p151"
    index.store.db.execute("ROLLBACK")
