"""Names of files as text: nothing is lost, whatever the bytes are."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.catalog.names import as_name, as_text, loose, normal

NAMES = st.binary(min_size=1, max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b"?").replace(b"/", b"|")))


@given(NAMES)
def test_any_name_comes_back(name: str) -> None:
    text = as_text(name)
    text.encode()  # any program can write it
    assert as_name(text) == name


@given(NAMES, NAMES)
def test_two_names_are_two_texts(a: str, b: str) -> None:
    assert (as_text(a) == as_text(b)) == (a == b)


def test_text_stays_and_bytes_are_readable() -> None:
    assert as_text("tea/茶.jpg") == "tea/茶.jpg"
    assert as_text(os.fsdecode(b"caf\xe9 1/2.jpg")) == "bytes:caf%E9 1/2.jpg"
    assert as_text("bytes:x") == "bytes:bytes%3Ax"


def test_one_product_in_every_spelling() -> None:
    for name in ("müsli", "crème brûlée", "가방"):
        assert normal(unicodedata.normalize("NFD", f" {name} ")) == unicodedata.normalize("NFC", name)
    assert normal("St. Pauli") == "St. Pauli"


def test_file_names_agree_loosely() -> None:
    assert loose("IMG_1.JPG") == loose("img_1.jpg") == loose("img_1.jpg .")
    assert loose("a.jpg") != loose("b.jpg")


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_text_and_file_names_are_the_same_in_a_locale_without_letters(tmp_path: Path, locale: str) -> None:
    """Python then reads names as ASCII, which no text of a table fits into."""
    (tmp_path / "K\u00e4se").write_bytes(b"")
    program = (
        "import os, sys; from repr.catalog.names import as_name, as_text, normal;"
        "[name] = os.listdir(sys.argv[1]);"
        "assert sys.getfilesystemencoding() == 'ascii' and normal('Ka\\u0308se') == normal(as_text(name)) == 'K\\u00e4se';"
        "assert os.path.isfile(os.path.join(sys.argv[1], as_name('K\\u00e4se')))"
    )
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
