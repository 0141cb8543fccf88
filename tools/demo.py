"""The demo: products found by photograph within a minute, then what pretraining on other products adds, all on one page.

Draws the synthetic shop, stores its products and looks photographs up; then draws a web shop, pretrains on it, and measures how well
products are taken in from scratch, from those weights and from ImageNet's. Each stage is a command of ours (`tools/stages.py`).
"""

from __future__ import annotations

from pathlib import Path

import click
import forked
from stages import BIN, Stage, last_words, run_all, seconds

from repr import console
from repr.commands import command_line
from repr.errors import UserError

FIRST = 3  # stages up to the first result
PARTS = ("--part", "train", "--part", "val")  # what the shop has photographed; photographs to look up come from test
LOOK = ("--size", "128", "--crops", "1,0.5")  # smaller than the weights' own, in two thirds of the time
SHOTS = 6  # photographs of a product at the checkout: it has no more of some
NOVEL = 14  # of 80 products, the share of the MEP-3M paper: 34 of 200
SEEDS = 2  # choices of these photographs
ARCH, SIZE = "test_resnet", 48  # half a million numbers: some 700 images of so many pixels a second are learned from on one core
# How the small network learns, by --views and --lr: the web shop's 26 kinds, and the base products. Chosen on draw 100 of the shop.
LEARN = ("--views", "product-erase-blur", "--lr", "0.1")
KINDS = ("--method", "supervised", "--epochs", "24", "--batch-size", "32", "--split", "none")


def plan(out: Path, seed: int) -> list[Stage]:
    """The stages in order; the first FIRST of them make the first result. seconds: estimates for two free cores."""
    shop, index, weights = out / "synthetic", out / "shop.index", out / "pretrained"
    transfer, imagenet = out / "transfer", out / "transfer-imagenet"
    at, draw = str(seed), ("repr", "synthetic", "--out", f"{shop}", "--scale", "demo", "--seed", str(seed), "--part")
    page = ("demo_page",)
    network = ("--arch", ARCH, "--size", str(SIZE))
    pretrain = (*KINDS, *LEARN, *network, "--seed", at)
    few = ("--novel", str(NOVEL), "--shots", str(SHOTS), "--shots-from", "val", "--seeds", str(SEEDS), "--seed", at, "--only-weights")
    measure = ("rpc_transfer", "run", "--root", f"{shop / 'rpc'}", *few, "--learner", "lda")
    trained = (*measure, *network, *LEARN, "--features", "both", "--weights", "none", "--weights", f"{weights}")
    return [
        Stage("products", "Draw 80 products and a checkout", ((*draw, "rpc"),), ("synthetic",), 13),
        Stage(
            "index",
            "Store their photographs",
            (("repr", "index", "build", "--data", f"{shop / 'rpc'}", *PARTS, *LOOK, "--out", f"{index}"),),
            ("shop.index",),
            14,
        ),
        Stage(
            "lookup",
            "Look photographs up",
            (
                (*page, "photos", f"{out}"),
                ("repr", "lookup", "--index", f"{index}", f"@{out / 'photos'}", "-k", "5", "--json"),
                (*page, "page", f"{out}"),
            ),
            ("photos",),
            9,
        ),
        Stage("web", "Draw a web shop", ((*draw, "mep3m"),), ("synthetic/mep3m",), 20),
        Stage(
            "pretrain",
            "Pretrain on the web shop",
            (
                ("repr", "pretrain", "--data", f"{shop / 'mep3m'}", *pretrain, "--out", f"{weights}"),
                (*page, "page", f"{out}"),
            ),
            ("pretrained",),
            60,
        ),
        Stage(
            "transfer",
            f"Take in {NOVEL} new products",
            (
                (*trained, "--out", f"{transfer}"),
                (*measure, *LOOK[:2], "--weights", "imagenet", "--out", f"{imagenet}"),
                ("rpc_transfer", "report", f"{transfer}"),
                (*page, "page", f"{out}"),
            ),
            ("transfer", "transfer-imagenet"),
            80,
        ),
    ]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Where everything is written.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The one seed of all stages.")
@click.option("--installed", type=click.IntRange(0), default=0, hidden=True, help="Seconds that the installation took before this.")
def demo(out: Path, seed: int, installed: int) -> None:
    """Run the whole story on the synthetic shop and write one page about it."""
    stages = plan(out, seed)
    out.mkdir(parents=True, exist_ok=True)

    def _after(stage: Stage) -> None:
        if stage is stages[FIRST - 1]:
            console.say(f"\nThe first result stands after {seconds(stages[:FIRST], out):.0f} s of work; the later stages fill the page:")
            click.echo(f"{(out / 'index.html').resolve()}")

    run_all(stages, out, _after)
    summarise(stages, out, installed)
    console.say("\nDone. Everything was drawn: an illustration, not a measurement.")
    click.echo(f"The page: {(out / 'index.html').resolve()}")
    console.say("\nThree commands to try next, on a folder of yours with a folder of images for each product:")
    relative = f"{BIN.relative_to(Path.cwd())}/" if BIN.is_relative_to(Path.cwd()) else ""
    for line in next_commands():
        click.echo(f"  {relative}{line}")


def summarise(stages: list[Stage], out: Path, installed: int) -> None:
    """Write <out>/summary.json: seconds, what lookup found, the rows of the transfer."""
    told = [str(installed), str(seconds(stages[:FIRST], out)), str(seconds(stages, out))]
    log = out / "logs" / "summary"
    child = forked.start(["demo_page", "summary", str(out), *told], log.with_suffix(".out"), log.with_suffix(".err"))
    child.join()
    if child.exitcode:
        raise UserError(f"the summary failed: {last_words(log.with_suffix('.err'))}", out, "The same command goes on from here")


def next_commands() -> list[str]:
    """What to try when the demo is done."""
    return [
        command_line("repr index build", data="YOUR_FOLDER", out="my.index"),
        command_line("repr lookup", "PHOTO.jpg", index="my.index", k=5, sheet="matches.png"),
        command_line("rpc_transfer run", data="YOUR_FOLDER", novel=5, out="runs/mine"),
    ]


if __name__ == "__main__":
    console.run(demo, "tools/demo")
