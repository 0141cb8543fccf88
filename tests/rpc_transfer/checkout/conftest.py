"""What the tests of automatic checkout share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

WANTED = ("rpctool==0.1.6", "pandas<3", "pycocotools", "matplotlib", "scikit-image")


@pytest.fixture(scope="session")
def rpctool_python() -> Path:
    """The interpreter of an environment of its own that has rpctool 0.1.6: made once, and kept beside the system's temporary files.

    REPR_TEST_RPCTOOL=0 leaves it out; where it cannot be installed within two minutes the test is skipped.
    """
    if os.environ.get("REPR_TEST_RPCTOOL") == "0":
        pytest.skip("REPR_TEST_RPCTOOL=0: not compared with rpctool")
    folder = Path(tempfile.gettempdir()) / f"repr-test-rpctool-{sys.version_info.major}.{sys.version_info.minor}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.is_file():
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if uv is None:
            pytest.skip("rpctool needs an environment of its own, and uv, which makes one, is not here")
        try:
            subprocess.run([uv, "venv", "--clear", "--python", sys.executable, folder], check=True, capture_output=True, timeout=60)
            subprocess.run([uv, "pip", "install", "--python", python, *WANTED], check=True, capture_output=True, timeout=120)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"rpctool 0.1.6 cannot be installed: {(error.stderr or b'').decode()[-200:] or error}")
        ready.touch()
    return python
