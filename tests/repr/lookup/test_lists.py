"""Inverted lists: nearly the exact answers, the numbers recorded, additions and removals as without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.errors import UserError
from repr.lookup.index import Index
from repr.models.weights import fresh


def clustered(n: int, dim: int, generator: np.random.Generator) -> np.ndarray:
    centres = generator.normal(size=(20, dim))
    return (centres[generator.integers(20, size=n)] + 0.3 * generator.normal(size=(n, dim))).astype(np.float32)


def test_lists_agree_with_the_exact_search_as_often_as_they_say(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    vectors = clustered(3000, 16, generator)
    index = Index.create(tmp_path / "index", fresh("resnet18", 64, 0), dim=16, root=tmp_path)
    index.add_vectors(vectors, [str(i) for i in range(3000)], [f"{i}.jpg" for i in range(3000)])
    queries = clustered(200, 16, generator)
    exact = [{m.product for m in matches} for matches in index.search(queries, 10)]
    lists = index.build_lists(generator, smallest=1000)
    assert lists.recall_at_10 >= 0.99 and 1 <= lists.nprobe <= lists.nlist
    reopened = Index.open(tmp_path / "index")
    assert reopened.info()["lists"] == {"nlist": lists.nlist, "nprobe": lists.nprobe, "recall_at_10": lists.recall_at_10}
    found = [{m.product for m in matches} for matches in reopened.search(queries, 10)]
    assert np.mean([len(e & f) / 10 for e, f in zip(exact, found, strict=True)]) > 0.95

    reopened.remove(["5"])
    reopened.add_vectors(queries[:3], ["a", "b", "c"], ["a.jpg", "b.jpg", "c.jpg"])
    again = Index.open(tmp_path / "index")
    assert [matches[0].product for matches in again.search(queries[:3], 1)] == ["a", "b", "c"]
    assert "5" not in {m.product for m in again.search(vectors[5:6], 2000)[0]}

    (tmp_path / "index" / "segment-000001.lists.npy").write_bytes(b"")
    with pytest.raises(UserError, match="lists"):
        Index.open(tmp_path / "index").search(queries, 1)


def test_too_few_vectors_for_lists(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", fresh("resnet18", 64, 0), dim=2, root=tmp_path)
    index.add_vectors(np.eye(2, dtype=np.float32), ["a", "b"], ["a.jpg", "b.jpg"])
    with pytest.raises(UserError, match="too few"):
        index.build_lists(np.random.default_rng(0))
    assert Index.open(tmp_path / "index").info()["search"] == "exact"
