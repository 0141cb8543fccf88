"""`repr catalog` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from repr.cli.catalog import command
from repr.errors import UserError


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def fashion(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("catalog") / "fashion.parquet"
    built = as_json("build", "--root", shared / "fashion", "--out", out)
    assert built["records"] == 20_000 and built["quarantined"] == 0 and built["catalog"] == str(out)
    return out


def test_stats_draws_the_papers_figures(fashion: Path, tmp_path: Path) -> None:
    value = as_json("stats", fashion, "--out", tmp_path)
    assert value["rows"] == 20_000 and value["ocr"]["share"] == 0
    drawn = {Path(file).name for file in value["figures"]}
    of_numbers = {"long_tail.svg", "classes.svg", "resolutions.svg", "title_lengths.svg", "tree.svg", "catalog.html"}
    assert drawn == of_numbers | {"title_cloud.png", "classes_shown.png", "lookalikes.png"}
    assert value["titles"]["characters"] > 20_000 and value["storage"]["files"] == 20_000 and value["storage"]["bytes"] > 1e6
    for file in tmp_path.glob("*.svg"):
        assert file.read_text(encoding="utf-8").startswith("<svg") and "var(--" not in file.read_text(encoding="utf-8")
    assert "Topwear" in run("stats", "--data", fashion).stdout


def test_classes_are_called_as_a_table_has_them(shared: Path, tmp_path: Path) -> None:
    names = tmp_path / "en.csv"
    names.write_text("class_id,sub_class_id,name\n7,,Mother and baby\n7,1,Maternity milk powder\n", encoding="utf-8")
    value = as_json("stats", shared / "mep3m", "--names", names)
    assert value["classes"][0]["name"] == "Mother and baby" and value["long_tail"][0]["name"] == "Maternity milk powder"
    assert "Maternity milk powder" in run("show", shared / "mep3m", "--names", names, "-n", 1).stdout
    names.write_text("sub_class_id,name\n1,a\n1,b\n", encoding="utf-8")
    with pytest.raises(UserError, match="class 1 a second time"):
        run("stats", shared / "mep3m", "--names", names)


def test_stats_by_level(fashion: Path) -> None:
    assert len(as_json("stats", fashion, "--level", 3)["long_tail"]) == 168


def test_show(fashion: Path) -> None:
    value = as_json("show", fashion, "--class", "Bags", "-n", 2)
    assert value["records"] == 20_000 and value["classes"] == [7, 47, 145]
    assert [row["class_2"] for row in value["rows"]] == ["Bags", "Bags"]
    assert "20,000 records of fashion" in run("show", fashion).stdout
    with pytest.raises(UserError, match="no class 'Bagz'"):
        run("show", fashion, "--class", "Bagz")


def test_split(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    (tmp_path / "shop").mkdir()
    for name in ("COFFEE", "HONEY"):
        (tmp_path / "shop" / name).symlink_to(shared / "freiburg" / name)
    value = as_json("split", tmp_path / "shop", "--split", "grouped", "--out", out)
    assert value["twins"] == 0 and value["largest"] == 2
    assert as_json("show", out)["splits"] == {"test": value["test"], "train": value["train"]}


def test_subset_lists_and_takes(shared: Path, tmp_path: Path) -> None:
    assert [row["name"] for row in as_json("subset")["subsets"]] == ["mep-for-rpc", "outdoors", "meats", "accessories", "jewelries"]
    assert "118,170" in run("subset").stdout
    mine = tmp_path / "mine.csv"
    mine.write_text("sub_class_id\n1\n")
    value = as_json("subset", mine, "--data", shared / "mep3m", "--out", tmp_path / "m.parquet")
    assert (value["records"], value["classes"]) == (1000, 1)


def test_unpack(tmp_path: Path) -> None:
    if not any(Path(folder, "bsdtar").exists() for folder in ("/usr/bin", "/usr/local/bin", "/bin")):
        pytest.skip("bsdtar is not installed")
    (tmp_path / "Images").mkdir()
    with zipfile.ZipFile(tmp_path / "Images" / "1.rar", "w") as file:
        file.writestr("1/1.jpg", "x")
    (tmp_path / "annotation.json").write_text('[{"img_path": "Images/1/1.jpg"}, {"img_path": "Images/1/2.jpg"}]')
    value = as_json("unpack", "--root", tmp_path)
    assert value == {"archives": 1, "skipped": 0, "images": 1, "missing": 1, "extra": 0, "out": str(tmp_path / "Images")}
    assert as_json("unpack", "--root", tmp_path)["skipped"] == 1


def test_help_is_light_and_has_examples() -> None:
    check = (
        "import sys\nfrom click.testing import CliRunner\nfrom repr.cli.catalog import command\n"
        "for name in command.list_commands(None):\n"
        "    result = CliRunner().invoke(command, [name, '--help'])\n"
        "    assert result.exit_code == 0 and 'Example' in result.output and f'repr catalog {name}' in result.output, result.output\n"
        "assert not {'numpy', 'pyarrow', 'torch', 'matplotlib', 'PIL'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_errors_are_one_line_and_exit_2(tmp_path: Path) -> None:
    broken = tmp_path / "annotation.json"
    broken.write_text('[{"class_id": "5"}]')
    program = "from repr.cli import main; main()"
    arguments = [
        sys.executable,
        "-c",
        program,
        "catalog",
        "build",
        "--annotations",
        str(broken),
        "--out",
        str(tmp_path / "c.parquet"),
        "--json",
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["message"] == "no field class_name" and error["where"] == f"{broken}, record 1" and error["remedy"]
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["annotation.json"]
