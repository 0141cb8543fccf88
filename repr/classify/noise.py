"""Labels that look wrong: confident learning on out-of-fold probabilities, training rows alone; looked over, edited and taken out.

Northcutt, Jiang and Chuang, Confident Learning, JAIR 70 (2021), by its authors' package cleanlab; used as by Bi, Wang and Fan, A
Multimodal Late Fusion Model, SIGIR eCom 2020, section 3.2.1. Unlike there, no validation row is pruned.
"""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.arrays import Bools, Floats, Ints
from repr.catalog import sheet
from repr.catalog.passed import Tally
from repr.catalog.sources import open_sources, split_name
from repr.catalog.table import Catalog
from repr.catalog.union import with_split
from repr.classify.data import Data, Problem
from repr.classify.folds import OutOfFold, divide, out_of_fold
from repr.classify.metrics import check_sums
from repr.classify.opening import Opened
from repr.classify.pruning import Request, to_drop
from repr.classify.settings import Settings, Shared, check_used, split_of
from repr.errors import UserError
from repr.experiments.trials import NotRun
from repr.files import held, replacing, write_json
from repr.records import Json
from repr.runs import Run, claim
from repr.settings import declared, values

log = logging.getLogger(__name__)

SCHEMA = 1
COMMAND = "repr classify noise find"
FLAGGED, CATALOG, RESULT = "flagged.csv", "catalog.parquet", "noise.json"
COLUMNS = ("row", "product", "image", "given", "proposed", "margin", "drop")
GIVEN = (*declared(Shared), "mask", "weights", "text_encoder")  # of a request, what its row has too
MARKS = {"yes": True, "no": False}
UNTAUGHT = "training rows whose class the model that is asked was not taught: all of it is in one fold"
UNSEEN = "training rows that show the model nothing"


@dataclass(frozen=True)
class Flagged:
    """A training row whose label looks wrong. row: of the catalog. margin: by how much the proposed class is likelier than the given."""

    row: int
    product: str
    given: str
    proposed: str
    margin: float
    dropped: bool


@dataclass(frozen=True)
class Findings:
    """Worst first. rows: training rows that were looked at; unjudged: of these, that no model could judge. catalog: as it was divided,
    validation rows as "val"."""

    flagged: tuple[Flagged, ...]
    rows: int
    unjudged: int
    folds: int
    catalog: Catalog

    def as_json(self) -> dict[str, Json]:
        """The object that is printed and kept."""
        flagged: list[Json] = [
            {"product": one.product, "given": one.given, "proposed": one.proposed, "margin": one.margin, "dropped": one.dropped}
            for one in self.flagged
        ]
        return {"schema": SCHEMA, "flagged": flagged, "rows": self.rows, "unjudged": self.unjudged, "folds": self.folds}

    @property
    def words(self) -> str:
        """The same in a sentence."""
        dropped = sum(one.dropped for one in self.flagged)
        unjudged = f"; {self.unjudged:,} could not be judged" if self.unjudged else ""
        return f"{len(self.flagged):,} of {self.rows:,} training rows flagged, {dropped:,} of them dropped{unjudged}."


@dataclass(frozen=True)
class Applied:
    """What was taken out. rows: of the catalog that was written."""

    catalog: Path
    rows: int
    dropped: int

    def as_json(self) -> dict[str, Json]:
        """The object that is printed."""
        return {"catalog": str(self.catalog), "rows": self.rows, "dropped": self.dropped}

    @property
    def words(self) -> str:
        """The same in a sentence."""
        return f"{self.dropped:,} training rows dropped, {self.rows:,} rows left: {self.catalog}"


def find(request: Request, out: Path | None = None) -> Findings:
    """Flag the training rows of the data whose label looks wrong, and write the folder where there is one.

    Raises UserError for data or weights that cannot be read, and where the model lacks what it needs.
    """
    if out:
        claim(out, COMMAND)
    usual = Request()
    check_used([_row(request, request.level or 1, "")], {name: getattr(request, name) != getattr(usual, name) for name in GIVEN})
    read = open_sources(request.data)
    split = split_name(read, split_of(request.preset, request.split))
    opened = Opened(read, request.subset or "", request.limit, request.data_seed, request.test_share)
    catalog = opened(request.seed, "", split)
    if request.ocr:
        opened.check_ocr(request.data)
    settings = _row(request, request.level or catalog.default_level, split)
    data = Data(catalog, ocr=request.ocr, mask=request.mask)
    problem = data.problem(settings.level, seed=settings.seed)
    fold = divide(problem, data.titles, request.folds, request.seed)
    try:
        seen = out_of_fold(data, settings, problem, fold)
    except NotRun as reason:
        raise UserError(f"{settings.model} cannot be trained here", "", str(reason), argument="model") from None
    findings = judge(catalog, problem, seen, data.blind(settings.modality), request)
    if out:
        _write(findings, request, out)
    return findings


def _row(request: Request, level: int, split: str) -> Settings:
    """The row of the model that judges."""
    given = {name: getattr(request, name) for name in GIVEN}
    return Settings(**given, model=request.model, level=level, seed=request.seed, preset=request.preset, split=split)


def judge(catalog: Catalog, problem: Problem, seen: OutOfFold, blind: Bools, request: Request) -> Findings:
    """What is flagged by the probabilities of the training rows; those that cannot be judged are counted as passed over.

    blind: (catalog rows,) which show the model nothing.
    """
    labels, nothing = problem.labels[seen.rows], blind[seen.rows]
    order = flag(labels, seen.probabilities, seen.taught & ~nothing)
    proposed, margins = margin(labels, seen.probabilities)
    count = to_drop(request.drop, len(order))
    keys = catalog.product_keys()
    flagged = tuple(
        Flagged(
            int(seen.rows[i]), str(keys[seen.rows[i]]), problem.names[labels[i]], problem.names[proposed[i]], float(margins[i]), n < count
        )
        for n, i in enumerate(order.tolist())
    )
    unjudged = Tally()
    for reason, rows in ((UNSEEN, seen.rows[nothing]), (UNTAUGHT, seen.rows[~seen.taught & ~nothing])):
        for row in rows:
            unjudged.add(reason, str(keys[row]))
    for one in unjudged.list():
        log.warning(f"P{one.line()[1:]}.", extra={"passed_over": one.as_json()})
    split = catalog.column("split").astype(object)
    if problem.held_out:
        split[problem.validation] = "val"
    return Findings(flagged, len(seen.rows), sum(one.count for one in unjudged.list()), request.folds, with_split(catalog, split))


def flag(labels: Ints, probabilities: Floats, taught: Bools) -> Ints:
    """Positions of the rows whose label looks wrong, worst first, by the smallest margin of the given class over the others.

    labels: (n,) class numbers; probabilities: (n, c), rows that sum to one; taught: (n,) rows that can be judged at all. The classes are
    numbered anew from 0 without gaps, as cleanlab wants them. Raises UserError without the package, and for rows that do not sum to one.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError:
        raise UserError("finding noise needs the package cleanlab", "", "Install it with `pip install 'product-repr[noise]'`") from None
    check_sums(probabilities)
    judged = np.flatnonzero(taught)
    known, own = np.unique(labels[judged], return_inverse=True)
    if len(known) < 2:
        raise UserError("fewer than two classes can be judged", "", "Give more rows of each class, or more `folds`")
    scores = probabilities[judged][:, known].astype(np.float64)
    scores /= np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    issues = find_label_issues(own, scores, return_indices_ranked_by="normalized_margin", n_jobs=1)
    order = judged[np.asarray(issues, np.int64)]
    return order[np.argsort(-margin(labels[order], probabilities[order])[1], kind="stable")]


def margin(labels: Ints, probabilities: Floats) -> tuple[Ints, Floats]:
    """(n,) the likeliest class that is not the given one, and (n,) by how much it is likelier than that one, -1 to 1."""
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1
    proposed = others.argmax(axis=1)
    return proposed, probabilities[rows, proposed] - probabilities[rows, labels]


def _write(findings: Findings, request: Request, out: Path) -> None:
    with held(out):
        run = Run.create(out, COMMAND, dict(values(request)), data=findings.catalog.name, synthetic=findings.catalog.synthetic)
        findings.catalog.write(out / CATALOG)
        write_json(out / RESULT, findings.as_json())
        paths = findings.catalog.table["path"]
        with (
            replacing(out / FLAGGED) as temporary,
            temporary.open("w", newline="", encoding="utf-8-sig") as stream,
        ):  # BOM: for spreadsheets
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for one in findings.flagged:
                mark = "yes" if one.dropped else "no"
                path = paths[one.row].as_py()
                writer.writerow([one.row, one.product, path, one.given, one.proposed, f"{one.margin:.6f}", mark])
        run.finish("done", {"flagged": len(findings.flagged), "rows": findings.rows, "unjudged": findings.unjudged})


def apply(folder: Path, out: Path, drop: str | None = None) -> Applied:
    """Write the catalog of a folder of `find` without the rows that its flagged.csv marks "yes"; drop: the worst so many instead.

    Raises UserError, with the line, for marks that are none, rows of other products, and rows that are not for training.
    """
    if out.suffix.lower() != ".parquet":
        raise UserError("a catalog is written as Parquet", out, "Name it .parquet", argument="out")
    missing = next((name for name in (CATALOG, FLAGGED) if not (folder / name).is_file()), None)
    if missing:
        raise UserError(f"no {missing} in it", folder, f"Give the folder that `{COMMAND}` wrote with `out`")
    catalog = Catalog.read(folder / CATALOG)
    marked = _marked(folder / FLAGGED, catalog)
    rows = list(marked)[: to_drop(drop, len(marked))] if drop else [row for row, dropped in marked.items() if dropped]
    kept = np.ones(len(catalog), bool)
    kept[rows] = False
    catalog.select(kept).write(out)
    return Applied(out, int(kept.sum()), len(rows))


def _marked(file: Path, catalog: Catalog) -> dict[int, bool]:
    """Catalog row → whether it is to be dropped, in the file's order."""
    keys, split = catalog.product_keys(), catalog.column("split")
    marks: dict[int, bool] = {}
    expected = f"The first row names the columns: {', '.join(COLUMNS)}"
    listed = sheet.read(file, lambda header: "drop" in header, expected=expected)
    missing = [name for name in ("row", "product", "drop") if name not in listed.columns]
    if missing:
        raise UserError(f"no column {', '.join(missing)}", file, expected)
    for number, entry in listed.rows:
        where = f"{file}, row {number}"
        mark = MARKS.get(entry["drop"].lower())
        if mark is None:
            raise UserError(f"drop is {entry['drop']!r}", where, "Write yes or no")
        row = int(entry["row"]) if entry["row"].isdecimal() else -1
        if not 0 <= row < len(catalog) or str(keys[row]).strip() != entry["product"]:
            raise UserError(f"row {entry['row']} of the catalog is not product {entry['product']}", where, "Leave these columns alone")
        if split[row] != "train":
            raise UserError(f"row {row} is not for training", where, "Take the line out; only training rows are pruned")
        if row in marks:
            raise UserError(f"row {row} stands twice", where, "Keep one of the lines")
        marks[row] = mark
    return marks
