"""report.html of a pretraining run: how it went, with what settings, on what machine, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from repr.commands import command_line
from repr.files import read_json
from repr.images.reader import read_image
from repr.models.provenance import Provenance
from repr.reports.figures import lines
from repr.reports.page import Page
from repr.runs import Run

WEIGHTS = "weights.safetensors"
NOVEL = 5  # products suggested to be taken in, of whatever set it is

# Columns of metrics.csv that are fractions, shown in per cent.
SHARES = ("train_acc", "val_acc", "val_ncm", "data_wait")
NAMES = {
    "loss": "training loss",
    "train_acc": "accuracy on training views",
    "val_acc": "accuracy on held-out images",
    "val_ncm": "held-out images nearest to their own class's mean",
    "lr": "learning rate",
    "data_wait": "share of the time spent waiting for data",
    "std": "standard deviation of the embeddings",
    "effective_rank": "effective rank of the embeddings",
    "images_per_second": "images a second",
    "seconds": "seconds an epoch",
}


def write(run: Run) -> Path:
    """Write `report.html` into the folder of a pretraining run (finished, stopped or still running) and return its path."""
    config = run.config
    settings = run.settings
    page = Page(f"Pretraining: {settings.get('method', 'a run')} on {config['data']}", config["synthetic"])
    page.text(_summary(run))
    page.section("What to do next")
    _next(page, run)
    rows = run.metrics()
    if rows:
        page.section("How it went")
        _curves(page, rows)
        _last(page, rows)
    else:
        page.text("No epoch was finished, so there are no curves.")
    if run.warnings():
        page.section("Warnings")
        _warnings(page, run.warnings())
    preview = run.path / "views.png"
    if preview.is_file():
        page.section("What the network saw")
        page.images(read_image(preview), "Training images, and below each two of its random views.")
    if (run.path / WEIGHTS).is_file():
        page.section("How the weights came about")
        page.table(["step by step"], [[line] for line in Provenance.of_file(run.path / WEIGHTS).lines()], words=True)
    page.section("Settings")
    page.options(run, "As they were in force, the method's own where none was typed.")
    if (run.path / "environment.json").is_file():
        page.section("Machine")
        page.machine(read_json(run.path / "environment.json"))
    return page.write(run.path / "report.html")


def number(text: str | None) -> float | None:
    """A cell of metrics.csv as a finite number; None when it is empty or says nothing."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _summary(run: Run) -> str:
    config, settings = run.config, run.settings
    start = settings.get("init") or "none"
    created = config["created"].replace("T", " ").removesuffix("+00:00")
    begun = "from random weights" if start == "none" else f"from `{start}`"
    state = {
        "done": "It is finished.",
        "stopped": "**It was stopped before its end.**",
        "failed": f"**It failed**: {(config.get('result') or {}).get('error', 'nobody knows why')}.",
        "running": "It was still running when this was written.",
    }
    return (
        f"`{config['command']}` trained {settings.get('arch') or 'a network'} {begun} with the method **{settings.get('method', '?')}** "
        f"on **{config['data']}**, begun {created} UTC. {state.get(config['status'], '')}"
    )


def _column(rows: Sequence[dict[str, str]], name: str) -> list[float | None]:
    scale = 100 if name in SHARES else 1
    values = [number(row.get(name)) for row in rows]
    return [None if value is None else value * scale for value in values]


def _curves(page: Page, rows: list[dict[str, str]]) -> None:
    epochs = [number(row.get("epoch")) for row in rows]
    x = [float(n) if epoch is None else epoch for n, epoch in enumerate(epochs, 1)]
    parts = [name for name in rows[0] if name == "loss" or name.startswith("loss_")]
    plots: list[tuple[list[str], str, str]] = [
        (parts, "loss", "Loss on the training views, a mean over each epoch."),
        (
            ["train_acc", "val_acc", "val_ncm"],
            "accuracy, per cent",
            "Accuracy at the training's own task or, without a classifier, by class means. "
            "The held-out images choose nothing: the last epoch is kept.",
        ),
        (["lr"], "learning rate", "Learning rate."),
        (["std"], "standard deviation", "Spread of the L2-normalised embeddings. Near 0 they have collapsed into one point."),
        (["effective_rank"], "effective rank", "Effective rank of the embeddings: how many directions they use."),
        (["data_wait"], "per cent of the time", "Share of the time the loop waited for images. Under 5 per cent is the aim."),
    ]
    for names, label, caption in plots:
        series = {NAMES.get(name, name.replace("_", " ")): _column(rows, name) for name in names}
        series = {name: values for name, values in series.items() if any(value is not None for value in values)}
        if series and len(rows) > 1:
            page.figure(lines(x, series, xlabel="epoch", ylabel=label), caption)


def _last(page: Page, rows: list[dict[str, str]]) -> None:
    last = rows[-1]
    cells = []
    for name, text in last.items():
        value = number(text)
        if value is None or name in ("epoch", "step"):
            continue
        shown = f"{100 * value:.1f} %" if name in SHARES else f"{value:.4g}"
        cells.append([NAMES.get(name, name.replace("_", " ")), shown])
    seconds = [value for value in (number(row.get("seconds")) for row in rows) if value is not None]
    if seconds:
        cells.append(["seconds, all epochs", f"{sum(seconds):.0f}"])
    page.table(["at the last epoch", ""], cells, f"{len(rows)} epochs.")


def _warnings(page: Page, rows: list[dict[str, str]]) -> None:
    """One line a kind: when it was noticed, and the last words on it."""
    kinds = {row["kind"]: [other for other in rows if other["kind"] == row["kind"]] for row in rows}
    cells = [[f"{rows[0]['step']} to {rows[-1]['step']}", str(len(rows)), rows[-1]["text"]] for rows in kinds.values()]
    page.table(["steps", "times", "the last time"], cells, "What was noticed while training, as it was said then.", words=True)


def next_commands(run: Run) -> list[str]:
    """What to type next with a run's weights, on its own data; those of a synthetic web shop go to the checkout that was drawn with it."""
    folder, data = run.path.as_posix(), list(run.config["typed"].get("data", ()))
    if run.config["synthetic"] and len(data) == 1 and Path(data[0]).with_name("rpc").is_dir():
        data = [Path(data[0]).with_name("rpc").as_posix()]
    return [
        command_line("repr evaluate", data=data, weights=[folder, "imagenet"]),
        command_line("rpc_transfer run", data=data, novel=NOVEL, weights=folder),
        command_line("repr index build", data=data, weights=folder, out="shop.index"),
    ]


def _next(page: Page, run: Run) -> None:
    if run.config["status"] in ("stopped", "failed"):
        page.text("Go on from the last checkpoint, where there is one:")
        page.code(command_line("repr pretrain", resume=True, out=run.path))
        return
    page.text("Measure these weights, transfer them to new products, or look products up with them:")
    page.code("\n".join(next_commands(run)))
    page.text(
        "The file `weights.safetensors` holds torchvision's (or timm's) own parameter names: without the package it loads with "
        "`safetensors.torch.load_file` into the plain model, whose head must be an `Identity` where the file has none."
    )
