from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from repr.catalog.table import Catalog
from repr.classify import hashed, ngram
from repr.classify.bert import BertFeatures, check_folder, pooled
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.hashed import grams
from repr.classify.recurrent import Recurrent, Sentence, word2vec
from repr.classify.settings import Settings
from repr.classify.trials import wanted
from repr.errors import UserError
from repr.experiments.trials import NotRun
from repr.files import cache_dir


def titled(shop: Catalog, titles: list[str | None]) -> Catalog:
    return replace(shop, table=shop.table.set_column(shop.table.schema.get_field_index("title"), "title", pa.array(titles, pa.string())))


@pytest.mark.parametrize("model", ["lstm", "bilstm", "ngram"])
def test_each_text_model_learns_and_says_nothing_of_empty_titles(shop: Catalog, model: str) -> None:
    titles = shop.column("title").tolist()
    titles[5], titles[125] = "", "😀"
    trial = run_trial(Data(titled(shop, titles)), Settings(model=model, epochs=8, lr=0.01))
    row = trial.metrics
    assert row["top1"] > 0.9


@pytest.mark.parametrize("model", ["lstm", "ngram", "concat"])
def test_no_titles_at_all_is_one_clear_line(shop: Catalog, model: str) -> None:
    with pytest.raises(UserError, match="training"):
        run_trial(Data(titled(shop, [""] * 160)), Settings(model=model, weights="none", size=32))


def test_chinese_titles_are_cut_and_learnt(shop: Catalog) -> None:
    kinds = ("德芙牛奶巧克力", "安满孕妇配方奶粉", "纯棉男士短袖", "不锈钢保温杯")
    titles: list[str | None] = [f"【{kinds[row % 4]}】{row}克" for row in range(160)]
    assert run_trial(Data(titled(shop, titles)), Settings(model="bilstm", epochs=6, lr=0.01)).metrics["top1"] > 0.9
    with pytest.raises(NotRun, match="no weights"):
        run_trial(Data(titled(shop, titles)), Settings(model="bert"))


def test_word_vectors_know_the_training_part_alone() -> None:
    sentences = [["red", "apple"], ["green", "leek"]] * 20 + [["once"]]
    number, vectors = word2vec(sentences, 8, 0)
    assert set(number) == {"red", "apple", "green", "leek"} and sorted(number.values()) == [2, 3, 4, 5]
    assert vectors.shape == (6, 8) and not vectors[0].any()
    np.testing.assert_allclose(vectors[1], vectors[2:].mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(word2vec(sentences, 8, 0)[1], vectors)
    assert set(word2vec([["a"], ["b"]], 8, 0)[0]) == {"a", "b"}


def test_titles_without_a_known_word_are_counted(shop: Catalog) -> None:
    titles = shop.column("title").tolist()
    titles[0] = "zzz"
    model = Recurrent(Settings(model="lstm", epochs=1))
    generator = torch.Generator().manual_seed(0)
    model.fit(Data(titled(shop, titles)), np.arange(80), np.arange(80) % 4, 4, generator)
    assert "1 training titles without a known one" in model.note


def test_padding_changes_nothing() -> None:
    net = Sentence(np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32), 5, 3, both_ways=True).eval()
    short = torch.tensor([[3, 4, 0, 0]])
    both = torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8]])
    torch.testing.assert_close(net(both)[:1], net(short))


def slow_grams(text: str) -> list[str]:
    padded = f" {text.casefold()} "
    return [padded[i : i + n] for n in (2, 3, 4) for i in range(len(padded) - n + 1)]


def test_hashed_grams_are_those_of_a_plain_loop() -> None:
    """Equal n-grams have equal places, different ones (nearly always) different ones; texts do not run into each other."""
    texts = ["Red apple", "", "孕妈奶粉 800克", "a", "apple"]
    places, starts = grams(texts)
    wanted = [slow_grams(text) for text in texts]
    assert np.diff([*starts, len(places)]).tolist() == [len(each) for each in wanted]
    seen: dict[str, int] = {}
    for place, gram in zip(places, [gram for each in wanted for gram in each], strict=True):
        assert seen.setdefault(gram, int(place)) == place
    assert len(set(seen.values())) == len(seen) and places.min() >= 0 and places.max() < 1 << 20


@pytest.mark.parametrize(("limit", "value"), [("BIG", 50), ("COEFFICIENTS", 100)])
def test_many_rows_or_coefficients_are_streamed(shop: Catalog, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(ngram, limit, value)
    trial = run_trial(Data(shop), Settings(epochs=12, batch_size=16))
    row = trial.metrics
    assert row["top1"] > 0.9 and "streamed" in trial.note


def test_small_sets_are_streamed_more_often(shop: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(hashed, "fit_network", lambda network, *_, epochs, **more: seen.append(epochs) or network)
    for titles in (160, 1000):
        monkeypatch.setattr(hashed, "TITLES", titles)
        hashed.Hashed(Settings()).fit(Data(shop), np.arange(80), np.arange(80) % 4, 4, torch.Generator())
    assert seen == [3, 13]


@pytest.mark.parametrize("whole", [False, True])
def test_bert_from_a_folder(shop: Catalog, tiny_bert: Path, whole: bool) -> None:
    settings = Settings(model="bert", bert=str(tiny_bert), end_to_end=whole, epochs=15, lr=0.01)
    assert run_trial(Data(shop, mask=True), settings).metrics["top1"] > 0.8


def test_bert_with_a_warm_up(shop: Catalog, tiny_bert: Path) -> None:
    settings = Settings(model="bert", bert=str(tiny_bert), end_to_end=True, epochs=15, lr=0.01, optimiser="adamw")
    trial = run_trial(Data(shop, mask=True), settings)
    assert trial.metrics["top1"] > 0.8 and "adamw at 0.01" in trial.note and settings.config.optimiser == "adamw"


def test_encodings_are_kept_by_content(shop: Catalog, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(model="bert", bert=str(tiny_bert))
    first = BertFeatures(settings, tiny_bert)(Data(shop))
    monkeypatch.setattr("repr.classify.bert.encode", lambda *_: pytest.fail("encoded again"))
    np.testing.assert_array_equal(BertFeatures(settings, tiny_bert)(Data(shop)).vectors, first.vectors)
    monkeypatch.undo()
    for file in cache_dir("text").glob("*.npy"):
        file.write_bytes(file.read_bytes()[:200])  # damaged
    np.testing.assert_array_equal(BertFeatures(settings, tiny_bert)(Data(shop)).vectors, first.vectors)


def file_of(settings: Settings, data: Data) -> str:
    return wanted(0, settings, data, "", kept=True).file


def test_a_row_goes_stale_with_its_bert_and_its_images(shop: Catalog, tiny_bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    settings = Settings(model="bert", bert=str(folder))
    before = file_of(settings, Data(shop))
    assert file_of(settings, Data(shop)) == before
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False}))
    assert file_of(settings, Data(shop)) != before
    images, texts = Settings(model="resnet50"), Settings(model="ngram")
    names = [file_of(each, Data(shop)) for each in (images, texts)]
    image = shop.file(3)
    status = image.stat()
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    again = [file_of(each, Data(shop)) for each in (images, texts)]
    assert again[0] != names[0] and again[1] == names[1]


def test_ocr_text_gets_room(tiny_bert: Path) -> None:
    from repr.classify.bert import length, open_folder
    from repr.classify.pieces import tokens

    tokenizer, _ = open_folder(tiny_bert)
    found = [tokens(tokenizer, ["red " * 300], length(Settings(model="bert", ocr=ocr))).shape[1] for ocr in (False, True)]
    assert found == [64, 128]


def test_pooling_leaves_the_padding_out(tiny_bert: Path) -> None:
    from repr.classify.bert import open_folder

    _, network = open_folder(tiny_bert)
    network.eval()
    both = torch.tensor([[2, 5, 3, -1, -1], [2, 6, 7, 8, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(pooled(network, both)[:1], pooled(network, both[:1, :3]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_folder_that_lacks_a_file_names_it(tiny_bert: Path, tmp_path: Path, missing: str) -> None:
    for file in tiny_bert.iterdir():
        if file.name not in (missing, "tokenizer.json"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=missing.replace(".", r"\.")):
        check_folder(tmp_path)
    with pytest.raises(UserError, match="there is no such folder"):
        check_folder(tmp_path / "nowhere")


def test_a_frozen_bert_is_asked_about_what_is_left_of_the_text(shop: Catalog, tiny_bert: Path) -> None:
    table = shop.table.set_column(shop.table.schema.get_field_index("ocr"), "ocr", pa.array(["red red"] * 160, pa.string()))
    data = Data(replace(shop, table=table), ocr=True)
    trial = run_trial(data, Settings(model="bert", bert=str(tiny_bert), ocr=True, epochs=15, lr=0.01))
    row = trial.metrics
    assert row["missing/ocr"] > 0.5 and row["missing/title"] == 0.25  # all rows read the same


@pytest.mark.parametrize("model", ["bert", "ngram"])
def test_no_titles_for_what_reads_them_in_batches(shop: Catalog, tiny_bert: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram, "BIG", 50)
    with pytest.raises(UserError, match="no training row has a text"):
        run_trial(Data(titled(shop, [""] * 160)), Settings(model=model, bert=str(tiny_bert), end_to_end=True))
