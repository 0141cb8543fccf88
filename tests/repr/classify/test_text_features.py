from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from repr.catalog.table import Catalog
from repr.classify import lsa, recurrent
from repr.classify.data import Data, Features
from repr.classify.experiment import run_trial
from repr.classify.settings import Settings
from repr.classify.text_features import text_encoder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "text"


def encoded(shop: Catalog, settings: Settings, rows: int = 120) -> Features:
    data = Data(shop)
    return text_encoder(data, settings, np.arange(rows), np.arange(rows) % 4, 4)(data)


def learnt_again(*_: object, **__: object) -> None:
    raise RuntimeError("learnt again")


@pytest.mark.parametrize("kind", ["ngram", "bilstm"])
def test_an_encoder_is_learnt_once(shop: Catalog, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    settings = Settings(text_encoder=kind, epochs=1)
    first = encoded(shop, settings)
    monkeypatch.setattr(lsa, "lsa_encoder", learnt_again)
    monkeypatch.setattr(recurrent, "Recurrent", learnt_again)
    again = encoded(shop, replace(settings, model="gated", weights="none", level=1))
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert again.name == first.name and again.present.all() and not again.unknown.any()
    with pytest.raises(RuntimeError):
        encoded(shop, settings, rows=100)
    with pytest.raises(RuntimeError):
        encoded(shop, replace(settings, seed=1))


@pytest.mark.parametrize(
    ("kind", "change"),
    [("ngram", {"mask": True}), ("ngram", {"ocr": True}), ("ngram", {"scale": 0.5}), ("bilstm", {"epochs": 2}), ("bilstm", {"level": 1})],
)
def test_another_text_or_training_is_learnt_anew(shop: Catalog, cache: Path, kind: str, change: dict[str, object]) -> None:
    def made(settings: Settings) -> None:
        data = Data(shop, ocr=settings.ocr, mask=settings.mask)
        text_encoder(data, settings, np.arange(120), np.arange(120) % (2 if settings.level == 1 else 4), 4)(data)

    settings = Settings(text_encoder=kind, epochs=1, level=2)
    made(settings)
    made(replace(settings, **change))  # type: ignore[arg-type]
    assert len(list(cache.iterdir())) == 2


def test_a_hidden_image_changes_no_text(shop: Catalog, cache: Path) -> None:
    run_trial(Data(shop), Settings(model="concat", hierarchy="flat", weights="none", size=32, epochs=1))
    assert len(list(cache.iterdir())) == 1


def test_features_that_do_not_fit_on_the_disk_are_used(shop: Catalog, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert encoded(shop, Settings()).present.all() and "not kept" in capsys.readouterr().err


def test_what_was_kept_and_damaged_is_made_anew(shop: Catalog, cache: Path) -> None:
    first = encoded(shop, Settings())
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:500])
    np.testing.assert_allclose(encoded(shop, Settings()).vectors, first.vectors, atol=1e-5)


def test_what_was_kept_changes_no_number(shop: Catalog) -> None:
    settings = Settings(model="concat", text_encoder="lstm", weights="none", size=32, epochs=2)
    first, again = (run_trial(Data(shop), settings).arrays["confidence"] for _ in range(2))
    assert first.tolist() == again.tolist()


@pytest.mark.parametrize("model", ["lstm", "concat"])
@pytest.mark.parametrize("hierarchy", ["", "flat"])
def test_titles_without_a_known_word_are_counted(shop: Catalog, model: str, hierarchy: str) -> None:
    titles = shop.table.column("title").to_pylist()
    titles[120:124] = ["zzqx", "qqqq", "", "xyzzy"]
    column = shop.table.schema.get_field_index("title")
    data = Data(replace(shop, table=shop.table.set_column(column, "title", pa.array(titles))))
    trial = run_trial(data, Settings(model=model, hierarchy=hierarchy, text_encoder="lstm", weights="none", size=32, epochs=1))
    row = trial.metrics
    assert (row["rows/unknown_text"], row["rows/no_text"]) == (3, 1)
