"""The text of a run: what stands in the table, what is said beside it, and what never is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from repr.evaluation.statistics import Metric
from repr.experiments.document import Comparison, Document, Row, TrialFile
from rpc_transfer import summary
from rpc_transfer.results import COMMAND, About, Results, RowConfig

CONFIG = RowConfig("ncm", "none", "as given", 10, 10, "train", "validation", (2,), None, "resnet18", 64, (1.0,))
ABOUT = About(0, ("6", "7"), 5, 2, 0, 1000, 20, 0, 3)
SEEDS = (TrialFile(0, "a", "x"), TrialFile(1, "b", "y"), TrialFile(2, "c", "z"))


def row(weights: str, mean: float | None, *, error: str = "", more: dict[str, Metric] | None = None, **changes: object) -> Row:
    metric = None if mean is None else Metric(mean, 0.01, (mean - 0.01, mean, mean + 0.01))
    metrics = {} if metric is None else dict.fromkeys(("acc_all", "acc_base", "acc_novel", "harmonic_mean"), metric)
    config = replace(CONFIG, weights=weights, **changes)  # type: ignore[arg-type]
    return Row(config.as_config(), {**metrics, **(more or {})}, () if metric is None else SEEDS, error=error)


ROWS = (row("none", 0.3), row("runs/a", 0.4))


def results(rows: Sequence[Row] = ROWS, comparisons: Sequence[Comparison] = (), about: About = ABOUT, synthetic: bool = False) -> Results:
    document = Document(COMMAND, "shop", synthetic, tuple(rows), tuple(comparisons), notes=("a note",), about=about.as_config())
    return Results(Path("nowhere"), document)


def text(rows: Sequence[Row] = ROWS, comparisons: Sequence[Comparison] = (), about: About = ABOUT, synthetic: bool = False) -> str:
    return "\n".join(summary.lines(results(rows, comparisons, about, synthetic)))


def test_rates_are_in_per_cent_with_their_interval() -> None:
    assert "30.0 ± 1.0" in text() and "40.0 ± 1.0" in text()
    assert text().startswith(
        "shop: 5 base and 2 novel products, shots from train, tested on validation (1,000 base and 20 novel images), 3 "
    )
    assert "Note: a note." in text()


def test_one_seed_has_no_interval() -> None:
    one = Row(CONFIG.as_config(), {"acc_all": Metric(0.3, None, (0.3,))}, SEEDS[:1])
    assert "1 seed." in text([one]) and "no interval, which would need 3 seeds or more" in text([one]) and "±" not in text([one])


def test_image_sizes_and_crops_have_a_column_where_they_differ() -> None:
    assert " px " not in text() and " px " in text([row("none", 0.3), row("imagenet", 0.4, size=160)])
    assert " crops " not in text() and "1,0.5" in text([row("none", 0.3), row("imagenet", 0.4, crops=(1.0, 0.5))])


def test_the_synthetic_shop_is_labelled_in_every_row() -> None:
    shown = text(synthetic=True)
    assert "[synthetic" in shown
    assert all(line.endswith("synthetic") for line in shown.splitlines() if line.startswith("ncm"))
    assert "synthetic" not in text()


def test_a_row_that_was_not_run_says_why() -> None:
    shown = text([row("none", 0.3), row("imagenet", None, error="the package is not there")])
    assert "not run" in shown and "imagenet could not be run: the package is not there" in shown


def test_a_metric_that_does_not_apply_is_a_dash() -> None:
    alone = row("none", None, more={"acc_all": Metric(0.3, None, (0.3, None))})
    assert text([alone]).splitlines()[5].split()[-4:] == ["30.0", "–", "–", "–"]


def test_the_papers_figures_stand_in_a_footnote_beside_rpc_alone() -> None:
    rpc = replace(ABOUT, base=166, novel=34, supercategories=17)
    shown = text(about=rpc)
    assert "59.63" not in text() and "59.63" not in text(about=replace(rpc, supercategories=9))
    assert "its own figures on RPC (it does not say of how many runs)" in shown.splitlines()[-1] and "64.01 novel" in shown.splitlines()[-1]


def test_paired_tests_are_lines() -> None:
    rows = [row("none", 0.3, features="base-trained"), row("runs/a", 0.4)]
    shown = text(rows, [Comparison(1, 0, "weights", "acc_all", 0.1, 0.02, 0.004, 5)])
    assert "ncm, 10 shots, a (as given) against none (base-trained): all +10.0 ± 2.0 (p 0.004)" in shown


def test_two_seeds_make_no_test() -> None:
    rows = [row("none", 0.3), row("runs/a", 0.4)]
    shown = text(rows, [Comparison(1, 0, of, "acc_all", 0.1, 0.7, 0.5, 2) for of in ("weights", "joint")])
    assert "paired t-test" not in shown and "70.0" not in shown


def test_rows_stand_beside_joint_and_linear() -> None:
    rows = [row("runs/a", 0.4), row("runs/a", 0.5, learner="joint", features="trained"), row("imagenet", 0.5, learner="linear")]
    tests = [
        Comparison(0, b, against, metric, difference, 0.02, 0.1, 5)
        for b, against in ((1, "joint"), (2, "imagenet"))
        for metric, difference in (("acc_all", -0.05), ("acc_base", -0.01), ("acc_novel", -0.12))
    ]
    lines = text(rows, tests).splitlines()
    header = next(line for line in lines if "novel − linear" in line)
    assert header.index("base − joint") < header.index("novel − joint") < header.index("all − joint") < header.index("base − linear")
    assert lines[-1].split()[:1] == ["ncm"] and lines[-1].count("-12.0 ± 2.0") == 2
    assert "paired t-test" not in text(rows, tests)


def test_the_memory_is_a_column_where_something_is_trained() -> None:
    assert "memory" not in text()
    assert "2,000" in text([row("none", 0.3), row("none", 0.4, learner="finetune", memory=2000)])


def test_several_numbers_of_shots_have_a_column() -> None:
    assert "shots" in text([row("none", 0.1), row("none", 0.2, shots=5)]).splitlines()[3]


def test_the_row_looked_at_has_the_most_shots_and_the_highest_harmonic_mean() -> None:
    rows = results([row("a", 0.9, shots=1), row("b", 0.3, shots=5), row("c", 0.4, shots=5), row("d", None, shots=5)]).rows
    assert summary.best_row(rows) is rows[2]
    assert summary.best_row(rows[3:]) is None
