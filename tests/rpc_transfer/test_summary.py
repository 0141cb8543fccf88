"""The text of a run: what stands in the table, what is said beside it, and what never is."""

from __future__ import annotations

from typing import Any

from rpc_transfer.rows import FIGURES

from rpc_transfer import summary


def row(weights: str | None, mean: float | None, **changes: Any) -> dict[str, Any]:
    figure = None if mean is None else {"mean": mean, "ci95": 0.01, "values": [mean - 0.01, mean + 0.01]}
    described: dict[str, Any] = {"learner": "ncm", "weights": weights, "shots": 10, "shots_from": "train", "test_on": "validation"}
    described |= {"features": "as given", "size": 64, "error": None, **dict.fromkeys(FIGURES, figure)}
    return {**described, **changes}


def content(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"data": "shop", "seeds": [0, 1], "synthetic": False, "notes": [], "paired": [], "supercategories": 3}
    told |= {"products": {"base": 5, "novel": 2, "unknown": 0}, "tests": {"base": 1000, "novel": 20, "unknown": 0}}
    return {**told, "rows": [row(None, 0.3), row("runs/a", 0.4)], **changes}


def text(**changes: Any) -> str:
    return "\n".join(summary.lines(content(**changes)))


def test_rates_are_in_per_cent_with_their_interval() -> None:
    assert "30.0 ± 1.0" in text() and "40.0 ± 1.0" in text()


def test_image_sizes_have_a_column_where_they_differ() -> None:
    assert " px " not in text() and " px " in text(rows=[row(None, 0.3), row("imagenet", 0.4, size=160)])


def test_the_synthetic_shop_is_labelled_in_every_row() -> None:
    told = text(synthetic=True)
    assert "[synthetic" in told
    assert all(line.endswith("synthetic") for line in told.splitlines() if line.startswith("ncm"))
    assert "synthetic" not in text()


def test_a_row_that_was_not_run_says_why() -> None:
    told = text(rows=[row(None, 0.3), row("imagenet", None, error="the package is not there")])
    assert "not run" in told and "imagenet could not be run: the package is not there" in told


def test_the_papers_figures_stand_in_a_footnote_beside_rpc_alone() -> None:
    rpc = {"base": 166, "novel": 34, "unknown": 0}
    told = text(products=rpc, supercategories=17)
    assert "59.63" not in text() and "59.63" not in text(products=rpc, supercategories=9)
    assert "its own figures on RPC" in told.splitlines()[-1] and "64.01 novel" in told.splitlines()[-1]


def test_paired_tests_are_lines() -> None:
    test = {
        "learner": "ncm",
        "shots": 10,
        "metric": "acc_all",
        "a": "runs/a",
        "a_features": "as given",
        "b": None,
        "b_features": "base-trained",
    }
    told = text(paired=[{**test, "difference": 0.1, "ci95": 0.02, "p": 0.004, "n": 5}])
    assert "ncm, 10 shots, a (as given) against none (base-trained): all +10.0 ± 2.0 (p 0.004)" in told


def test_rows_stand_beside_joint_and_linear() -> None:
    test = {"learner": "ncm", "shots": 10, "a": "runs/a", "a_features": "as given", "b_features": "trained", "ci95": 0.02, "p": 0.1, "n": 5}
    tests = [
        {**test, "metric": metric, "against": against, "b": b, "b_learner": learner, "difference": difference}
        for against, b, learner in (("joint", "runs/a", "joint"), ("imagenet", "imagenet", "linear"))
        for metric, difference in (("acc_all", -0.05), ("acc_base", -0.01), ("acc_novel", -0.12))
    ]
    lines = text(paired=tests).splitlines()
    header = next(line for line in lines if "novel − linear" in line)
    assert header.index("base − joint") < header.index("novel − joint") < header.index("all − joint") < header.index("base − linear")
    assert lines[-1].split()[:1] == ["ncm"] and lines[-1].count("-12.0 ± 2.0") == 2
    assert "paired t-test" not in text(paired=tests)


def test_the_memory_is_a_column_where_something_is_trained() -> None:
    assert "memory" not in text()
    assert "2,000" in text(rows=[row(None, 0.3), row(None, 0.4, learner="finetune", memory=2000)])


def test_several_numbers_of_shots_have_a_column() -> None:
    assert "shots" in text(rows=[row(None, 0.1), row(None, 0.2, shots=5)]).splitlines()[3]
