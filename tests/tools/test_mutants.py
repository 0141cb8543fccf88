"""The list of changes that tests must notice: up to date, and a change that no test notices is told. That all are noticed,
`tools/test --all` sees by running it."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "tools" / "mutants" / "mutants.py"


@pytest.fixture(scope="module")
def run() -> ModuleType:
    spec = spec_from_file_location("mutants", FILE)
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_change_can_be_made_and_names_a_test_that_is_there(run: ModuleType) -> None:
    listed = run.read_list()
    assert len(listed) > 20
    for mutant in listed:
        changed, there = ast.parse(mutant.source()), ast.parse((ROOT / mutant.file).read_text(encoding="utf-8"))
        assert ast.dump(changed) != ast.dump(there), mutant.name
        file, _, test = mutant.test.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert not test or test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, mutant.test


def test_a_line_that_is_no_longer_there_is_an_error(run: ModuleType) -> None:
    stale = run.Mutant("stale", "repr/errors.py", "what nobody wrote", "", "tests/test_structure.py")
    with pytest.raises(ValueError, match=r"0 times, not once: bring list\.toml up to date"):
        stale.source()


ALONE = """
import sys
sys.path.insert(0, {folder!r})
import mutants
mutants.HEAVY = ()
mutants.read_list = lambda: [mutants.Mutant({mutant})]
sys.exit(mutants.main([]))
"""


def tried(mutant: str) -> subprocess.CompletedProcess[str]:
    """What comes of a list of one change."""
    code = ALONE.format(folder=str(FILE.parent), mutant=mutant)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_noticed_and_not() -> None:
    line = "'repr/crops.py', 'WHOLE = (1.0,)', {!r}, 'tests/repr/test_crops.py'"
    done = tried("'wrong', " + line.format("WHOLE = (0.5,)"))
    assert done.returncode == 0 and "1 of 1 changes were noticed" in done.stdout, done.stdout + done.stderr
    done = tried("'harmless', " + line.format("WHOLE = (1.0 + 0,)"))
    assert done.returncode == 1 and "SURVIVED harmless" in done.stdout and "not: harmless" in done.stdout
