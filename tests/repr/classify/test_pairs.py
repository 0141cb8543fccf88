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
from repr.classify.bert import encode, open_folder, pooled
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.pieces import ROWS, STEP, ask_texts, tokens
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


def test_a_texts_answer_is_the_same_to_the_bit_in_every_company(folder: Path) -> None:
    """Alone, last among others, in another order: as no plain batch gives it."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 40))) for _ in range(3 * ROWS)]
    texts[5] += f"{PAIR}fresh and sporty"
    whole = encode(texts, folder, "cpu", 24)
    order = rng.permutation(len(texts))
    assert np.array_equal(encode([texts[i] for i in order], folder, "cpu", 24), whole[order])
    for row in (0, 5, len(texts) - 1):
        assert np.array_equal(encode([texts[row]], folder, "cpu", 24)[0], whole[row])


def test_batches_have_few_shapes_and_no_text_is_lost() -> None:
    numbers = torch.full((40, 21), -1)
    for row in range(40):
        numbers[row, : 1 + row % 21] = row
    shapes: set[tuple[int, ...]] = set()

    def ask(batch: torch.Tensor) -> torch.Tensor:
        shapes.add(tuple(batch.shape))
        return torch.stack([batch[:, 0], (batch >= 0).sum(dim=1)], dim=1)

    found = ask_texts(ask, numbers, 21)
    assert found.tolist() == [[row, 1 + row % 21] for row in range(40)]
    assert shapes == {(ROWS, STEP), (ROWS, 2 * STEP), (ROWS, 21)}


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
