"""A small shop with images, titles and a class tree, on which every model can be tried."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from repr.catalog.table import Catalog, ClassName, Source, build

KINDS = (("Food", "Apple", (200, 40, 40)), ("Food", "Leek", (40, 180, 40)), ("Wear", "Boots", (90, 60, 30)), ("Wear", "Cap", (40, 40, 200)))
WORDS = (("crisp", "sweet", "red"), ("long", "green", "fresh"), ("leather", "sole", "laced"), ("blue", "visor", "sporty"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """160 rows of 4 sub-classes in 2 classes, no third level; 40 of them test; noisy images of one colour a sub-class."""
    root = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    columns: dict[str, list[object]] = {name: [] for name in ("path", "product", "class_1", "class_2", "split", "title")}
    for row in range(160):
        kind = row % 4
        colour = np.clip(np.array(KINDS[kind][2]) + rng.normal(0, 30, (24, 24, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(colour).save(Path(root) / f"{row}.png")
        words = [*rng.choice(WORDS[kind], 2, replace=False), str(rng.integers(100)), KINDS[kind][1].lower() if row % 3 else ""]
        columns["path"].append(f"{row}.png")
        columns["product"].append(str(row))
        columns["class_1"].append(kind // 2)
        columns["class_2"].append(kind)
        columns["split"].append("test" if row >= 120 else "train")
        columns["title"].append(" ".join(words).strip())
    classes = (
        (ClassName("1", "Food"), ClassName("2", "Wear")),
        tuple(ClassName(str(n + 1), kind[1], n // 2) for n, kind in enumerate(KINDS)),
        (),
    )
    return build(columns, classes=classes, sources=(Source("shop", "mep3m", root),))


@pytest.fixture(scope="session")
def deep(shop: Catalog) -> Catalog:
    """The same shop with a third level: two kinds of every sub-class but caps, which only the titles tell."""
    kind, row = shop.column("class_2"), np.arange(160)
    fine = np.where(kind < 3, 2 * kind + row // 4 % 2, -1)
    titles = [f"{title} {('mini', 'maxi')[n // 4 % 2]}" for n, title in enumerate(shop.table["title"].to_pylist())]
    table = shop.table
    for name, column in (("class_3", pa.array(fine, pa.int32())), ("title", pa.array(titles))):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), column.cast(table.schema.field(at).type))
    names = tuple(ClassName(str(n + 1), f"{('Mini', 'Maxi')[n % 2]} {KINDS[n // 2][1]}", n // 2) for n in range(6))
    return replace(shop, table=table, classes=(*shop.classes[:2], names))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as save_pretrained writes it: two layers of width 16 over a handful of word pieces."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "crisp", "sweet", "red", "long", "green", "fresh", "leather", "sole"]
    words += ["laced", "blue", "visor", "sporty"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True}))
    return folder
