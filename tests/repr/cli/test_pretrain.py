from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from repr.cli.pretrain import command
from repr.errors import UserError
from repr.runs import Run


def test_a_run_goes_on_with_its_own_options_and_no_others(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", "repr pretrain", {"data": [], "epochs": 1}, data="shop", synthetic=False)
    options = ["--resume", "--out", str(tmp_path / "run"), "--config", str(tmp_path / "run" / "config.json")]
    with pytest.raises(UserError, match="config would do nothing"):
        CliRunner().invoke(command, options, catch_exceptions=False)
