"""Keys: read from where they are told to be, refused where they can be guessed, and compared whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from repr.errors import UserError
from repr.server.keys import SHORTEST, Keys, read_key

KEY = "abcdefghijklmnop"


def test_from_a_file_or_the_environment_without_the_blanks_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.txt").write_text(f"\n  {KEY}\n\n")
    monkeypatch.setenv("SHOP_KEY", f" {KEY} ")
    assert read_key(str(tmp_path / "key.txt"), "write_key") == read_key("env:SHOP_KEY", "write_key") == KEY
    assert read_key(None, "read_key") is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (KEY[:-1], f"a key of {SHORTEST - 1} characters"),
        ("", "a key of 0 characters"),
        ("p" * 10 + "ä" * 10, "a key that no header can carry"),
        ("two words, sixteen and more", "a key that no header can carry"),
        (f"{KEY}\tx", "a key that no header can carry"),
    ],
)
def test_keys_that_can_be_guessed_or_not_be_sent(tmp_path: Path, key: str, message: str) -> None:
    (tmp_path / "key.txt").write_text(key, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_key(str(tmp_path / "key.txt"), "write_key")
    error = raised.value
    assert error.message == message and error.argument == "write_key" and "openssl rand" in error.remedy
    assert not key or key not in str(error), "a key is never printed"


@pytest.mark.parametrize("source", ["gone.txt", "folder", "binary"])
def test_a_source_that_cannot_be_read(tmp_path: Path, source: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="the key cannot be read") as raised:
        read_key(str(tmp_path / source), "read_key")
    assert raised.value.argument == "read_key"


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, ""):
        monkeypatch.delenv("SHOP_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("SHOP_KEY", value)
        with pytest.raises(UserError) as raised:
            read_key("env:SHOP_KEY", "write_key")
        assert str(raised.value) == "write_key: the environment has no SHOP_KEY. Set SHOP_KEY to the key."


@pytest.mark.parametrize(
    ("keys", "given_", "may_read", "may_write"),
    [
        (Keys(), None, True, False),
        (Keys(), "anything", True, False),
        (Keys(read="r" * 16), None, False, False),
        (Keys(read="r" * 16), "r" * 16, True, False),
        (Keys(write="w" * 16), None, True, False),
        (Keys(write="w" * 16), "w" * 16, True, True),
        (Keys("r" * 16, "w" * 16), "w" * 16, True, True),
        (Keys("r" * 16, "w" * 16), "r" * 16, True, False),
        (Keys("r" * 16, "w" * 16), "", False, False),
    ],
)
def test_who_may_write_may_read_and_nobody_writes_without_a_key(keys: Keys, given_: str | None, may_read: bool, may_write: bool) -> None:
    assert (keys.may_read(given_), keys.may_write(given_)) == (may_read, may_write)


@given(st.text(max_size=40))
@settings(max_examples=30)
def test_only_the_very_key_opens(sent: str) -> None:
    keys = Keys("r" * 16, KEY)
    assert keys.may_write(sent) == (sent == KEY) and keys.may_read(sent) == (sent in (KEY, "r" * 16))
