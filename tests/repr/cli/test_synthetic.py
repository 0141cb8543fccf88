"""`repr synthetic` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repr.cli.synthetic import command
from repr.errors import UserError
from repr.synthetic import shop


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 1, 6, 6, 1_000_000, 20))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_it_says_where_both_parts_are_and_keeps_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    first = run("--out", out, "--scale", "tiny", "--workers", 1)
    assert first.exit_code == 0, first.exception
    assert first.stdout.split() == [str(out / "mep3m"), str(out / "rpc")] and all(Path(part).is_dir() for part in first.stdout.split())
    content = json.loads(run("--out", out, "--scale", "tiny", "--json").stdout)
    assert {name: content[name] for name in ("schema", "seed", "scale", "out", "rpc")} == {
        "schema": 1,
        "seed": 0,
        "scale": "tiny",
        "out": str(out),
        "rpc": str(out / "rpc"),
    }
    other = run("--out", out, "--scale", "tiny", "--seed", 1)
    assert isinstance(other.exception, UserError) and "another seed" in str(other.exception)


@pytest.mark.parametrize(
    ("typed", "words"), [((), "--out"), (("--out", "x", "--scale", "huge"), "huge"), (("--out", "x", "--workers", 0), "0")]
)
def test_wrong_usage_exits_2(typed: tuple[object, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*typed)
    assert result.exit_code == 2 and words in result.stderr and not list(tmp_path.iterdir())
