from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from repr.cli.pretrain import command
from repr.errors import UserError
from repr.runs import Run


def test_a_run_goes_on_with_its_own_options_and_no_others(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", "repr pretrain", {"data": [], "epochs": 1}, data="shop", synthetic=False)
    options = ["--resume", "--out", str(tmp_path / "run"), "--config", str(tmp_path / "run" / "config.json")]
    with pytest.raises(UserError, match="config would do nothing"):
        CliRunner().invoke(command, options, catch_exceptions=False)


def test_a_stopped_run_needs_its_folder() -> None:
    with pytest.raises(UserError, match=r"--out: a stopped run needs its folder to go on\. Add --out DIR"):
        CliRunner().invoke(command, ["--resume"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("--method", "simclr:temprature=0.2"), "there is no setting 'temprature'. Did you mean temperature"),
        (("--method", "simclr:temperature=0"), "temperature is 0"),
        (("--method", "simclar"), "Did you mean simclr"),
        (("--method", "supervised:temperature=1"), "there is no setting 'temperature'"),
        (("--method", "simclr", "--optimiser", "sgd"), "simclr's rate is for lars, not sgd. Give `lr` too"),
        (("--epochs", "1", "--warmup", "1"), "1 epochs of warm-up in a run of 1"),
        (("--epochs", "0"), "epochs is 0"),
        (("--lr", "nan"), "lr is nan"),
        (("--views", "round"), "no views named round"),
        (("--arch", "resnet19"), "no such architecture: resnet19"),
        (("--size", "8"), "size is 8"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    typed: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(4):
        file = tmp_path / "shop" / "C+C" / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (i, 0, 0)).save(file)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["--data", "shop", "--device", "cpu", *typed])
    words = str(result.exception) if isinstance(result.exception, UserError) else result.stderr
    assert result.exit_code != 0 and message in words, (result.exception, result.stderr)
    assert [file.name for file in tmp_path.iterdir()] == ["shop"] or not list((tmp_path / "runs").iterdir())
