"""The index as programs use it: content is identity, it follows a folder, others see changes, and it can be kept."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import tarfile
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.lookup import index as module
from repr.lookup import products
from repr.lookup.building import Stock
from repr.lookup.index import Index
from repr.lookup.own import standing
from repr.lookup.store import NewImage, Product
from repr.models.weights import Weights, fresh, write_weights


def draw(file: Path, seed: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed)).save(file)
    return file


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return fresh("resnet18", 32, 0)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for seed, name in enumerate(["tea/a.png", "tea/b.png", "jam/a.png", "jam/b.png", "oil/a.png"]):
        draw(tmp_path / "shop" / name, seed)
    return tmp_path / "shop"


@pytest.fixture
def index(tmp_path: Path, shop: Path, weights: Weights) -> Index:
    return Index.create(tmp_path / "i", weights=weights, data=shop, crops=[1], device="cpu")


def first(index: Index, image: object) -> tuple[str, str]:
    match = index.lookup(image, k=1).matches[0]  # type: ignore[call-overload]
    assert match.score > 0.9999
    return match.product, match.image


def paths(index: Index) -> set[str]:
    return {f"{image.product}:{image.path}" for image in index.store.images()}


def test_it_follows_a_folder(index: Index, shop: Path) -> None:
    features = dict(zip(index.gallery()[2].tolist(), index.gallery()[0], strict=True))
    draw(shop / "tea" / "a.png", 50)  # changed
    (shop / "jam" / "b.png").rename(shop / "jam" / "moved.png")
    (shop / "oil" / "a.png").unlink()
    draw(shop / "rice" / "a.png", 51)
    planned = index.sync(shop, dry_run=True)
    assert index.store.counts() == (3, 5)
    done = index.sync(shop)
    assert done == planned and done.as_json() == {
        **{"added": 1, "updated": 1, "moved": 1, "removed": 1, "unchanged": 2},
        **{"kept": 0, "quarantined": 0},
    }
    assert paths(index) == {"tea:tea/a.png", "tea:tea/b.png", "jam:jam/a.png", "jam:jam/moved.png", "rice:rice/a.png"}
    assert first(index, shop / "tea" / "a.png") == ("tea", "tea/a.png") and index.verify() == []
    after = dict(zip(index.gallery()[2].tolist(), index.gallery()[0], strict=True))
    assert all((features[id_] == after[id_]).all() for id_ in features.keys() & after.keys()), "a moved image keeps its features"
    again = index.sync(shop)
    assert (again.unchanged, again.added + again.updated + again.moved + again.removed) == (5, 0)
    assert {p.id for p in index.store.products().values()} == {"tea", "jam", "rice"}


def test_a_file_moved_to_another_product_keeps_its_features(index: Index, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(map(tuple, index.gallery()[0].tolist()))
    (shop / "jam" / "b.png").rename(shop / "tea" / "c.png")
    monkeypatch.setattr(Embedder, "images", lambda *arguments: pytest.fail("nothing is to be embedded"))
    done = index.sync(shop)
    assert (done.added, done.removed, done.unchanged) == (1, 1, 4)
    assert sorted(map(tuple, index.gallery()[0].tolist())) == before and "tea:tea/c.png" in paths(index)


def test_what_was_given_otherwise_stays_when_it_follows_a_folder(index: Index, shop: Path) -> None:
    index.add("egg", pixels(61))
    index.add("tea", pixels(62))
    products.describe(index.store, Product("bread", "Bread", "42"))
    shutil.rmtree(shop / "tea")
    done = index.sync(shop)
    assert (done.removed, done.kept, done.unchanged) == (2, 2, 3) and "2 that were given one by one stay" in done.words()
    assert {product.id for product in index.store.products().values()} == {"tea", "jam", "oil", "egg", "bread"}
    assert first(index, pixels(62))[0] == "tea" and len(kept(index)) == 2 and index.verify() == []
    shutil.rmtree(shop / "oil")
    assert index.sync(shop).removed == 1 and not index.store.has_product("oil")


def test_a_folder_that_cannot_be_opened_takes_nothing_out(index: Index, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.iterdir

    def closed(folder: Path) -> Iterator[Path]:
        if folder.name == "jam":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", closed)
    for dry_run in (True, False):
        with pytest.raises(UserError, match="1 folders cannot be opened, such as jam/"):
            index.sync(shop, dry_run=dry_run)
    assert index.store.counts() == (3, 5) and index.add_catalog(Stock.of(shop).catalog()).unchanged == 3


def test_a_folder_of_broken_files_takes_nothing_out(index: Index, tmp_path: Path) -> None:
    (tmp_path / "broken" / "tea").mkdir(parents=True)
    for name in ("x.png", "y.png"):
        (tmp_path / "broken" / "tea" / name).write_bytes(f"no image {name}".encode())
    with pytest.raises(UserError, match="none of the 2 images can be read"):
        index.sync(tmp_path / "broken")
    assert len(list(index.store.images())) == 5
    draw(tmp_path / "broken" / "tea" / "z.png", 9)
    assert index.sync(tmp_path / "broken").removed == 5, "one that can be read is a folder to be made equal to"


def test_a_folder_without_a_readable_image_empties_nothing(index: Index, tmp_path: Path) -> None:
    (tmp_path / "none" / "x").mkdir(parents=True)
    (tmp_path / "none" / "x" / "a.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError):
        index.sync(tmp_path / "none")
    assert index.store.counts() == (3, 5)


def test_products_one_by_one(index: Index, shop: Path, tmp_path: Path) -> None:
    file = draw(tmp_path / "elsewhere" / "1.png", 60)
    assert index.add("egg", [file, pixels(61), file.read_bytes()], name="Egg", barcode="42").added == 2
    assert first(index, pixels(61))[0] == "egg" and index.lookup(pixels(61), k=1).matches[0].barcode == "42"
    assert index.file(first(index, pixels(61))[1]).is_file() and index.verify() == []
    assert index.add("egg", file).unchanged == 1
    index.rename("egg", "eggs/6 large")
    assert first(index, file)[0] == "eggs/6 large"
    assert index.remove(["eggs/6 large", "tea"]) == 4
    assert "tea" not in {match.product for match in index.lookup(shop / "tea" / "a.png").matches}
    for wrong in (lambda: index.rename("jam", "oil"), lambda: index.rename("nine", "ten"), lambda: index.remove(["jam", "nine"])):
        with pytest.raises(UserError):
            wrong()
    with pytest.raises(UserError, match="none of the 1 images"):
        index.add("bad", b"no image")
    assert index.store.counts() == (2, 3)


def kept(index: Index) -> list[str]:
    return sorted(file.name for file in (index.folder / "images").iterdir())


def test_files_of_its_own_go_with_the_last_image_of_them(index: Index) -> None:
    with pytest.raises(UserError, match="none of the 1 images"):
        index.add("bad", b"no image")
    assert not (index.folder / "images").exists(), "what cannot be read is not kept"
    index.add("egg", [pixels(61), pixels(62)])
    index.add("nest", pixels(62))
    assert len(kept(index)) == 2 and index.store.strays() == []
    index.remove(["egg"])
    [path] = [image.path for image in index.store.images(product="nest")]
    assert kept(index) == [path.removeprefix("index:")] and index.verify() == []
    index.file(path).unlink()
    assert index.add("nest", pixels(62)).unchanged == 1 and index.verify() == [], "a file that was lost is written again"
    index.remove(["nest"])
    assert kept(index) == []


def test_files_that_an_interruption_left_over_are_counted_and_swept(index: Index) -> None:
    index.add("egg", pixels(61))
    for name in ("f" * 64 + ".png", ".half.png.1.part"):
        (index.folder / "images" / name).write_bytes(b"left over")
    assert len(index.store.strays()) == 2 and index.verify() == [] and index.compact() == 2
    assert index.store.strays() == [] and len(kept(index)) == 1 and index.verify() == []


def test_no_file_goes_while_the_folder_is_copied(index: Index) -> None:
    index.add("egg", pixels(61))
    with standing(index.folder):
        index.remove(["egg"])
        assert len(kept(index)) == 1
    assert index.compact() == 1 and kept(index) == []


@pytest.mark.parametrize("product", ["a/b", "-1", " spaces ", "x" * 1000, "牛奶", "..", "'; DROP TABLE images; --"])
def test_ids_of_any_kind(index: Index, product: str) -> None:
    index.add(product, pixels(70))
    assert first(index, pixels(70))[0] == product.strip()
    index.remove([product.strip()])


def test_others_see_what_is_committed(index: Index, shop: Path) -> None:
    reader = Index.open(index.folder, device="cpu")
    assert len(reader.lookup(pixels(0)).matches) == 3
    index.add("egg", pixels(80))
    assert first(reader, pixels(80))[0] == "egg"
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(first(reader, pixels(80))[0]))
    thread.start()
    thread.join()
    assert found == ["egg"]
    index.remove(["egg"])
    assert len(reader.lookup(pixels(80)).matches) == 3


def test_images_that_lie_elsewhere_now(index: Index, shop: Path, tmp_path: Path) -> None:
    moved = shop.rename(tmp_path / "moved")
    assert index.verify() == ["5 images are not there: jam/a.png, jam/b.png, oil/a.png, tea/a.png, tea/b.png"]
    with pytest.raises(UserError, match="not one of the 5 images"):
        index.move(tmp_path / "nowhere")
    index.move(moved)
    assert index.verify() == [] and index.sync(moved).unchanged == 5
    draw(moved / "tea" / "a.png", 90)
    assert index.verify() == ["1 images have changed since they were stored: tea/a.png"]


def test_a_backup_comes_back_and_tables_go_out(index: Index, tmp_path: Path) -> None:
    index.add("egg", pixels(91), name="Egg", category=["food"])
    index.backup(tmp_path / "shop.tar")
    index.remove(["egg"])
    back = Index.restore(tmp_path / "shop.tar", tmp_path / "back")
    assert first(back, pixels(91))[0] == "egg" and back.verify() == [] and back.name != index.name
    with pytest.raises(UserError, match="there already"):
        Index.restore(tmp_path / "shop.tar", tmp_path / "back")
    (tmp_path / "no.tar").write_bytes(b"no archive")
    with pytest.raises(UserError, match="not a backup"):
        Index.restore(tmp_path / "no.tar", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert back.export(tmp_path / "t.csv") == back.export(tmp_path / "t.parquet") == 6
    with (tmp_path / "t.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[-1]["product"] == "egg" and rows[-1]["name"] == "Egg" and rows[-1]["category"] == "food"
    features, products, ids = back.gallery()
    table = pq.read_table(tmp_path / "t.parquet")
    assert table["id"].to_pylist() == ids.tolist() and table["product"].to_pylist() == products
    np.testing.assert_array_equal(np.array(table["features"].to_pylist(), np.float32), features)
    with pytest.raises(UserError, match="no format"):
        back.export(tmp_path / "t.txt")


def test_a_damaged_backup_is_told(index: Index, tmp_path: Path) -> None:
    index.backup(tmp_path / "shop.tar")
    with tarfile.open(tmp_path / "shop.tar") as archive:
        archive.extractall(tmp_path / "parts", filter="data")
    with (tmp_path / "parts" / "index.db").open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 40_000)
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for name in ("index.db", "weights.safetensors"):
            archive.add(tmp_path / "parts" / name, name)
    with pytest.raises(UserError, match=r"a backup that cannot be used: .*malformed") as told:
        Index.restore(tmp_path / "bad.tar", tmp_path / "back")
    assert told.value.where == str(tmp_path / "bad.tar") and not (tmp_path / "back").exists()


def test_what_came_and_went_does_not_make_an_index_big(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_fast_exact", lambda n, dim: n <= 8)
    for seed in range(61, 65):
        index.add("egg", [pixels(seed), pixels(seed + 10)])
        assert seed == 64 or index.remove(["egg"]) == 2
    assert max(image.id for image in index.store.images()) > 8 and not index.info()["search"]["outgrown"]


def test_ids_are_found_however_their_letters_are_composed(index: Index) -> None:
    one, other = unicodedata.normalize("NFC", "Gelée"), unicodedata.normalize("NFD", "Gelée")
    index.add(other, pixels(61))
    index.rename(other, "Crème")
    index.rename(unicodedata.normalize("NFD", "Crème"), other)
    assert one != other and index.store.has_product(one) and index.remove([other, one]) == 1


def test_boxes_go_out_as_they_are(index: Index, tmp_path: Path) -> None:
    box = (1234.5678, 1000001.0, 0.1, 33.0)
    with index.store.change("add") as change:
        change.add([NewImage("tea", "t.png", bytes(32), np.ones(512, np.float32), box)])
    index.export(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8") as stream:
        assert [row["box"] for row in csv.DictReader(stream)][-1] == "1234.5678 1000001 0.1 33"


def test_changes_are_logged_with_who_made_them(index: Index) -> None:
    index.who = "service"
    index.add("egg", pixels(61))
    assert index.store.history(1)[0][2] == "service" and index.store.history()[-1][2] != "service"


def test_caches_can_go_at_any_time(index: Index, shop: Path) -> None:
    for file in index.folder.iterdir():
        if file.name not in ("index.db", "index.db-wal", "index.db-shm", "weights.safetensors"):
            file.unlink()
    assert first(Index.open(index.folder, device="cpu"), shop / "jam" / "a.png") == ("jam", "jam/a.png")
    index.remove(["tea"])
    index.compact()
    assert len(index.lookup(pixels(0)).matches) == 2


def test_an_index_that_is_there_and_weights_that_are_not_its_own(index: Index, shop: Path, weights: Weights) -> None:
    with pytest.raises(UserError, match="is there already"):
        Index.create(index.folder, weights=weights, data=shop)
    other = fresh("resnet18", 32, 1)
    with pytest.raises(UserError, match="made with the weights"):
        index.check_weights(other)
    index.check_weights(weights)
    write_weights(index.folder / "weights.safetensors", other)
    with pytest.raises(UserError, match="not the weights the index was made with"):
        Index.open(index.folder, device="cpu").lookup(pixels(0))
    assert any("other weights" in problem for problem in index.verify())
    (index.folder / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="weights are not there"):
        Index.open(index.folder, device="cpu").lookup(pixels(0))
    assert any("weights are not there" in problem for problem in index.verify())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # features may be turned into any number
def test_whichever_bytes_are_changed_it_answers_or_says_that_it_is_damaged(index: Index) -> None:
    index.close()
    db = index.folder / "index.db"
    whole, refused = db.read_bytes(), 0
    texts = [place for place in range(100, len(whole)) if whole[place : place + 2] in (b'{"', b'": ', b'", ', b'["')]
    for seed in range(60):
        generator, changed = np.random.default_rng(seed), bytearray(whole)
        for place in generator.choice(texts if seed % 2 else np.arange(100, len(whole)), generator.choice([1, 3, 30])):
            changed[place + generator.integers(8) if place < len(whole) - 8 else place] = generator.integers(256)
        db.write_bytes(changed)
        for file in ("index.db-wal", "index.db-shm"):
            (index.folder / file).unlink(missing_ok=True)
        try:
            damaged = Index.open(index.folder, device="cpu")
        except UserError:
            refused += 1
            continue
        for ask in (damaged.info, damaged.gallery, damaged.store.history, lambda of=damaged: of.search(np.ones((1, 512), np.float32))):
            with suppress(UserError):
                ask()  # type: ignore[operator]
        assert isinstance(damaged.verify(images=False), list)
        damaged.close()
    assert 0 < refused < 60


def test_it_says_what_it_is(index: Index) -> None:
    assert repr(index) == f"<Index '{index.folder}': 3 products in 5 images, none at 32 px>"
    info = index.info()
    assert (info["products"], info["images"], info["complete"], info["search"]["kind"]) == (3, 5, True, "exact")
    assert [change["what"] for change in info["changes"]] == ["build", "settle", "build", "create"]
    with pytest.raises(UserError, match="512 numbers an image"):
        index.search(np.ones((1, 4), np.float32))
    with pytest.raises(UserError, match="not finite"):
        index.search(np.full((1, 512), np.nan, np.float32))
    assert (index.folder / "weights.safetensors").stat().st_mode == (index.folder / "index.db").stat().st_mode


def test_an_empty_index_is_filled_later(tmp_path: Path, weights: Weights, shop: Path) -> None:
    index = Index.create(tmp_path / "empty", weights=weights, root=shop, device="cpu")
    assert index.lookup(pixels(0)).matches == ()
    shutil.copytree(shop, tmp_path / "copy")
    assert index.sync([shop]).added == 5 and first(index, pixels(0)) == ("tea", "tea/a.png")
