"""Rows over their seeds, rows against rows, and both in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from repr.catalog.splits import SHARE
from repr.classify.settings import RowConfig, Settings
from repr.evaluation.words import ENOUGH
from repr.experiments.document import Comparison, Row
from repr.experiments.summary import compared
from repr.experiments.summary import summarise as summarised
from repr.experiments.trials import Found, Trial

TRAINED = ("fine_share", "weak", "balanced", "adjust", "preset", "layers")  # alike in rows that are compared
AGAINST_PART, AGAINST_FLAT = "modality", "flat"  # why two rows are compared: both modalities with one, a hierarchy with none
SHOWN = ("top1", "f1_macro")
COUNTED = {
    "untrained": "of a class without training rows",
    "no_text": "without any text",
    "unknown_text": "without a known word",
    "no_image": "without a readable image",
}


@dataclass(frozen=True)
class ClassifyRow:
    """A row of the document, with its config typed. trials: those that ran, by seed, without their arrays."""

    config: RowConfig
    row: Row
    trials: Mapping[int, Trial]

    @property
    def ran(self) -> bool:
        """Whether any of its seeds could be run."""
        return bool(self.row.trials)

    def mean(self, metric: str) -> float | None:
        """The mean of a metric over the seeds; None where it has none."""
        figure = self.row.metrics.get(metric)
        return figure.mean if figure else None


def redrawn(split: str, *, by_seed: bool, share: float = SHARE) -> float:
    """Test over training rows where every seed divides the same rows anew; 0 where the data bring their split, or one seed divides them.

    See `half_width`. share: of the rows that are for the test. A limit or a share of fine labels makes the training rows fewer, not the
    splits more alike.
    """
    return share / (1 - share) if by_seed and split != "own" else 0.0


def summarise(
    settings: Settings, results: Sequence[Found], *, synthetic: bool = False, by_seed: bool = True, share: float = SHARE
) -> ClassifyRow:
    """The row of one `Settings`. results: its trials in the order of the seeds. by_seed, share: as in `redrawn`."""
    trials = {wanted.seed: trial for wanted, trial in results if isinstance(trial, Trial)}
    held_out = any(trial.details["held_out"] for trial in trials.values())
    config = replace(settings.config, held_out=held_out)
    row = summarised(asdict(config), results, synthetic=synthetic, redrawn=redrawn(config.split, by_seed=by_seed, share=share))
    return ClassifyRow(config, row, trials)


def comparisons(rows: Sequence[ClassifyRow], metric: str = "top1") -> list[Comparison]:
    """Rows compared seed by seed on a metric, a minus b: every image + text row with every row of one modality on the same level and texts,
    then every hierarchical row with the flat one on the same features and level."""
    configs, of_document = [row.config for row in rows], [row.row for row in rows]
    tests: list[Comparison] = []
    for against, worth in ((AGAINST_PART, _both_and_one), (AGAINST_FLAT, _tree_and_flat)):
        for i, a in enumerate(configs):
            for j, b in enumerate(configs):
                if worth(a, b):
                    tests += compared(of_document, i, j, (metric,), against=against)
    return tests


def _alike(a: RowConfig, b: RowConfig, *names: str) -> bool:
    return all(getattr(a, name) == getattr(b, name) for name in ("level", "part", *TRAINED, *names))


def _both_and_one(a: RowConfig, b: RowConfig) -> bool:
    varied = "masked" if "text" in b.modality else "weights"
    ocr = "text" not in b.modality or ("+ocr" in a.modality) == ("+ocr" in b.modality)
    return "+text" in a.modality and "+text" not in b.modality and ocr and _alike(a, b, "hierarchy", varied)


def _tree_and_flat(a: RowConfig, b: RowConfig) -> bool:
    alike = _alike(a, b, "model", "modality", "masked", "weights", "text_encoder")
    return b.hierarchy == "flat" and a.hierarchy not in ("", "flat") and alike


def left_out(rows: Sequence[ClassifyRow]) -> list[str]:
    """A line for each reason why rows were not run: "Not run: vgg19 (3 rows), resnet50: no weights"."""
    reasons: dict[str, dict[str, int]] = {}
    for row in rows:
        if not row.ran:
            members = reasons.setdefault(row.row.error, {})
            members[row.config.model] = members.get(row.config.model, 0) + 1
    listed = {why: ", ".join(model + (f" ({n} rows)" if n > 1 else "") for model, n in members.items()) for why, members in reasons.items()}
    return [f"Not run: {models}: {why}" for why, models in listed.items()]


def name(row: RowConfig, weights: Mapping[str, str]) -> str:
    """A row's model, weights, hierarchy and treatment of the long tail in a few words. weights: short names (`weights_names`)."""
    weak = f"{100 * row.fine_share:g} % {row.weak}" if row.fine_share < 1 else ""
    layers = "" if row.layers is None else f"{row.layers} hidden layers" if row.layers != 1 else "1 hidden layer"
    towers = f"{row.towers} towers" if row.towers not in ("", "frozen") else ""
    words = [row.model, weights.get(row.weights, ""), towers, layers, row.hierarchy, weak, "balanced" if row.balanced else ""]
    return " ".join(filter(None, [*words, f"adjusted {row.adjust:g}" if row.adjust else ""]))


def title(row: RowConfig, weights: Mapping[str, str]) -> str:
    """A row's name, what it reads where that is not told by it, and the part it is of: no two rows of a run have the same on one level."""
    words = (" + OCR" if "+ocr" in row.modality else "") + (" (masked)" if row.masked else "")
    return name(row, weights) + words + (f", {row.part}" if row.part else "") + (", preset paper" if row.preset == "paper" else "")


def caption(rows: Sequence[ClassifyRow]) -> str:
    """What the numbers are: unit, averages, seeds, what was left out."""
    done = [row for row in rows if row.ran]
    if not done:
        return "No row was run."
    first = done[0]
    seeds = len(first.row.seeds)
    vary = "split and start vary; widened for splits of the same rows" if first.row.redrawn else "the start varies, the test rows do not"
    interval = f"± half of the 95 % interval ({vary})" if seeds >= ENOUGH else "too few for an interval"
    over = f"Means over {seeds} seeds, {interval}. " if seeds > 1 else "One seed. "
    synthetic = "Synthetic images and titles: an illustration. " if first.row.synthetic else ""
    train, test = (_range(_counts(done, part)) for part in ("train", "test"))
    held = " (a tenth held out for the temperature)" if first.config.held_out else ", the temperature from the data's own validation part"
    divided, presets = (", ".join(dict.fromkeys(getattr(row.config, name) for row in done)) for name in ("split", "preset"))
    sizes = f"{train} training rows{held}, {test} test rows, split {divided}, preset {presets}"
    counts = {words: max(_counts(done, name), default=0) for name, words in COUNTED.items()}
    sizes += "".join(f"; up to {count:,} of these {words}" for words, count in counts.items() if count)
    averages = "AP micro: all scores in one list; AP macro: mean over classes. ECE after temperature scaling."
    return f"{synthetic}Per cent. {over}{averages} Seconds leave out what was kept from earlier rows. {sizes}."


def _counts(rows: Sequence[ClassifyRow], name: str) -> list[int]:
    """A count of rows, of every seed of every row that has it."""
    metrics = [row.row.metrics[f"rows/{name}"] for row in rows if f"rows/{name}" in row.row.metrics]
    return [int(value) for metric in metrics for value in metric.values if value is not None]


def _range(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
