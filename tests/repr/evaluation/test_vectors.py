"""Somebody's vectors measured, and the tables of what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.errors import UserError
from repr.evaluation.evaluate import caption, evaluate_vectors, level_table, table, warn_of_one_class
from repr.evaluation.measure import Constants, Row, measure

CONSTANTS = Constants(k=3, epochs=2)


def written(file: Path, queries: list[list[float]], labels: list[str], gallery: list[list[float]], gallery_labels: list[str]) -> Path:
    file.parent.mkdir(exist_ok=True)
    np.savez(
        file,
        embeddings=np.array(queries, np.float32),
        labels=np.array(labels),
        gallery_embeddings=np.array(gallery, np.float32),
        gallery_labels=np.array(gallery_labels),
    )
    return file


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files of one name, on a plane: tea to the right and milk above; in the second the two milks are asked the wrong way round."""
    gallery, names = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], ["tea", "tea", "milk", "milk"]
    return [
        written(tmp_path / "a" / "mine.npz", [[2.0, 0.1], [0.1, 3.0]], ["tea", "milk"], gallery, names),
        written(tmp_path / "b" / "mine.npz", [[2.0, 0.1], [3.0, 0.1]], ["tea", "milk"], gallery, names),
    ]


def test_a_row_a_file_named_apart(files: list[Path]) -> None:
    rows = evaluate_vectors(files, CONSTANTS)
    assert [row.name for row in rows] == ["a/mine", "b/mine"]
    assert [row.knn_top1 for row in rows] == [1.0, 0.5] and [row.retrieval.micro["recall@1"] for row in rows] == [1.0, 0.5]
    assert [(row.bank, row.queries, row.dim) for row in rows] == [(4, 2, 2)] * 2


def test_what_says_nothing_is_said(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate_vectors(files, CONSTANTS)
    assert capsys.readouterr().err == ""
    alone = written(tmp_path / "one.npz", [[1.0, 0.0]], ["tea"], [[1.0, 0.0], [0.0, 0.0]], ["tea", "tea"])
    evaluate_vectors([alone], CONSTANTS)
    said = capsys.readouterr().err
    assert "one: one class only, so every answer is right" in said and "one: 1 of the embeddings are all zeros" in said


def test_one_class_is_warned_of_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_one_class("shop", np.array([3, 4, 3]))
    assert capsys.readouterr().err == ""
    warn_of_one_class("C+C", np.array([3, 3, 3]))
    assert capsys.readouterr().err.startswith("Warning: C+C: one class only")


def test_a_file_that_does_not_fit_is_named(tmp_path: Path, files: list[Path]) -> None:
    bad = written(tmp_path / "bad.npz", [[1.0, 0.0, 0.0]], ["tea"], [[1.0, 0.0]], ["tea"])
    with pytest.raises(UserError, match=r"bad\.npz"):
        evaluate_vectors([*files, bad], CONSTANTS)


def of_levels(name: str, *numbers: int) -> Row:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 4)
    vectors, levels = rng.normal(size=(12, 4)).astype(np.float32), {level: labels // (2 if level == 1 else 1) for level in numbers}
    return measure(name, vectors, labels, None, labels, CONSTANTS, bank_levels=levels, query_levels=levels)


def test_levels_are_a_table_where_there_are_several() -> None:
    assert level_table([of_levels("one", 2)]) is None and level_table([of_levels("none")]) is None
    both, fine = of_levels("both", 1, 2), of_levels("fine", 2)
    header, lines = level_table([both, fine]) or ([], [])
    assert header == ["weights", "level 1", "level 2"]
    assert lines[0][0] == "both" and lines[0][1:] == [f"{100 * both.by_level[level]:.1f}" for level in (1, 2)]
    assert lines[1] == ["fine", "–", f"{100 * fine.by_level[2]:.1f}"]
    assert both.by_level[1] >= both.by_level[2], "right in kind is right in the kind's kind"


def test_the_caption_names_every_constant(files: list[Path]) -> None:
    rows = evaluate_vectors(files, Constants(k=50, epochs=2, seed=7))
    text = caption(rows, Constants(k=50, epochs=2, seed=7))
    assert "2 queries against 4 stored images. kNN: cosine, k = 4 (capped from 50 to the stored images)" in text
    assert "SGD 2 epochs on stored features, last epoch, seed 7" in text and "0 lone queries" in text
    assert "several sets" in caption([*rows, of_levels("other")], CONSTANTS)
    header, lines = table(rows)
    assert all(len(line) == len(header) for line in lines) and [line[0] for line in lines] == ["a/mine", "b/mine"]
    assert lines[1][header.index("recall@1")] == "50.0"
