"""What --data takes: detection, defaults, unions, splits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from repr.catalog import mep3m, sources
from repr.errors import UserError
from repr.images.pack import make_pack


def shop(root: Path, *classes: str, images: int = 10) -> Path:
    for k, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for n in range(images):
            Image.effect_noise((24, 24), 20 + k + n).save(root / name / f"{n}.png")
    return root


def test_kinds(shared: Path, tmp_path: Path) -> None:
    for name, kind in (("mep3m", "mep3m"), ("fashion", "mep3m"), ("grocery", "rpc"), ("freiburg", "folders")):
        assert sources.kind_of(shared / name) == kind
    assert sources.kind_of(shared / "fashion" / "annotation.json") == "mep3m"
    assert sources.kind_of(shared / "fashion" / "classes.csv") == "csv"
    with pytest.raises(UserError, match="no such folder"):
        sources.kind_of(tmp_path / "none")
    (tmp_path / "x.docx").write_text("")
    with pytest.raises(UserError, match=r"\.docx"):
        sources.kind_of(tmp_path / "x.docx")


def test_a_pack_is_named_and_the_data_asked_for(tmp_path: Path) -> None:
    data = shop(tmp_path / "shop", "a", "b", images=1)
    make_pack(sources.open_data([data], split=None), 16, out=tmp_path / "pack")
    with pytest.raises(UserError, match=r"a pack: .*the data it was made from"):
        sources.open_data([tmp_path / "pack"])


def test_every_kind_has_a_reader() -> None:
    assert set(sources.READERS) == {"mep3m", "rpc", "folders", "rakuten", "csv", "catalog"}


def test_bare_sources_are_split_and_others_keep_theirs(shared: Path, tmp_path: Path) -> None:
    both = sources.open_data([shop(tmp_path / "shop", "a", "b"), shared / "fruits"])
    names = both.column("source")
    split = both.column("split")
    assert sorted(split[names == 0]) == ["test"] * 4 + ["train"] * 16
    assert (split[names == 1] == "train").sum() == 480
    assert set(sources.open_data([tmp_path / "shop"], split=None).column("split")) == {""}


def test_a_catalog_is_a_source_and_keeps_its_split(tmp_path: Path) -> None:
    first = sources.open_data([shop(tmp_path / "shop", "a", "b")], seed=3)
    first.write(tmp_path / "c.parquet")
    again = sources.open_data([tmp_path / "c.parquet"], seed=4)
    assert again.column("split").tolist() == first.column("split").tolist()


def test_the_environment_names_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop(tmp_path / "shop", "a", "b")
    monkeypatch.setenv("MEP3M_ROOT", str(tmp_path / "shop"))
    assert sources.open_data([]).name == "shop"
    monkeypatch.setenv("RPC_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere"):
        sources.open_data([], default="rpc")


@pytest.mark.parametrize("default", ["mep3m", "rpc"])
def test_no_data_is_an_error_that_says_what_to_do(default: sources.Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.VARIABLES[default], raising=False)
    with pytest.raises(UserError, match="no data are named") as refused:
        sources.open_data([], default=default)
    assert refused.value.argument == "data" and f"${sources.VARIABLES[default]}" in refused.value.remedy
    assert f"repr synthetic --out shop draws a shop, whose folder is shop/{default}" in refused.value.remedy


def test_the_same_source_twice(tmp_path: Path) -> None:
    shop(tmp_path / "shop", "a")
    with pytest.raises(UserError, match="given twice"):
        sources.open_data([tmp_path / "shop", str(tmp_path / "x" / ".." / "shop")])


def test_big_annotations_are_parsed_once(shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sources, "BIG", 1000)
    first = sources.read_source(shared / "mep3m")
    assert "once" in capsys.readouterr().err
    again = sources.read_source(shared / "mep3m" / "annotations-1k.json")
    assert capsys.readouterr().err == ""
    assert first.table.equals(again.table) and first.table.equals(mep3m.read(shared / "mep3m").table)


def test_what_is_kept_is_read_again_when_images_have_come(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "BIG", 1000)
    (tmp_path / "annotation.json").write_bytes((shared / "mep3m" / "annotations-1k.json").read_bytes())
    for record in json.loads((tmp_path / "annotation.json").read_bytes())[:3]:
        (tmp_path / record["img_path"]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / record["img_path"]).write_bytes(b"x")
    assert len(sources.read_source(tmp_path)) == 3
    (tmp_path / "Images" / "7").mkdir(exist_ok=True)
    (tmp_path / "Images" / "7" / "late.jpg").write_bytes(b"x")
    capsys.readouterr()
    sources.read_source(tmp_path)
    assert "once" in capsys.readouterr().err


def test_what_is_kept_is_of_this_very_file(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders, named alike from where one stands, with files of one size and time."""
    monkeypatch.setattr(sources, "BIG", 1000)
    for shop_name in ("one", "two"):
        folder = tmp_path / shop_name / "data"
        folder.mkdir(parents=True)
        (folder / "annotation.json").write_bytes((shared / "mep3m" / "annotations-1k.json").read_bytes())
        os.utime(folder / "annotation.json", ns=(0, 0))
        monkeypatch.chdir(tmp_path / shop_name)
        assert sources.read_source(Path("data")).sources[0].root == folder
