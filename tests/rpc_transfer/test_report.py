"""The report of a transfer run, on a run folder made here with known predictions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from repr.arrays import Array
from repr.catalog.sources import open_data
from repr.errors import UserError
from repr.evaluation.words import rate
from repr.experiments import document
from repr.experiments.document import TRIALS, Document, Row, UsedWeights
from repr.experiments.summary import compared, summarise
from repr.experiments.trials import NotRun, Store, Trial, Wanted
from repr.models.weights import fresh, write_weights
from repr.records import to_json
from repr.runs import Run
from rpc_transfer import metrics, report, report_errors, results
from rpc_transfer.cli.report import command
from rpc_transfer.draw import make_split
from rpc_transfer.protocol import Split, SplitFile
from rpc_transfer.results import COMMAND, About, RowConfig
from rpc_transfer.summary import best_row

pytestmark = pytest.mark.usefixtures("thin")

LEARNERS = ("finetune", "ncm")
COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (200, 30, 200), (30, 200, 200))


def draw_shop(folder: Path) -> Path:
    """Six products of one colour each, eight images a product, in class folders."""
    rng = np.random.default_rng(0)
    for n, colour in enumerate(COLOURS):
        for i in range(8):
            pixels = np.clip(np.array(colour) + rng.normal(0, 20, (24, 32, 3)), 0, 255).astype(np.uint8)
            path = folder / f"product <{n}>" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder


def answers(split: Split, seed: int, right: float, rng: np.random.Generator) -> dict[str, Array]:
    """A trial's arrays with about a share `right` of right predictions; the others are of the next class."""
    products = split.products
    labels = np.repeat(np.arange(len(products)), [len(split.tests[seed][product]) for product in products])
    wrong = rng.random(len(labels)) > right
    predictions = np.where(wrong, (labels + 1) % len(products), labels)
    return {
        "tests": np.arange(len(labels)),
        "labels": labels,
        "predictions": predictions,
        "novel_only": np.full(len(labels), len(split.base)),
        "confidence": rng.random(len(labels)).astype(np.float32),
        "known": rng.random(len(labels)).astype(np.float32),
    }


def trial(split: Split, seed: int, right: float, rng: np.random.Generator) -> Trial:
    """A trial with about a share `right` of right predictions."""
    arrays = answers(split, seed, right, rng)
    judged = metrics.accuracies(arrays["labels"], arrays["predictions"], len(split.base))
    steps = (metrics.Step.of(len(split.base), judged), metrics.Step.of(len(split.products), judged))
    return Trial({**judged, "ece": 0.1, "forgetting_base": -0.01, "seconds": 1.5}, {"steps": to_json(steps)}, arrays)


def make_run(
    folder: Path,
    data: str,
    *,
    novel: int,
    shots: Sequence[int],
    seeds: int,
    weights: dict[str, float],
    synthetic: bool = False,
    increments: str = "",
    size: int = 32,
) -> Path:
    """A run folder as `rpc_transfer run` leaves it. weights: name -> share of right predictions."""
    catalog = open_data((data,), default="rpc", split="random")
    split = make_split(catalog, novel=novel, shots=max(shots), seeds=tuple(range(seeds)), test_on="validation", increments=increments)
    run = Run.create(folder, COMMAND, {"data": [data], "novel": novel}, data=catalog.name, synthetic=synthetic)
    file = SplitFile.of(split, catalog)
    file.write(folder / "split.json")
    rng, store = np.random.default_rng(1), Store(folder / TRIALS)
    rows: list[Row] = []
    plan = tuple(len(step) for step in split.increments)
    for n in shots:
        for learner in LEARNERS:
            for name, right in weights.items():
                pairs: list[tuple[Wanted, Trial | NotRun]] = []
                for seed in split.seeds:
                    wanted, one = (
                        Wanted(len(rows), seed, learner, f"{len(rows)}-{seed}", file.key(seed, n)),
                        trial(split, seed, right, rng),
                    )
                    pairs.append((wanted, one))
                    store.write(wanted.file, one)
                kind = "trained" if learner == "finetune" else "base-trained" if name == "none" else "as given"
                config = RowConfig(learner, name, kind, n, n, "train", "validation", plan, None, "resnet18", size, (1.0,))
                rows.append(summarise(config.as_config(), pairs))
    rows.append(Row({**rows[-1].config, "weights": "lost"}, {}, error="the file is gone"))
    comparisons = compared(rows, 1, 0, ["acc_novel"], against="weights") if len(weights) > 1 else []
    made = [
        UsedWeights(name, "resnet18", ("simclr on 'nuts': from imagenet, epochs 12",), (32,), (1.0,)) for name in weights if name != "none"
    ]
    about = About.of(split).as_config()
    notes = ("a note with <angles>",)
    parts = (tuple(rows), tuple(comparisons), tuple(made))
    document.write(folder, Document(COMMAND, catalog.name, synthetic, *parts, notes=notes, about=about))
    run.finish("done", {"rows": len(rows)})
    return folder


class Links(HTMLParser):
    """What a page would load, and the tags that were left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br", "link", "input", "hr"):
            self.open.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "srcset", "data", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "xlink:href")]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    write_weights(path, fresh("resnet18", 32, 0))
    return str(path)


@pytest.fixture(scope="module")
def run(data: Path, weights: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    right = {"none": 0.5, weights: 0.7}
    return make_run(tmp_path_factory.mktemp("run"), str(data), novel=2, shots=(1, 3), seeds=3, weights=right, increments="2x1")


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return report.write(run).read_text(encoding="utf-8")


def test_it_is_well_formed_and_loads_nothing(html: str) -> None:
    links = Links()
    links.feed(html)
    assert links.open == []
    assert all(source.startswith(("data:", "#")) for source in links.loaded)
    assert "url(http" not in html and "@import" not in html
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))


def test_what_the_rows_begin_from_stands_in_a_table(html: str) -> None:
    (line,) = re.findall(r"<tr>(?:(?!</tr>).)*from imagenet, epochs 12.*?</tr>", html, re.DOTALL)
    assert all(word in line for word in ("resnet18", "simclr", "nuts", "32 px"))


def test_names_are_escaped(html: str) -> None:
    assert "product <" not in html and "product &lt;0&gt;" in html
    assert "a note with &lt;angles&gt;" in html


def test_the_figures_are_those_of_the_results(html: str, run: Path) -> None:
    for row in results.read(run).rows:
        if not row.error:
            assert rate(row.metrics["acc_novel"]) in html


def test_the_papers_figures_stand_apart(html: str) -> None:
    assert "the paper&#x27;s, with MEP-for-RPC" in html and "64.01" in html
    assert "another set than this run" in html


def test_a_row_that_could_not_be_run_says_why(html: str) -> None:
    assert "Rows from lost could not be run: the file is gone." in html and "not run" in html


@pytest.mark.parametrize("part", ["Accuracy against shots", "After each increment", "The worst confusions", "Nearest neighbours and a map"])
def test_all_parts_are_there(html: str, part: str) -> None:
    assert part in html


def test_every_figure_and_image_has_words(html: str) -> None:
    assert html.count("<svg") == html.count('role="img" aria-label="') >= 7
    assert 'aria-label=""' not in html and 'alt=""' not in html


def test_confusions_are_counted_over_the_seeds(run: Path) -> None:
    run_results = results.read(run)
    best = best_row(run_results.rows)
    assert best is not None
    counts = report_errors.confusion_counts(run_results, best, 6)
    slow = np.zeros((6, 6), dtype=np.int64)
    for one in run_results.trials(best).values():
        arrays = one.arrays
        for true, said in zip(arrays["labels"], arrays["predictions"], strict=True):
            slow[true, said] += 1
    assert (counts == slow).all()


def test_weights_of_equal_names_are_told_apart(data: Path, tmp_path: Path) -> None:
    right = {"x/weights.safetensors": 0.4, "y/weights.safetensors": 0.8}
    folder = make_run(tmp_path / "run", str(data), novel=1, shots=(1, 2), seeds=3, weights=right)
    html = report.write(folder).read_text(encoding="utf-8")
    assert "y/weights against x/weights" in html and "Starting from x/weights." in html
    for row in results.read(folder).rows[:-1]:  # each in the ladder and against shots
        assert rate(row.metrics["acc_novel"]) in html


def test_a_synthetic_run_is_labelled(data: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", str(data), novel=1, shots=(2,), seeds=1, weights={"none": 0.6}, synthetic=True)
    html = report.write(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "(synthetic)</title>" in html and 'class="synthetic"' in html
    assert not (folder / "report.html").exists()


def test_two_seeds_give_points_without_intervals(data: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", str(data), novel=1, shots=(2,), seeds=2, weights={"none": 0.6, "runs/a": 0.7})
    html = report.write(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Two draws of shots, so points without intervals" in html and "too few for a test" in html
    assert "±" not in html and "Highest harmonic mean" not in html


def test_without_the_data_it_says_so(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise UserError("there is no such folder", "shop")

    monkeypatch.setattr("rpc_transfer.report_images.open_sources", gone)
    html = report.write(run, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "no images are shown: shop: there is no such folder" in html


def test_command(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(run), "--out", str(tmp_path / "page.html"), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout) == {"schema": 1, "run": str(run), "report": str(tmp_path / "page.html"), "passed_over": []}


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results in this folder"):
        report.write(tmp_path)


def test_results_of_before_a_stopped_run_are_not_read(data: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", str(data), novel=1, shots=(2,), seeds=1, weights={"none": 0.6})
    Run.open(folder).finish("stopped")
    with pytest.raises(UserError, match="this run has not ended"):
        report.write(folder)


def test_the_results_of_another_command_are_refused(tmp_path: Path) -> None:
    document.write(tmp_path, Document("repr classify", "shop", False, ()))
    with pytest.raises(UserError, match="the results of `repr classify`, not of a transfer run"):
        report.write(tmp_path)
