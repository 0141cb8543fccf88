"""Titles and descriptions as pairs, pooled outputs, and the winners' recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from repr.catalog.table import Catalog
from repr.classify.bert import encode, open_folder, pooled, tokens
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.settings import Settings
from repr.classify.texts import PAIR, Texts

WORDS = [
    "crisp",
    "sweet",
    "red",
    "long",
    "green",
    "fresh",
    "leather",
    "sole",
    "laced",
    "blue",
    "visor",
    "sporty",
    "apple",
    "leek",
    "boots",
    "cap",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny text model, as transformers saves it."""
    out = tmp_path_factory.mktemp("bert")
    (out / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]), encoding="utf-8")
    BertTokenizerFast(str(out / "vocab.txt")).save_pretrained(out)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=5 + len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(out)
    return out


def described(shop: Catalog) -> Catalog:
    column = shop.table.schema.get_field_index("description")
    texts = [None if row % 4 == 0 else "fresh and sporty" for row in range(160)]
    return replace(shop, table=shop.table.set_column(column, "description", pa.array(texts, pa.string())))


def test_a_row_with_both_is_a_pair(shop: Catalog) -> None:
    texts = Texts(described(shop))
    first, second = texts.take(np.array([0, 1]), pair=True)
    assert PAIR not in first and second.partition(PAIR)[2] == "fresh and sporty"
    assert texts.take(np.array([1])) == [second.replace(PAIR, " ")]
    assert PAIR not in "".join(Texts(shop).take(np.arange(10), pair=True))
    assert Texts(described(shop), hidden=frozenset({"title"})).take(np.array([1]), pair=True) == ["fresh and sporty"]


def test_pairs_are_cut_as_the_tokenizer_cuts_them(folder: Path) -> None:
    tokenizer, _ = open_folder(folder)
    found = tokens(tokenizer, ["red apple", f"blue cap{PAIR}fresh and sporty", "leek"], 16)
    alone = tokenizer(["red apple"])["input_ids"][0]
    pair = tokenizer(["blue cap"], ["fresh and sporty"])["input_ids"][0]
    assert found[0, : len(alone)].tolist() == alone and set(found[0, len(alone) :].tolist()) == {-1}
    assert found[1, : len(pair)].tolist() == pair and list(pair).count(3) == 2
    assert tokens(tokenizer, [f"blue cap{PAIR}{'red ' * 40}"], 8).shape == (1, 8)


def test_the_pooled_output_is_the_models(folder: Path) -> None:
    tokenizer, network = open_folder(folder)
    network.eval()
    numbers = tokens(tokenizer, ["red apple", "blue"], 16)
    given = tokenizer(["red apple", "blue"], padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = network(input_ids=given["input_ids"], attention_mask=given["attention_mask"])
        torch.testing.assert_close(pooled(network, numbers, "pooled"), wanted.pooler_output, rtol=1e-4, atol=1e-5)
    assert not np.allclose(encode(["red"], folder, "cpu", 16, "pooled"), encode(["red"], folder, "cpu", 16))


@pytest.mark.parametrize("end_to_end", [False, True])
def test_a_local_folder_with_descriptions_as_the_winners_train_it(shop: Catalog, folder: Path, end_to_end: bool) -> None:
    settings = Settings(model="bert", bert=str(folder), pooling="pooled", preset="rakuten", end_to_end=end_to_end, epochs=2, level=2)
    trial = run_trial(Data(described(shop)), settings)
    assert trial.metrics["top1"] is not None and ("adamw at 3e-05" in trial.note) == end_to_end


def test_the_winners_recipes() -> None:
    row = Settings(model="resnet152", preset="rakuten")
    image, text = row.recipe(10, "image"), row.recipe(3, "text")
    assert (image["optimiser"], image["lr"], image["epochs"]) == ("sgd", 0.01, 60)
    assert (text["optimiser"], text["lr"], text["epochs"], text["batch_size"]) == ("adamw", 3e-5, 40, 64)
    assert replace(row, scale=0.5).recipe(10, "image")["epochs"] == 30 and replace(row, method="dcl").recipe(10, "image")["epochs"] == 80
    assert Settings(model="resnet50").recipe(10, "image") == Settings(model="resnet50").training(10)
