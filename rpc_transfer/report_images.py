"""The parts of a transfer run's report that show images: worst confusions, nearest neighbours, a map of the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from repr.arrays import Bools, Floats, Ints
from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.evaluation.maps import flat_map
from repr.images.reader import Unreadable, read_image
from repr.models.weights import load_encoder
from repr.reports.figures import embedding_map
from repr.reports.page import Page
from repr.reports.sheet import SheetRow
from repr.runs import Run
from rpc_transfer.protocol import Split, read_split
from rpc_transfer.results import NONE, Results, TransferRow

PAIRS = 8  # confusions shown
SHEETS = 12  # novel products whose nearest neighbours are shown
NEAREST = 6
MAP_POINTS = 1500  # test images on the map: more cannot be told apart, and take minutes to embed on two cores
THUMB = 96  # pixels


@dataclass(frozen=True)
class Album:
    """The images of a run. catalog: the data opened again; split: the run's, found in it."""

    catalog: Catalog
    split: Split

    def image(self, row: int) -> Image.Image | Path:
        """The image of a catalog row, cut to its box; the bare path when it cannot be read, which is then drawn as a cross."""
        [box] = self.catalog.select(np.array([row])).boxes()
        file = self.catalog.file(row)
        try:
            return read_image(file, short_side=THUMB, box=box)
        except Unreadable:
            return file

    def name(self, number: int) -> str:
        """The display name of a class number, else its key."""
        key = self.split.products[number]
        return self.split.names[key] or key

    def tests(self, seed: int) -> Ints:
        """Catalog rows of a seed's test images, in the order that trials count in."""
        everything = (*self.split.products, *self.split.unknown)
        return np.concatenate([self.split.tests[seed][product] for product in everything])


def add(page: Page, results: Results, run: Run, best: TransferRow) -> None:
    """Add the parts with images. Data or weights that are not there any more are named on the page and left out."""
    try:
        catalog = open_sources(run.config["typed"]["data"], default="rpc")
        album = Album(catalog, read_split(results.split_path, catalog))
    except UserError as error:
        page.text(f"The images could not be opened again, so no images are shown: {error}")
        return
    _confusions(page, results, album, best)
    _neighbourhood(page, results, album, best)


def _confusions(page: Page, results: Results, album: Album, best: TransferRow) -> None:
    """The pairs of products that are mixed up most, each with a test image, shots of what it is and of what it was taken for."""
    trials = {seed: trial.arrays for seed, trial in results.trials(best).items()}
    wrong: dict[tuple[int, int], int] = {}
    for arrays in trials.values():
        mixed = (arrays["labels"] >= 0) & (arrays["labels"] != arrays["predictions"])
        for pair in zip(arrays["labels"][mixed].tolist(), arrays["predictions"][mixed].tolist(), strict=True):
            wrong[pair] = wrong.get(pair, 0) + 1
    if not wrong:
        return
    rows = []
    for (true, taken), n in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]:
        seed, arrays = next((s, a) for s, a in trials.items() if np.any((a["labels"] == true) & (a["predictions"] == taken)))
        places = np.flatnonzero((arrays["labels"] == true) & (arrays["predictions"] == taken))
        worst = places[np.argmax(arrays["confidence"][places])]
        query = album.tests(seed)[arrays["tests"][worst]]
        shots = album.split.support[seed]
        of_true, of_taken = shots[album.split.products[true]][:2], shots[album.split.products[taken]][:3]
        total = sum(int((a["labels"] == true).sum()) for a in trials.values())
        matches = [(album.image(int(row)), f"is {album.name(true)}", True) for row in of_true]
        matches += [(album.image(int(row)), f"taken for {album.name(taken)}", False) for row in of_taken]
        rows.append(SheetRow(album.image(int(query)), f"{album.name(true)}: {n} of {total}", matches))
    page.heading("The worst confusions")
    page.neighbours(rows, "A test image, shots of the product it shows, and shots of the product it was taken for most often.")


@dataclass(frozen=True)
class Embedded:
    """Shots and test images of the taught products, embedded. vectors: (n, d) normalised; rows: (n,) of the catalog; labels: (n,) class
    numbers; is_shot: (n,)."""

    vectors: Floats
    rows: Ints
    labels: Ints
    is_shot: Bools


def _neighbourhood(page: Page, results: Results, album: Album, best: TransferRow) -> None:
    """Nearest shots of novel products and the map, by the weights of the row looked at closely or, if it has none, of the next best."""
    ran = [row for row in results.rows if row.config.weights != NONE and "harmonic_mean" in row.metrics]
    if not ran:
        return
    row = best if best in ran else max(ran, key=lambda row: row.metrics["harmonic_mean"].mean)
    try:
        embedded = _embed(album, row, results.document.seeds[0])
    except UserError as error:
        page.text(f"The embedding could not be drawn: {error}")
        return
    page.section("Nearest neighbours and a map")
    name = Path(row.config.weights).name.removesuffix(".safetensors")
    page.text(f"By the encoder **{name}** as it came, before any product of this set was taught.")
    _nearest(page, album, embedded)
    _map(page, album.split, embedded)


def _embed(album: Album, row: TransferRow, seed: int) -> Embedded:
    """By the weights of a row, as they came."""
    shots, of_shots = _listed(album.split, seed, tests=False)
    tests, of_tests = _listed(album.split, seed, tests=True)
    if len(tests) > MAP_POINTS:
        places = np.linspace(0, len(tests) - 1, MAP_POINTS).astype(np.int64)
        tests, of_tests = tests[places], of_tests[places]
    encoder = load_encoder(row.config.weights, size=row.config.size, crops=row.config.crops)
    rows, labels = np.concatenate([shots, tests]), np.concatenate([of_shots, of_tests])
    embeddings = Embedder(encoder).catalog(album.catalog.select(rows))
    return Embedded(embeddings.vectors, rows[embeddings.rows], labels[embeddings.rows], embeddings.rows < len(shots))


def _nearest(page: Page, album: Album, embedded: Embedded) -> None:
    """A test image of each novel product, and the shots nearest to it."""
    base, everything = len(album.split.base), len(album.split.products)
    tests_of = [np.flatnonzero(~embedded.is_shot & (embedded.labels == c)) for c in range(base, everything)]
    gallery = np.flatnonzero(embedded.is_shot)
    sheets = []
    for query in [int(places[0]) for places in tests_of if len(places)][:SHEETS]:
        likeness = embedded.vectors[gallery] @ embedded.vectors[query]
        near = np.argsort(-likeness, kind="stable")[:NEAREST]
        matches = [
            (
                album.image(int(embedded.rows[gallery[i]])),
                f"{album.name(embedded.labels[gallery[i]])} {likeness[i]:.2f}",
                bool(embedded.labels[gallery[i]] == embedded.labels[query]),
            )
            for i in near
        ]
        sheets.append(SheetRow(album.image(int(embedded.rows[query])), album.name(embedded.labels[query]), matches))
    if sheets:
        page.neighbours(sheets, "Test images of novel products and the shots nearest to them by cosine, among those of all products.")


def _map(page: Page, split: Split, embedded: Embedded) -> None:
    """The test images in the plane."""
    labels = embedded.labels[~embedded.is_shot]
    points, how = flat_map(embedded.vectors[~embedded.is_shot], np.random.default_rng(0))
    supercategories = [split.supercategories[key] or split.names[key] or key for key in split.products]
    groups = [supercategories[label] for label in labels]
    kind = "supercategory" if any(split.supercategories.values()) else "product"
    caption = f"{len(points):,} test images by {how}, coloured by {kind}; novel products are ringed."
    page.figure(embedding_map(points, groups, labels >= len(split.base)), caption)


def _listed(split: Split, seed: int, *, tests: bool) -> tuple[Ints, Ints]:
    """Catalog rows and class numbers of a seed's shots or tests of the taught products."""
    rows_of = split.tests[seed] if tests else split.support[seed]
    rows = np.concatenate([rows_of[product] for product in split.products])
    return rows, np.repeat(np.arange(len(split.products)), [len(rows_of[product]) for product in split.products])
