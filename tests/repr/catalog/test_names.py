"""Names of files as text: nothing is lost, whatever the bytes are."""

from __future__ import annotations

import os
import unicodedata

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
