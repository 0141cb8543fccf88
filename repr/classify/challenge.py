"""Table 1 of Bi, Wang and Fan, A Multimodal Late Fusion Model for E-Commerce Product Classification, SIGIR eCom 2020, beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from repr.classify.late import FUSERS
from repr.classify.summary import ClassifyRow
from repr.evaluation.words import points, rate
from repr.experiments.summary import paired_rows

METRIC = "f1_macro"
PAPER = {
    "image": "69.21 / –",
    "text": "89.93 / –",
    "feature-level fusion": "89.87 / –",
    "decision-level fusion": "90.94 / 90.17",
    "ensemble": "– / 91.44",
}  # macro-F1, per cent, phase 1 (937 products) / phase 2 (8,435); its third place had 90.53 in phase 2, and phase 1's best 91.94


def kind_of(model: str, modality: str) -> str:
    """Which of the paper's rows a row of ours belongs to, a key of PAPER."""
    if model == "committee":
        return "ensemble"
    if model in FUSERS:
        return "decision-level fusion"
    return "feature-level fusion" if modality.startswith("image+text") else modality.removesuffix("+ocr")


def remarks(rows: Sequence[ClassifyRow]) -> list[str]:
    """The paper's numbers beside our best of each kind, and what decision-level fusion gains, paired by seed: plainly, if nothing.

    Told of the paper's two layers, and of our best row of decision-level fusion; of each level, part and preset by itself.
    """
    groups: dict[tuple[int, str, str], list[ClassifyRow]] = {}
    for row in rows:
        groups.setdefault((row.config.level, row.config.part, row.config.preset), []).append(row)
    said = ["Paper: Table 1, macro-F1 in phase 1 / phase 2; ours: the best row of each kind on these data, chosen by its test score."]
    for group, members in groups.items():
        level, part, preset = group
        begins = f"Level {level}{f', {part}' if part else ''}, preset {preset}: " if len(groups) > 1 else ""
        said += [begins + line for line in _of_group(members)]
    return said


def _of_group(rows: Sequence[ClassifyRow]) -> list[str]:
    best: dict[str, ClassifyRow] = {}
    for row in rows:
        kind = kind_of(row.config.model, row.config.modality)
        if row.mean(METRIC) is not None and (kind not in best or _score(row) > _score(best[kind])):
            best[kind] = row
    said = []
    for kind, printed in PAPER.items():
        ours = f"{rate(best[kind].row.metrics[METRIC])} ({best[kind].config.model})" if kind in best else "not run"
        said.append(f"{kind}: paper {printed}, ours {ours}")
    papers = next((row for row in rows if row.config.model == "layers" and row.ran), None)
    single = max((best[kind] for kind in ("image", "text") if kind in best), key=_score, default=None)
    for other, words in ((single, "the better single modality"), (best.get("feature-level fusion"), "the best feature-level row")):
        decisions = {row.config.model: row for row in (papers, best.get("decision-level fusion")) if row}
        said += [_gain(decision, other, words) for decision in decisions.values() if other]
    return said


def _score(row: ClassifyRow) -> float:
    return row.mean(METRIC) or 0.0


def _gain(a: ClassifyRow, b: ClassifyRow, words: str) -> str:
    test = paired_rows(a.row, b.row, METRIC)
    if test is None:
        return f"{a.config.model} and {b.config.model} share no split"
    chance = ""
    if test.ci95 is not None:
        significant = abs(test.difference) > test.ci95
        chance = "; it may be nothing" if not significant else "; above zero" if test.difference > 0 else "; below zero"
    return f"{a.config.model} over {words} ({b.config.model}): {points(test.difference, test.ci95)} points of macro-F1{chance}"
