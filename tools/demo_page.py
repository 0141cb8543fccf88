"""The parts of the demo that are not commands of ours: the photographs to look up, the page about it all, and its summary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.commands import command_line
from repr.evaluation.words import rate
from repr.files import read_json, write_json
from repr.images.reader import read_image
from repr.records import SCHEMA, to_json
from repr.reports import figures
from repr.reports.page import Page
from repr.reports.sheet import SheetRow
from repr.reports.training_report import number
from repr.runs import Run
from rpc_transfer import results
from rpc_transfer.results import TransferRow

PHOTOS = 100
SHOWN = 8  # of the photographs, on the page
OWN_IMAGES = (
    command_line("repr index build", data="YOUR_FOLDER", out="my.index"),
    command_line("repr lookup", "PHOTO.jpg", index="my.index", k=5, sheet="matches.png"),
    command_line("rpc_transfer run", data="YOUR_FOLDER", novel=5, out="runs/mine"),
)
LOOKING_UP = (
    command_line("repr synthetic", out="synthetic", scale="demo"),
    command_line("repr index build", data="synthetic/rpc", part=("train", "val"), size=128, crops="1,0.5", out="shop.index"),
    command_line("repr lookup", "photo.jpg", index="shop.index", k=5, sheet="lookup.png"),
)
OF_RUNS = (
    "data",
    "method",
    "arch",
    "size",
    "epochs",
    "batch_size",
    "lr",
    "views",
    "split",
    "novel",
    "shots",
    "shots_from",
    "seeds",
    "weights",
    "only_weights",
    "features",
    "learner",
)
RELOAD = "<script>setTimeout(() => location.reload(), 10000)</script>"  # while later stages fill it
LEARNED = ("acc_novel", "acc_base", "acc_all")
TRANSFERS = ("transfer", "transfer-imagenet")  # the demo's own network, and ImageNet's
ELSEWHERE = (
    "The network is a small one that learns in minutes, and products are printed to be told from afar: on photographs, larger networks "
    "and hours are needed for as much (docs/results.md).\n\n"
    "Going on from ImageNet's weights on other products pays too, but takes more images and time than a demo has: on real groceries it was "
    "measured (docs/results.md), up to 12 points on novel products with one crop, 2 to 7 with two, and nothing on another set."
)


@dataclass(frozen=True)
class Looked:
    """What lookup found: how many photographs were asked, how many have their product first, and among the first five."""

    asked: int
    first_right: int
    top5_right: int


@click.group()
def group() -> None:
    """Parts of tools/demo."""


@group.command()
@click.argument("out", type=click.Path(path_type=Path))
def photos(out: Path) -> None:
    """Cut single products out of the checkout images, what a shop's camera would see: PHOTOS of as many products as there are."""
    catalog = open_sources((str(out / "synthetic" / "rpc"),), default="rpc").in_split("test")
    keys, boxes = catalog.product_keys().astype(str), catalog.boxes()
    order = np.random.default_rng(0).permutation(len(catalog))
    turn = {row: list(keys[order[:place]]).count(keys[row]) for place, row in enumerate(order)}  # each product once, before any twice
    (out / "photos").mkdir(parents=True, exist_ok=True)
    for place, row in enumerate(sorted(order, key=lambda row: turn[row])[:PHOTOS]):
        image = read_image(catalog.file(int(row)), box=boxes[int(row)])
        image.save(out / "photos" / f"{place:03}-product-{keys[row]}.jpg", quality=92)


@group.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("install", type=float)
@click.argument("first_result", type=float)
@click.argument("total", type=float)
def summary(out: Path, install: float, first_result: float, total: float) -> None:
    """Write <out>/summary.json."""
    rows = [row for run in TRANSFERS for row in results.read(out / run).document.rows]
    content = {
        "schema": SCHEMA,
        "seconds": {"install": install, "first_result": first_result, "total": total},
        "lookup": to_json(looked(out)),
        "transfer": [{"config": dict(row.config), "metrics": to_json({name: row.metrics.get(name) for name in LEARNED})} for row in rows],
    }
    write_json(out / "summary.json", content)


@group.command()
@click.argument("out", type=click.Path(path_type=Path))
def page(out: Path) -> None:
    """Write <out>/index.html with what is there by now."""
    made = Page("Products found by photograph: the whole story on a drawn shop", synthetic=True)
    done = all((out / run / "results.json").is_file() for run in TRANSFERS)
    made.text(
        "Made by `./tools/demo` from drawn images, with the same commands that take your own."
        + ("" if done else " **The later stages are still running and fill this page.**")
    )
    made.section("Try it on your own images")
    made.text("A folder that holds a folder of images for each product is enough; CSV files, MEP-3M and RPC are read as well.")
    made.code("\n".join(OWN_IMAGES))
    _lookup(made, out)
    if (out / "synthetic" / "mep3m").is_dir():
        _shop(made, out)
    if (out / "pretrained" / "weights.safetensors").is_file():
        _pretraining(made, out)
    if done:
        _transfer(made, out)
    else:
        made.html(RELOAD)
    click.echo(made.write(out / "index.html"))


def answers(out: Path) -> list[dict[str, Any]]:
    """What `repr lookup` printed, a result for each photograph."""
    found: list[dict[str, Any]] = read_json(out / "logs" / "lookup-1.out")["results"]
    return found


def truth(result: dict[str, Any]) -> str:
    """The product that a photograph shows, by its name."""
    return Path(result["query"]).stem.partition("-product-")[2]


def looked(out: Path) -> Looked:
    """Counted over all photographs."""
    found = [[match["product"] == truth(result) for match in result["matches"][:5]] for result in answers(out)]
    return Looked(len(found), sum(bool(hits and hits[0]) for hits in found), sum(map(any, found)))


def _lookup(made: Page, out: Path) -> None:
    catalog = open_sources((str(out / "synthetic" / "rpc"),), default="rpc")
    made.section("1. Products found by photograph")
    counts, boxes, keys = looked(out), catalog.boxes(), catalog.product_keys()
    where = {(str(path), str(key)): row for row, (path, key) in enumerate(zip(catalog.column("path"), keys, strict=True))}
    stored = int((catalog.column("split") != "test").sum())
    made.text(
        f"An index of {len(set(keys))} products, {stored:,} photographs from a turntable and a checkout, was made with ImageNet's "
        f"weights as installed. Then {counts.asked} photographs were looked up, each cut out of another image of the checkout: "
        f"**{counts.first_right} have their product first, {counts.top5_right} among the first five**."
    )
    rows = []
    for result in answers(out)[:SHOWN]:
        matches = []
        for match in result["matches"][:5]:
            row = where[match["image"], match["product"]]  # a checkout image shows several products
            image = read_image(catalog.file(row), short_side=96, box=boxes[row])
            matches.append((image, f"{match['product']}  {match['score']:.2f}", match["product"] == truth(result)))
        rows.append(SheetRow(Path(result["query"]), f"photo of {truth(result)}", matches))
    made.neighbours(rows, f"The first {len(rows)} photographs, and the products found, best first.")
    made.code("\n".join(LOOKING_UP))


def _shop(made: Page, out: Path) -> None:
    made.section("2. Two sets of images")
    made.text("A web shop sells other products of the same kinds and makers. None of them is among those that the checkout sells.")
    rng, rows = np.random.default_rng(1), []
    for part, words in (("mep3m", "The web shop, as in MEP-3M"), ("rpc", "The checkout's products, as in RPC")):
        catalog: Catalog = open_sources((str(out / "synthetic" / part),), default="rpc")
        count = f"{len(catalog):,} images, {len(catalog.labels()[1])} classes"
        picked = [int(row) for row in rng.choice(len(catalog), 8, replace=False)]
        images = [read_image(catalog.file(row), short_side=96, box=catalog.select(np.array([row])).boxes()[0]) for row in picked]
        rows.append(SheetRow(images[0], f"{words}: {count}", [(image, "", None) for image in images[1:]]))
    made.neighbours(rows, "Some images of each. All are drawn, and so are the products.")


def _pretraining(made: Page, out: Path) -> None:
    run = Run.open(out / "pretrained")
    made.section("3. Pretraining on the web shop")
    metrics = run.metrics()
    series = {
        name: [None if (value := number(row.get(key))) is None else 100 * value for row in metrics]
        for name, key in (("training views", "train_acc"),)  # nothing is held out: every image is learned from
    }
    epochs = [float(n) for n in range(1, len(metrics) + 1)]
    made.figure(
        figures.lines(epochs, series, xlabel="epoch", ylabel="accuracy, per cent"), "How well the network tells the web shop's classes."
    )
    made.text("[The whole training report](pretrained/report.html)")
    made.code(typed(run))


def begins(row: TransferRow, out: Path) -> str:
    """What a row started from, in words."""
    known = {
        str(out / "pretrained"): "the web shop's images",
        "none": "nothing: from scratch",
        "imagenet": "ImageNet's photographs",
    }
    return known.get(row.config.weights, row.config.weights)


def _transfer(made: Page, out: Path) -> None:
    run, found = Run.open(out / "transfer"), results.read(out / "transfer")
    about, shots = found.about, found.rows[0].config.shots
    made.section(f"4. Taking in {about.novel} new products from {shots} photographs each")
    made.text(
        f"{about.base} products are taught first, then {about.novel} more, which no training has seen. Accuracy is over all of them, on "
        f"{about.base_tests + about.novel_tests:,} products cut out of checkout images. Every row has the same learner on a frozen "
        "network, and new products cost no training. A base-trained network was first trained on the base products, all that a shop "
        "without pretraining has; both base-trained rows were trained alike, and differ in nothing but what they began from. "
        "Two choices of photographs, so no intervals."
    )
    body = []
    for row in [row for name in TRANSFERS for row in results.read(out / name).rows]:
        cells = [rate(row.metrics.get(name)) for name in LEARNED] if not row.error else ["not run", "", ""]
        body.append([begins(row, out), row.config.features, *cells, row.config.arch, f"{row.config.size} px"])
    made.table(
        ["began from", "encoder", "novel", "base", "all", "network", "images"],
        body,
        f"Accuracy, per cent. The learner is {found.rows[0].config.learner}: class means with a shared covariance. ImageNet's is another "
        "network, trained on a million photographs and asked at the size of the first result.",
    )
    made.text(ELSEWHERE)
    made.text("[The whole transfer report](transfer/report.html), with confusions, neighbours and a map of the embedding")
    made.code(typed(run))


def typed(run: Run) -> str:
    """The command of a run as it was typed, of the options that a reader would want."""
    typed = run.config["typed"]
    return command_line(run.config["command"], **{name: typed.get(name) for name in OF_RUNS})


if __name__ == "__main__":
    group()
