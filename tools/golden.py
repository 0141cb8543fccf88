"""Golden figures: what the commands measure on small fixed tasks, to show that a change of the code changes no figure.

    python tools/golden.py tests/golden.json                          every part, three to four minutes on a free core
    python tools/golden.py some.json --part vectors --part pretrain   these parts alone

Writes {"environment": ..., "figures": {"transfer/none/lda-root/base-trained/acc_all": [0.25, 0.31], ...}}. A key begins with its part; a
list holds one number a seed (of a pretraining: one an epoch), null where a figure does not apply to it. Means and intervals are left
out, as they follow from these. Everything runs on the CPU in one thread, so that figures of one environment agree to the last bit.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

Figures = dict[str, list[Any]]
Options = tuple[object, ...]

SHARED = Path(os.environ.get("REPR_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
MACHINE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "pillow", "lightly", "faiss-gpu", "faiss-cpu")
SEEDS = 2

# --- What may be renamed or moved: options, names in the JSON, the programs. The keys that are written keep to the new words. ----------

CPU = ("--device", "cpu", "--workers", 1)
TRAINING = ("--epochs", 2, "--memory", 40)
TWO_CROPS = ("--crops", "1,0.5")
HALF_TRAINED = ("--features", "both", "--base-alpha", 0.5, "--epochs", 2)
METHODS = ("supervised", "simclr", "moco", "byol", "vicreg", "supcon", "joint")
OF_TRANSFER = (
    *("acc_all", "acc_base", "acc_novel", "harmonic_mean", "acc_novel_only", "macro_all", "macro_base", "macro_novel"),
    *("avg_incremental_acc", "forgetting_base", "base_to_novel", "novel_to_base", "ece", "aurc", "auroc_unknown", "fpr95_unknown"),
    *("reject_threshold", "rejected_known", "acc_accepted", "accepted_unknown"),
)
OF_CLASSIFY = (
    *("top1", "top5", "ap_micro", "ap_macro", "f1_macro", "f1_weighted", "ece", "hP", "hR", "hF", "mistake_height", "top1_path", "classes"),
)
OF_VECTORS = ("knn_top1", "knn_top5", "linear_top1", "linear_train", "lone_queries", "effective_rank", "spread")
OF_RETRIEVAL = ("recall@1", "recall@5", "recall@10", "map@r", "r_precision", "mrr")
OF_PRETRAINING = ("loss", "lr", "std", "effective_rank", "train_acc", "val_acc", "val_ncm")  # columns of metrics.csv


def of_transfer_row(row: Mapping[str, Any]) -> Figures:
    """The figures of a row of `rpc_transfer run`: a number a seed each."""
    metrics = row["metrics"]
    names = [name for name in metrics if name in OF_TRANSFER or name.startswith("supercategory/")]
    return {name: metrics[name]["values"] for name in names}


def of_classify_row(row: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a row of `repr classify` with one seed, whose means are the seed's own numbers."""
    means = {name: of["mean"] for name, of in row["metrics"].items()}
    figures = {name: means[name] for name in OF_CLASSIFY if name in means}
    figures |= {"train": means["rows/train"], "test": means["rows/test"], "held_out": row["config"]["held_out"]}
    return figures | {name: mean for name, mean in means.items() if name.startswith(("missing/", "buckets/"))}


def of_vectors_row(row: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a row of `repr evaluate`."""
    means = {name: of["mean"] for name, of in row["metrics"].items()}
    figures = {name: means[name] for name in OF_VECTORS if name in means}
    figures |= {f"retrieval/micro/{name}": means[name] for name in OF_RETRIEVAL}
    return figures | {f"retrieval/{name}": mean for name, mean in means.items() if name.startswith("macro/")}


def ask(program: str, *words: object) -> Any:
    """What a command prints with --json."""
    from repr.cli import group as of_repr
    from rpc_transfer.cli import group as of_transfer

    group = {"repr": of_repr, "rpc_transfer": of_transfer}[program]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        group.main([*map(str, words), "--json"], prog_name=program, standalone_mode=False)
    return json.loads(printed.getvalue())


# --- The parts: each writes below an empty folder, and returns its figures. ------------------------------------------------------------


def vectors(folder: Path) -> Figures:
    """Nearest neighbours, linear probe and retrieval on made-up vectors in clusters, with a gallery apart and among each other."""
    import numpy as np

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 32))
    labels, gallery_labels = rng.integers(0, 40, 600), rng.integers(0, 38, 1500)  # two classes have nothing to be found
    queries, stored = (centres[of] + rng.normal(size=(len(of), 32)) * 1.2 for of in (labels, gallery_labels))
    arrays = {"embeddings": queries, "labels": labels}
    files = {"leave-one-out": arrays, "gallery": {**arrays, "gallery_embeddings": stored, "gallery_labels": gallery_labels}}
    figures: Figures = {}
    for name, content in files.items():
        np.savez(folder / f"{name}.npz", allow_pickle=False, **content)
        (row,) = ask("repr", "evaluate", "--embeddings", folder / f"{name}.npz")["rows"]
        figures |= {f"{name}/{key}": [value] for key, value in of_vectors_row(row).items()}
    return figures


def pretrain(folder: Path) -> Figures:
    """Two epochs of every method on coloured noise: what metrics.csv says of them, and a digest of the weights."""
    draw_noise(folder / "data")
    task = ("--data", folder / "data", "--arch", "resnet18", "--size", 32, "--epochs", 2, "--batch-size", 12, "--val-share", 0.2)
    figures: Figures = {}
    for method in METHODS:
        out = folder / method
        ask("repr", "pretrain", *task, "--method", method, *CPU, "--out", out)
        with (out / "metrics.csv").open(encoding="utf-8", newline="") as stream:
            epochs = list(csv.DictReader(stream))
        for name in OF_PRETRAINING:
            if epochs[-1].get(name):
                figures[f"{method}/{name}"] = [float(epoch[name]) for epoch in epochs]
        figures[f"{method}/weights"] = [digest(out / "weights.safetensors")]
    return figures


def transfer(folder: Path) -> Figures:
    """Frozen learners and fine-tuning from scratch; frozen ones with two crops on ImageNet's weights as they came."""
    none = (*learners("frozen", "finetune"), *TRAINING)
    return transfers(folder, {"none": none, "imagenet-two-crops": (*learners("frozen"), *TWO_CROPS)})


def transfer_more(folder: Path) -> Figures:
    """The other learners that train; the frozen ones on ImageNet's weights as they came, and half trained on the base products."""
    none = (*learners("finetune-ncm", "lwf", "icarl", "wa", "bic", "joint"), *TRAINING)
    return transfers(folder, {"none": none, "imagenet": (*learners("frozen"), *HALF_TRAINED)})


def classify(folder: Path) -> Figures:
    """Titles, images and both on one class of fashion, flat and by the class tree."""
    both = ("--model", "ngram", "--model", "encoder", "--model", "gated", "--level", 2)
    grids = {"flat": (*both, "--model", "lstm"), "tree": (*both, "--level", 3, "--hierarchy", "coarse-to-fine")}
    data = ("--data", SHARED / "fashion", "--under", "Personal Care", "--split", "grouped", "--size", 64, "--mask-class-words")
    figures: Figures = {}
    for grid, options in grids.items():
        for seed in range(SEEDS):
            for row in ask("repr", "classify", *data, *options, "--epochs", 4, "--seed", seed, *CPU)["rows"]:
                for name, value in of_classify_row(row).items():
                    figures.setdefault(f"{grid}/{row['config']['model']}/{row['config']['level']}/{name}", []).append(value)
    return figures


PARTS: dict[str, Callable[[Path], Figures]] = {
    "vectors": vectors,
    "pretrain": pretrain,
    "transfer": transfer,
    "transfer-more": transfer_more,
    "classify": classify,
}

# --- What they are made of. ------------------------------------------------------------------------------------------------------------


def learners(*names: str) -> Options:
    """The options that name them."""
    return tuple(word for name in names for word in ("--learner", name))


def transfers(folder: Path, runs: Mapping[str, Options]) -> Figures:
    """The figures of runs on a part of grocery. runs: their options by name, which begins with the starting weights."""
    data = part_of_grocery(SHARED / "grocery", folder / "data")
    task = ("--novel", 4, "--increments", "2x2", "--shots", 3, "--unknown", 3, "--reject", 0.95, "--seeds", SEEDS, "--size", 64)
    figures: Figures = {}
    for name, options in runs.items():
        weights = ("--weights", name.partition("-")[0], "--only-weights")
        for row in ask("rpc_transfer", "run", "--data", data, *task, *weights, *options, *CPU, "--out", folder / name)["rows"]:
            config = row["config"]
            learner = f"{name}/{config['learner']}/{config['features'].replace(' ', '-')}"
            figures |= {f"{learner}/{key}": values for key, values in of_transfer_row(row).items()}
    return figures


def part_of_grocery(source: Path, folder: Path) -> Path:
    """22 products of grocery, in RPC's layout: the first four to eight images of each; the folders of images are links."""
    kinds = {"Apple", "Melon", "Pear", "Milk", "Pepper"}
    folder.mkdir()
    for split in ("train2019", "test2019"):
        content = json.loads((source / f"instances_{split}.json").read_text(encoding="utf-8"))
        content["categories"] = [category for category in content["categories"] if category["supercategory"] in kinds]
        boxes = []
        for number in (category["id"] for category in content["categories"]):
            boxes += [box for box in content["annotations"] if box["category_id"] == number][: 4 + number % 5]
        shown = {box["image_id"] for box in boxes}
        content |= {"annotations": boxes, "images": [image for image in content["images"] if image["id"] in shown]}
        (folder / f"instances_{split}.json").write_text(json.dumps(content), encoding="utf-8")
        (folder / split).symlink_to((source / split).resolve())
    return folder


def draw_noise(folder: Path, *, classes: int = 4, images: int = 12, side: int = 40) -> None:
    """Class folders of PNG files, which decode to the same pixels everywhere: noise on colours that lie close together in a class."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(classes):
        (folder / f"class-{label}").mkdir(parents=True)
        colour = rng.integers(64, 128, 3)
        for image in range(images):
            pixels = colour + rng.integers(-32, 33, 3) + rng.integers(0, 64, (side, side, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"class-{label}" / f"{image:02}.png")


def digest(weights: Path) -> str:
    """SHA-256 over names, types, shapes and bytes of a file's tensors, in the order of the names."""
    from safetensors.numpy import load_file

    sha256 = hashlib.sha256()
    for name, tensor in sorted(load_file(weights).items()):
        sha256.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return sha256.hexdigest()


def environment() -> dict[str, str]:
    """What figures depend on beside the code: the processor, which of its instructions PyTorch uses, the libraries."""
    import torch

    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {"processor": processor(), "instructions": torch.backends.cpu.get_cpu_capability(), **versions}


def processor() -> str:
    """Name, family and model, where Linux tells them."""
    with contextlib.suppress(OSError):
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
        facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
        return ", ".join(f"{name} {facts[name]}" for name in ("model name", "cpu family", "model") if name in facts)
    return platform.processor()


def main() -> None:
    """Compute the parts asked for, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", choices=PARTS, action="append", help="repeatable; default: all")
    arguments = parser.parse_args()
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="golden-") as name:
        os.environ |= {**MACHINE, "REPR_CACHE": f"{name}/cache"}  # before the libraries are loaded; and nothing kept is found again
        for part in arguments.part or PARTS:
            folder, start = Path(name, part), time.monotonic()
            folder.mkdir()
            figures |= {f"{part}/{key}": values for key, values in PARTS[part](folder).items()}
            print(f"{part}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in sorted(figures.items()))
    text = f'{{\n "environment": {json.dumps(environment())},\n "figures": {{\n{lines}\n }}\n}}\n'
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
