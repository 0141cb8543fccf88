"""Looking up images of every kind, with an encoder made ready once."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from repr.errors import UserError
from repr.lookup.index import Index
from repr.lookup.matches import Answer
from repr.lookup.replies import boxes_of
from repr.lookup.store import NewImage, Product
from repr.models.weights import fresh

SIZE = (48, 40)


def pixels(n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(n).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def products(answer: Answer) -> list[str]:
    return [match.product for match in answer.matches]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Six images, a product each; the last is stored by a box of its file."""
    for n in range(6):
        Image.fromarray(pixels(n)).save(tmp_path / f"{n}.png")
    made = Index.create(tmp_path / "index", weights=fresh("resnet18", 32, 0), crops=[1], root=tmp_path, device="cpu")
    boxes = [None] * 5 + [(4.0, 4.0, 20.0, 20.0)]
    files = [tmp_path / f"{n}.png" for n in range(6)]
    features = made.embedder.images(files, boxes).features
    with made.store.change("add") as change:
        change.put_products([Product(f"p{n}") for n in range(6)])
        change.add([NewImage(f"p{n}", f"{n}.png", bytes([n]) * 32, features[n], boxes[n]) for n in range(6)])
    return Index.open(tmp_path / "index", device="cpu")


def test_a_path_bytes_an_image_and_pixels_are_answered_alike(index: Index, tmp_path: Path) -> None:
    file = tmp_path / "3.png"
    kinds = [file, str(file), file.read_bytes(), Image.fromarray(pixels(3)), pixels(3)]
    answers = [index.lookup(kind, k=3) for kind in kinds]
    first = answers[0].matches
    assert first[0].product == "p3" and first[0].score == pytest.approx(1, abs=1e-5) and len(first) == 3
    assert all(answer.matches == first for answer in answers)
    together = index.lookup(kinds, k=3)
    assert [products(answer) for answer in together] == [products(answers[0])] * 5 and together == index.lookup(tuple(kinds), k=3)
    np.testing.assert_allclose([[m.score for m in answer.matches] for answer in together], [[m.score for m in first]] * 5, atol=1e-5)
    assert index.lookup([file], k=2)[0].matches == first[:2] and index.lookup([]) == []


def test_a_stored_file_is_looked_up_by_its_box_and_its_pixels_are_not(index: Index, tmp_path: Path) -> None:
    assert boxes_of(index.store, index.root, [tmp_path / "5.png", tmp_path / "4.png", pixels(5), b"", tmp_path / "none.png"]) == [
        (4, 4, 20, 20),
        *[None] * 4,
    ]
    by_file, by_pixels = index.lookup([tmp_path / "5.png", pixels(5)], k=6)
    assert by_file.matches[0].product == "p5" and by_file.matches[0].score == pytest.approx(1, abs=1e-5)
    assert next(m.score for m in by_pixels.matches if m.product == "p5") < 0.9999


def test_what_cannot_be_read_is_named(index: Index, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.png: no such file"):
        index.lookup(tmp_path / "none.png")
    good, bad = index.lookup([pixels(0), b""])
    assert products(good)[0] == "p0" and not good.error
    assert bad == Answer("image 2", error="an empty file")
    assert bad.as_json() == {"query": "image 2", "unknown": None, "matches": [], "error": "an empty file"}
    with pytest.raises(UserError, match="given as NoneType"):
        index.lookup(None)  # type: ignore[call-overload]
    made = index.embed([pixels(0), b"", tmp_path / "1.png"])
    assert made.rows.tolist() == [0, 2] and [q.path for q in made.quarantine] == ["image 2"]


def test_the_encoder_is_made_ready_once_an_opened_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    copies, real = [], copy.deepcopy

    def counted(thing: Any, *memo: Any) -> Any:
        if type(thing).__name__ == "Encoder":
            copies.append(thing)
        return real(thing, *memo)

    monkeypatch.setattr(copy, "deepcopy", counted)
    first = index.lookup(pixels(1))
    assert index.lookup(pixels(1)) == first
    assert [products(answer) for answer in index.lookup([pixels(1)] * 3)] == [products(first)] * 3
    index.remove(["p2"])
    assert "p2" not in products(index.lookup(pixels(1)))
    assert len(copies) == 1


@pytest.mark.slow
def test_a_forked_child_answers_as_its_parent(index: Index, tmp_path: Path) -> None:
    (tmp_path / "fork.py").write_text(
        "import os, sys\n"
        "import numpy as np\n"
        "from repr import Index\n"
        "index = Index.open(sys.argv[1], device='cpu')\n"
        "images = sys.argv[2:] * 12\n"
        "here = [[m.product for m in found.matches] for found in index.lookup(images)]\n"
        "vectors = np.tile(index.embed(images).vectors, (8, 1))\n"
        "index.search(vectors)  # so many that FAISS takes its threads too, which a child does not have\n"
        "for anew in (False, True):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        index = Index.open(sys.argv[1], device='cpu') if anew else index\n"
        "        index.search(vectors)\n"
        "        os._exit(0 if [[m.product for m in found.matches] for found in index.lookup(images)] == here else 3)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    command = [sys.executable, tmp_path / "fork.py", index.folder, *[tmp_path / f"{n}.png" for n in range(6)]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.stdout == "0\n0\n", done.stderr
