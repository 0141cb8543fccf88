"""The folder of `repr evaluate --out`: config.json, the vectors in our own open format, and the page with neighbours and map."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from repr.arrays import Ints
from repr.catalog.table import Catalog
from repr.commands import command_line
from repr.evaluation.evaluate import BY_LEVEL, Evaluation, caption, level_table, table
from repr.evaluation.linear import BATCH, RATE
from repr.evaluation.maps import flat_map
from repr.evaluation.measure import Constants, Row
from repr.evaluation.task import write_vectors
from repr.evaluation.words import percent
from repr.experiments.evaluations import COMMAND, evaluated
from repr.experiments.recording import finish
from repr.images.decode import decode
from repr.images.reader import Unreadable, read_image
from repr.records import Json
from repr.reports import unfinished
from repr.reports.embedding_map import map_fragment
from repr.reports.page import Page
from repr.reports.sheet import SheetRow
from repr.reports.training_report import NOVEL
from repr.runs import Run
from repr.search.exact import top_k

MAP_POINTS = 2_000  # t-SNE of them takes some ten seconds on two cores, their images two megabytes
THUMB = 48  # pixels a side in the map
SHOWN, NEIGHBOURS = 6, 6  # queries on the sheet, and what is found for each


def save(
    out: Path,
    arguments: Mapping[str, object],
    evaluation: Evaluation | None,
    others: Sequence[Row],
    constants: Constants,
) -> Path:
    """Write the run folder, results.json and the vectors included, and return the path of its report.html.

    arguments: of the command. others: the rows of somebody's vectors.
    """
    files = _files([row.name for row in evaluation.rows]) if evaluation else {}
    document = evaluated(evaluation, others, constants, files)
    typed = {name: _plain(value) for name, value in arguments.items()}
    run = Run.create(
        out, COMMAND, typed, data=document.data, synthetic=document.synthetic, resolved=resolved(arguments, evaluation, others)
    )
    for name, file in files.items():
        assert evaluation is not None
        vectors = evaluation.vectors[name]
        write_vectors(run.path / file, vectors, evaluation.labels, evaluation.names, evaluation.stored, evaluation.queries)
    page = Page(f"Evaluation on {document.data}", document.synthetic)
    _next(page, arguments)
    _numbers(page, evaluation, [*(evaluation.rows if evaluation else ()), *others], constants)
    if evaluation:
        generator = np.random.default_rng(constants.seed)
        page.section("Nearest neighbours")
        _neighbours(page, evaluation, generator)
        page.section("Map of the embedding")
        _map(page, evaluation, generator)
    page.section("Settings")
    page.options(run)
    path = page.write(run.path / "report.html")
    finish(run, document)
    return path


def save_unfinished(out: Path, arguments: Mapping[str, object], catalog: Catalog, error: BaseException) -> Path | None:
    """Write the run folder of an evaluation that did not reach its end, and return the path of its page. Vectors are in the cache."""
    typed = {name: _plain(value) for name, value in arguments.items()}
    run = Run.create(out, COMMAND, typed, data=catalog.name, synthetic=catalog.synthetic)
    if isinstance(error, Exception):
        run.finish("failed", {"error": str(error)})
    else:
        run.finish("stopped")
    return unfinished.write(out, COMMAND)


def resolved(arguments: Mapping[str, object], evaluation: Evaluation | None, others: Sequence[Row]) -> dict[str, Json]:
    """What was left open and came to: the neighbours that vote are at most the stored images; the rate of the probe follows the batch."""
    rows = [*(evaluation.rows if evaluation else ()), *others]
    batches = sorted({min(BATCH, row.bank) for row in rows if row.linear_top1 is not None})
    probe: dict[str, Json] = {"linear_lr": [RATE * batch / BATCH for batch in batches], "linear_weight_decay": 0.0} if batches else {}
    seed = next((value for name in ("data_seed", "seed") if isinstance(value := arguments.get(name), int)), None)
    return {**(evaluation.resolved if evaluation else {}), "k": sorted({row.knn_k for row in rows}), "data_seed": seed, **probe}


def _next(page: Page, arguments: Mapping[str, object]) -> None:
    """What to type next, where images were measured: vectors of somebody's have none."""
    data, weights = arguments.get("data"), arguments.get("weights")
    if not isinstance(data, list | tuple) or not data or not isinstance(weights, list | tuple) or not weights:
        return
    page.section("What to try next")
    index = command_line("repr index build", data=tuple(map(str, data)), weights=str(weights[0]), out="shop.index")
    taking_in = command_line("rpc_transfer run", data=tuple(map(str, data)), novel=NOVEL, weights=str(weights[0]))
    page.code(f"{index}\n{taking_in}")


def _files(names: Sequence[str]) -> dict[str, str]:
    """A file's name for each row's, numbered where another row's came out the same."""
    files: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"[^\w.+-]+", "-", name).strip("-")
        numbered = (f"{stem}{f'-{n}' if n else ''}.npz" for n in itertools.count())
        files[name] = next(candidate for candidate in numbered if candidate not in files.values())
    return files


def _plain(value: object) -> object:
    """An option's value as JSON takes it."""
    if isinstance(value, tuple):
        return [str(part) if isinstance(part, Path) else part for part in value]
    return value


def _numbers(page: Page, evaluation: Evaluation | None, rows: Sequence[Row], constants: Constants) -> None:
    page.section("Numbers")
    pixels = [evaluation.raw_pixels] if evaluation and evaluation.raw_pixels else []
    every = [*rows, *pixels]
    page.table(*table(every), caption(every, constants))
    if by_level := level_table(every):
        page.table(*by_level, BY_LEVEL)
    bins = every[0].by_resolution
    if bins:
        head = [f"{b['from']}–{b['to']} px" if b["to"] else f"from {b['from']} px" for b in bins]
        lines = [[row.name, *(percent(b["accuracy"]) for b in row.by_resolution)] for row in every if row.by_resolution]
        lines.append(["images", *(f"{b['n']:,}" for b in bins)])
        page.table(["kNN by the source's shorter side", *head], lines, "Per cent of the queries of each size.")
    if evaluation and evaluation.leaks:
        page.text("\n".join(f"- {leak}." for leak in evaluation.leaks))
    if evaluation and evaluation.quarantine:
        page.text(f"{len(evaluation.quarantine)} images could not be read and are left out; the first: `{evaluation.quarantine[0].path}`.")


def _neighbours(page: Page, evaluation: Evaluation, generator: np.random.Generator) -> None:
    """The same queries by raw pixels and by each embedding, one sheet each."""
    stored, queries = evaluation.stored, evaluation.queries
    chosen = np.sort(generator.permutation(queries)[:SHOWN])
    names = list(evaluation.vectors)
    for name in sorted(names, key=lambda n: (evaluation.raw_pixels is None or n != evaluation.raw_pixels.name, names.index(n))):
        vectors = evaluation.vectors[name]
        _, nearest = top_k(vectors[chosen], vectors[stored], NEIGHBOURS + 1)
        sheet = []
        for query, positions in zip(chosen, nearest, strict=True):
            others = [int(row) for row in stored[positions] if row != query][:NEIGHBOURS]
            label = evaluation.names[evaluation.labels[query]]
            matches = [
                (
                    _image(evaluation, row),
                    evaluation.names[evaluation.labels[row]],
                    bool(evaluation.labels[row] == evaluation.labels[query]),
                )
                for row in others
            ]
            sheet.append(SheetRow(_image(evaluation, int(query)), label, matches))
        page.heading(f"By {name}")
        page.neighbours(sheet, "The query on the left, drawn by chance, the same for every sheet; then what is nearest, best first.")
    page.text(f"Queries and stored images are those of the table: {len(queries):,} and {len(stored):,}.")


def _map(page: Page, evaluation: Evaluation, generator: np.random.Generator) -> None:
    chosen = np.sort(generator.permutation(evaluation.queries)[:MAP_POINTS])
    images = evaluation.part.select(chosen)
    thumbs = np.full((len(chosen), THUMB, THUMB, 3), 255, np.uint8)
    for chunk in decode(images.files(), images.boxes(), THUMB, fit="pad"):
        thumbs[chunk.positions] = chunk.pixels
    maps, made = {}, ""
    for row in evaluation.rows:
        maps[row.name], made = flat_map(evaluation.vectors[row.name][chosen], np.random.default_rng(0))
    first = evaluation.rows[0]
    correct = first.correct[np.searchsorted(evaluation.queries, chosen)]
    labels = [
        f"{evaluation.names[evaluation.labels[row]]}: {'right' if right else 'wrong'} by {first.name}"
        for row, right in zip(chosen, correct, strict=True)
    ]
    words = (
        f"{made} of {len(chosen):,} of {len(evaluation.queries):,} queries, drawn by chance. Point at a dot, or tap it, to see its image; "
        "choose a group to see it alone. Near points are alike; distances between far groups mean little."
    )
    page.html(map_fragment(maps, thumbs, labels, _groups(evaluation, chosen), words))


def _groups(evaluation: Evaluation, chosen: Ints) -> list[str]:
    """A name to colour each point by: its class on the coarsest level that has more than one."""
    part = evaluation.part.select(chosen)
    for level in range(1, evaluation.level + 1):
        if (part.column(f"class_{level}") >= 0).all():
            codes, names = part.labels(level)
            if len(names) > 1:
                return [names[code] for code in codes]
    return [evaluation.names[evaluation.labels[row]] for row in chosen]


def _image(evaluation: Evaluation, row: int) -> Path | Image.Image:
    """The image of a row for a sheet: cropped to its box when it has one."""
    file = evaluation.part.file(row)
    box = evaluation.part.table.column("box")[row].as_py()
    if box is None:
        return file
    try:
        return read_image(file, short_side=192, box=box)
    except Unreadable:
        return file
