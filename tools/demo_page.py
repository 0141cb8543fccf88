"""The parts of the demo that are not commands of ours: the photographs to look up, and the page about it all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.commands import command_line
from repr.evaluation.words import rate
from repr.images.reader import read_image
from repr.reports import figures
from repr.reports.page import Page
from repr.reports.sheet import SheetRow
from repr.reports.training_report import number
from repr.runs import Run
from rpc_transfer import results

PHOTOS = 10
SHOWN = 6
DRAWING = (
    command_line("repr synthetic", out="synthetic"),
    command_line("repr catalog build", data="synthetic/mep3m", out="catalog.parquet"),
)
LOOKING_UP = (
    command_line("repr index build", data="synthetic/rpc", part=("train", "val"), weights="pretrained", out="shop.index"),
    command_line("repr lookup", "photo.jpg", index="shop.index", k=SHOWN, sheet="lookup.png"),
)
OWN_IMAGES = (
    command_line("repr pretrain", data="my-shop/", epochs=20, out="runs/mine"),
    command_line("rpc_transfer run", data="my-products/", novel=5, weights="runs/mine"),
    command_line("repr index build", data="my-products/", weights="runs/mine", out="shop.index"),
    command_line("repr lookup", "photo.jpg", index="shop.index"),
)
OF_RUNS = ("data", "method", "arch", "size", "epochs", "lr", "views", "novel", "shots", "seeds", "weights", "learner")  # shown of a run


@click.group()
def group() -> None:
    """Parts of tools/demo."""


@group.command()
@click.argument("out", type=click.Path(path_type=Path))
def photos(out: Path) -> None:
    """Cut single products out of the checkout images: what a shop's camera would see."""
    catalog = open_sources((str(out / "synthetic" / "rpc"),), default="rpc").in_split("test")
    rng = np.random.default_rng(0)
    keys = catalog.product_keys()
    (out / "photos").mkdir(parents=True, exist_ok=True)
    for product in sorted(rng.choice(np.unique(keys.astype(str)), PHOTOS, replace=False)):
        row = int(rng.choice(np.flatnonzero(keys == product)))
        [box] = catalog.select(np.array([row])).boxes()
        read_image(catalog.file(row), box=box).save(out / "photos" / f"product-{product}.jpg", quality=92)


@group.command()
@click.argument("out", type=click.Path(path_type=Path))
def page(out: Path) -> None:
    """Write <out>/index.html."""
    made = Page("The whole story on a drawn shop", synthetic=True)
    made.text(
        "What follows was made by `./tools/demo` from scratch but drawn images, with the same commands that take your own. "
        "A web shop's images teach a network what products look like; the network then takes in products it has never seen from "
        "ten photographs each, and finds products by photograph."
    )
    shop = {part: open_sources((str(out / "synthetic" / part),), default="rpc") for part in ("mep3m", "rpc")}
    _shop(made, shop)
    _pretraining(made, out)
    _transfer(made, out)
    _lookup(made, out, shop["rpc"])
    made.section("The same with your own images")
    made.text("Every command takes an MEP-3M folder, an RPC folder, a tree of class folders, a CSV or a catalog.")
    made.code("\n".join(OWN_IMAGES))
    click.echo(made.write(out / "index.html"))


def _shop(made: Page, shop: dict[str, Catalog]) -> None:
    made.section("1. Two sets of images")
    rng = np.random.default_rng(1)
    rows = []
    for part, words in (("mep3m", "A web shop, as in MEP-3M"), ("rpc", "Products to recognise at a checkout, as in RPC")):
        catalog = shop[part]
        count = f"{len(catalog):,} images, {len(catalog.labels()[1])} classes"
        picked = [int(row) for row in rng.choice(len(catalog), 8, replace=False)]
        images = [read_image(catalog.file(row), short_side=96, box=catalog.select(np.array([row])).boxes()[0]) for row in picked]
        rows.append(SheetRow(images[0], f"{words}: {count}", [(image, "", None) for image in images[1:]]))
    made.neighbours(rows, "Some images of each. All are drawn, and so are the products.")
    made.code("\n".join(DRAWING))


def _pretraining(made: Page, out: Path) -> None:
    run = Run.open(out / "pretrained")
    made.section("2. Pretraining on the web shop")
    metrics = run.metrics()
    series = {
        name: [None if (value := number(row.get(key))) is None else 100 * value for row in metrics]
        for name, key in (("training views", "train_acc"), ("held-out images", "val_acc"))
    }
    epochs = [float(n) for n in range(1, len(metrics) + 1)]
    made.figure(
        figures.lines(epochs, series, xlabel="epoch", ylabel="accuracy, per cent"), "How well the network tells the web shop's classes."
    )
    made.text("[The whole training report](pretrained/report.html)")
    made.code(typed(run))


def _transfer(made: Page, out: Path) -> None:
    run = Run.open(out / "transfer")
    found = results.read(out / "transfer")
    about = found.about
    made.section("3. Taking in 34 new products from ten photographs each")
    made.text(
        f"{about.base} products are taught first, then {about.novel} more. Accuracy is over all of them, on "
        f"{about.base_tests + about.novel_tests:,} products cut out of checkout images; one draw of shots, so no intervals."
    )
    names = {str(out / "pretrained"): "ours"}
    body = []
    learners = list(dict.fromkeys(row.config.learner for row in found.rows))
    series: dict[str, list[tuple[float, float] | None]] = {}
    for row in found.rows:
        weights = names.get(row.config.weights, row.config.weights)
        cells = [rate(row.metrics.get(name)) for name in ("acc_all", "acc_base", "acc_novel")] if not row.error else ["not run", "", ""]
        body.append([row.config.learner, weights, *cells, "synthetic"])
        bars = series.setdefault(weights, [None] * len(learners))
        if "acc_novel" in row.metrics:
            bars[learners.index(row.config.learner)] = (100 * row.metrics["acc_novel"].mean, 0.0)
    made.table(
        ["learner", "weights", "all", "base", "novel", "data"],
        body,
        "Per cent. ncm: nearest class mean; lda: class means with a shared covariance.",
    )
    made.figure(
        figures.ladder(learners, series, xlabel="novel products, per cent"),
        "Accuracy on the novel products by learner and starting weights.",
    )
    made.text("[The whole transfer report](transfer/report.html), with confusions, neighbours and a map of the embedding")
    made.code(typed(run))


def _lookup(made: Page, out: Path, catalog: Catalog) -> None:
    made.section("4. Finding products by photograph")
    results: list[dict[str, Any]] = json.loads((out / "logs" / "lookup-1.out").read_text(encoding="utf-8"))["results"]
    boxes = catalog.boxes()
    where = {str(path): row for row, path in enumerate(catalog.column("path"))}
    rows, right = [], 0
    for result in results:
        true = Path(result["query"]).stem.removeprefix("product-")
        right += result["matches"][0]["product"] == true
        matches = []
        for match in result["matches"][:SHOWN]:
            row = where[match["image"]]
            image = read_image(catalog.file(row), short_side=96, box=boxes[row])
            matches.append((image, f"{match['product']}  {match['score']:.2f}", match["product"] == true))
        rows.append(SheetRow(Path(result["query"]), f"photo of {true}", matches))
    caption = f"{len(results)} photographs cut out of checkout images, and the products found: {right} of {len(results)} first right."
    made.neighbours(rows, caption)
    made.code("\n".join(LOOKING_UP))


def typed(run: Run) -> str:
    """The command of a run as it was typed, of the options that a reader would want."""
    arguments = run.config["arguments"]
    return command_line(run.config["command"], **{name: arguments.get(name) for name in OF_RUNS})


if __name__ == "__main__":
    group()
