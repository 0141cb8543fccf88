"""Big JSON files, read typed and fast, with the number of the record at fault when they are broken.

Decoding goes through msgspec, block by block for an array that does not fit in memory. Only when a block fails is it
gone through record by record, to find out which one.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from repr.errors import UserError

T = TypeVar("T")

BLOCK = 8 << 20  # bytes read at a time; the memory of a stream is a small multiple of it
LONGEST = 1 << 20  # bytes a record may have; MEP-3M's are about 564
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
NOT_NUMBERS = re.compile(rb"-?\b(?:NaN|Infinity)\b")
BETWEEN = re.compile(rb"\}\s*,\s*\{")
BOM = b"\xef\xbb\xbf"
FETCH_AGAIN = "Fetch the file again; the download was cut off"
MEND = "Mend the record, or fetch the file again"
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what a decoder raises; the last for lists in lists without end

Pixels = Annotated[float, msgspec.Meta(ge=0, lt=1 << 31)]  # as wide as the catalog's column; others write 96.0
Id = int | str | float  # of one thing: 7, "7" and 7.0 are the same


def id_text(value: object) -> str:
    """An id as text, the same however it is written."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def id_value(text: str) -> int | str:
    """The id as JSON has it whose text this is: a number where it is written as one, else the text: "007" is no 7."""
    return int(text) if text.isdecimal() and str(int(text)) == text else text


def read_object(path: Path, kind: type[T]) -> T:
    """A whole JSON file that is one object, decoded to the msgspec Struct `kind`; a BOM is allowed.

    Raises UserError with the list and the record (from 1) at fault, for a file that is missing, cut off, not UTF-8,
    not JSON, or lacks a field.
    """
    data = _bytes(path)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise UserError(_words(error), f"{path}, {_place_of(error)}", MEND) from None
    except BROKEN:
        raise _broken_object(path, data) from None


def stream_array(path: Path, kind: type[T], *, on_bytes: Callable[[int], object] | None = None) -> Iterator[tuple[int, list[T]]]:
    """The records of a file that is one JSON array, block by block: (number of the block's first record, records).

    Records count from 1. on_bytes: called with the number of bytes of each block read, for a progress bar.
    Raises UserError that names the record, as `read_object` does.
    """
    decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
    single = msgspec.json.Decoder(kind)
    first, rest, started = 1, b"", False
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except IsADirectoryError:
        raise UserError("is a folder, not a file", path, "Name the file in it") from None
    with file:
        while True:
            chunk = file.read(BLOCK)
            if on_bytes:
                on_bytes(len(chunk))
            final = not chunk
            if not started:
                chunk, started = _after_bracket(path, chunk), True
            cut = _gap(chunk) if chunk else None
            if cut:
                body, following = b"".join((b"[", rest, memoryview(chunk)[: cut[0]], b"]")), chunk[cut[1] :]
            elif final:
                body, following = b"".join((b"[", _before_bracket(path, rest, first), b"]")), b""
            elif len(rest) > LONGEST + BLOCK:
                raise UserError("not JSON, or not a list of records", f"{path}, record {first}", MEND)
            else:
                rest += chunk
                continue
            try:
                records = decoder.decode(body)
            except BROKEN:
                records, following = _one_by_one(path, body[1:-1] if final else rest + chunk, single, first, final=final)
            rest = following
            if records:
                yield first, records
            first += len(records)
            if final:
                return


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    _check_encoding(path, data)
    return data.removeprefix(BOM)


def _check_encoding(path: Path, data: bytes) -> None:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError("UTF-16, not UTF-8", path, "Save the file as UTF-8")


def _after_bracket(path: Path, data: bytes) -> bytes:
    _check_encoding(path, data)
    text = data.removeprefix(BOM).lstrip()
    if not text.startswith(b"["):
        raise UserError("not a JSON array of records", path, "Give MEP-3M's annotation.json, which begins with [")
    return text[1:]


def _gap(data: bytes) -> tuple[int, int] | None:
    """The last gap between two records: where the one ends and the other begins. It may lie inside a title; then decoding fails."""
    for start in (max(0, len(data) - LONGEST // 16), 0):
        gaps = list(BETWEEN.finditer(data, start))
        if gaps:
            return gaps[-1].start() + 1, gaps[-1].end() - 1
    return None


def _before_bracket(path: Path, data: bytes, first: int) -> bytes:
    body = data.rstrip()
    if body.endswith(b"]"):
        body = body[:-1].rstrip()
        if not body or body.endswith(b"}"):
            return body
    n = first + sum(1 for _ in objects(data))
    raise UserError("the file ends before the list does", f"{path}, record {n}", FETCH_AGAIN)


def objects(data: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    """Where the outermost objects of a piece of JSON begin and end, as far as they are complete. Stops at a closing bracket too many."""
    depth, begin = 0, start
    for token in TOKEN.finditer(data, start):
        mark = token.group()[0]
        if mark in b"{[":
            if depth == 0:
                begin = token.start()
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth < 0:
                return
            if depth == 0:
                yield begin, token.end()


def _one_by_one(path: Path, data: bytes, decoder: msgspec.json.Decoder[T], first: int, *, final: bool) -> tuple[list[T], bytes]:
    """Decode record by record: either the block was only cut in a wrong place, or a record is broken and is named."""
    records: list[T] = []
    begin = at = 0
    for begin, end in objects(data):
        where = f"{path}, record {first + len(records)}"
        between = data[at:begin].strip()
        if between != (b"," if records else b""):
            raise UserError(f"{_quoted(between)} where a comma should be before the record", where, MEND)
        records.append(_record(data[begin:end], decoder, where))
        at = end
    rest = data[at:].lstrip()
    where = f"{path}, record {first + len(records)}"
    if final:
        if rest:
            raise UserError("not JSON", where, MEND)
    elif len(rest) > LONGEST:
        _record(rest, decoder, where)
        raise UserError("not JSON", where, MEND)
    elif rest.startswith(b","):
        rest = rest[1:]
    elif not rest and records:  # its comma comes with the next block
        return records[:-1], data[begin:]
    elif rest and records and not rest.startswith(b"]"):
        raise UserError("no comma after the record before", where, MEND)
    return records, rest


def _record(data: bytes, decoder: msgspec.json.Decoder[T], where: str) -> T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise UserError(_words(error), where, MEND) from None
    except BROKEN:
        raise UserError(_complaint(data), where, MEND) from None


def _complaint(data: bytes) -> str:
    """What is wrong with a piece of JSON that does not decode: what other programs write though JSON has no such thing is named."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {data[error.start]:#04x})"
    bare = NOT_NUMBERS.search(STRING.sub(b'""', data))
    if bare:
        return f"{bare.group().decode()}, which is not JSON: write null where there is no value"
    half = next((surrogate for text in STRING.finditer(data) if (surrogate := _half(text.group()))), None)
    if half:
        return f"half a character ({half}, a lone surrogate), as of a text that was cut off, which stands for nothing"
    return "not JSON"


def _half(text: bytes) -> str:
    """The first lone surrogate of a JSON string, as it is written; "" when there is none."""
    try:
        return next((f"\\u{ord(mark):04x}" for mark in json.loads(text) if "\ud800" <= mark <= "\udfff"), "")
    except ValueError:
        return ""


def _broken_object(path: Path, data: bytes) -> UserError:
    """Say in which record of which list a file is cut off, not UTF-8 or not JSON: at the first record that does not decode."""
    place, lists = "at its start", 0
    for key in re.finditer(rb'"(\w+)"\s*:\s*\[\s*\{', data):
        if data[: key.start()].rstrip()[-1:] not in (b"{", b","):
            continue
        name, n, at = key.group(1).decode(), 1, key.end() - 1
        lists += 1
        for begin, end in objects(data, at):
            if data[at:begin].strip() not in (b"", b",") or not _decodes(data[begin:end]):
                return UserError(_complaint(data[begin:end]), f"{path}, record {n} of {name}", MEND)
            n, at = n + 1, end
        place = f"record {n} of {name}"
        if not re.match(rb"\s*\]", data[at:]):
            break
    if _complaint(data) != "not JSON":
        return UserError(_complaint(data), f"{path}, {place}", MEND)
    if data.rstrip().endswith(b"}") and lists:
        return UserError("not JSON", f"{path}, {place}", MEND)
    return UserError("the file ends before its JSON does", f"{path}, {place}", FETCH_AGAIN)


def _decodes(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except BROKEN:
        return False
    return True


def _words(error: msgspec.ValidationError) -> str:
    """msgspec's message in our words: "Object missing required field `title` - at `$[3]`" → "no field title"."""
    text, _, place = str(error).partition(" - at ")
    missing = re.match(r"Object missing required field `(.+)`", text)
    if missing:
        return f"no field {missing.group(1)}"
    field = re.search(r"\.(\w+)(?:\[\d+\])?`$", place)
    return f"{field.group(1)}: {text[:1].lower()}{text[1:]}" if field else f"{text[:1].lower()}{text[1:]}"


def _place_of(error: msgspec.ValidationError) -> str:
    place = re.search(r"\$\.(\w+)\[(\d+)\]", str(error))
    return f"record {int(place.group(2)) + 1} of {place.group(1)}" if place else "top level"


def _quoted(data: bytes) -> str:
    return repr(data[:20].decode(errors="replace")) if data else "nothing"
