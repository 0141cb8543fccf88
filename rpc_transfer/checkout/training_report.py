"""The page of a detector's training: how it went, and what it finds on scenes that were held out."""

from __future__ import annotations

from pathlib import Path

from repr.files import read_json
from repr.images.reader import read_image
from repr.reports.figures import lines
from repr.reports.page import Page
from repr.runs import Run
from rpc_transfer.checkout.seen import SHEET

CURVES = (
    (("loss", "classification", "bbox_regression", "bbox_ctrness"), "loss", "Loss on the training views, a mean over each epoch."),
    (
        ("ap", "recall", "precision"),
        "share",
        "Held-out scenes, at IoU 0.5: average precision; recall and precision at the best threshold.",
    ),
)


def write(folder: Path) -> Path:
    """Write report.html into the run folder; its path."""
    run = Run.open(folder)
    page = Page(f"A detector trained on {run.config['data']}", run.config["synthetic"])
    rows = run.metrics()
    page.text(f"`{run.config['command']}`: {run.config['status']}, {len(rows)} epochs.")
    page.section("How it went")
    epochs = [float(row["epoch"]) for row in rows]
    for names, label, caption in CURVES:
        if len(rows) > 1:
            page.figure(lines(epochs, {name: [float(row[name]) for row in rows] for name in names}, xlabel="epoch", ylabel=label), caption)
    if rows:
        page.table(["at the last epoch", ""], [[name, f"{float(value):.4g}"] for name, value in rows[-1].items()])
    if (folder / SHEET).is_file():
        page.section("What it finds")
        page.images(read_image(folder / SHEET), "Held-out scenes: true boxes white, found ones blue, with their scores.")
    page.section("Settings")
    page.options(run, "As they were in force.")
    page.machine(read_json(folder / "environment.json"))
    return page.write(folder / "report.html")
