"""Photographs of a request: taken from its body and checked by their headers, before anything is decoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from repr.images.formats import FORMATS
from repr.images.reader import header
from repr.server.problems import Problem
from repr.server.settings import Limits

M = TypeVar("M", bound=BaseModel)
STREAM, FORM, JSON = "application/octet-stream", "multipart/form-data", "application/json"
FIELD = "image"
FIELDS = 16  # of text beside the photographs
FIELD_BYTES = 64 * 2**10
LONGEST_SIDE = 30_000  # pixels; a JPEG may say 65,535
MOVING = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")  # phones' JPEG and HEIC may hold a second view, which is not looked at


def body(texts: Mapping[str, object] | None = None) -> dict[str, object]:
    """The body of a request with photographs, for the schema. texts: schemas of the fields that may stand beside them."""
    images = {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
    schema = {"type": "object", "required": [FIELD], "properties": {FIELD: images, **(texts or {})}, "additionalProperties": False}
    content = {
        FORM: {"schema": schema, "encoding": {FIELD: {"contentType": "image/*"}}},
        STREAM: {"schema": {"type": "string", "format": "binary"}},
    }
    return {"requestBody": {"required": True, "content": content}}


BODY = body()


@dataclass(frozen=True)
class Photograph:
    """One photograph: what its sender calls it, its bytes, and what is wrong with it, None for nothing."""

    name: str
    data: bytes
    wrong: Problem | None


def kind_of(content_type: str) -> str:
    """The type of a body without what is said beside it."""
    return content_type.partition(";")[0].strip().lower()


async def described(request: Request, form: type[M]) -> M:
    """The object that a JSON body holds, read when it is known that its sender may send one.

    Raises Problem for a body of another kind, and RequestValidationError for an object of another form.
    """
    kind = kind_of(request.headers.get("content-type", ""))
    if kind != JSON:
        raise Problem(415, "media-type", f"a body of type {kind[:100] or 'none'}", f"Send {JSON}")
    try:
        return form.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_context=False)) from None


def checked_texts(form: type[M], texts: Mapping[str, str]) -> M:
    """The texts beside photographs, empty ones left out. Raises RequestValidationError for those of another form."""
    try:
        return form.model_validate({name: text for name, text in texts.items() if text})
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_context=False)) from None


async def photographs(request: Request, limits: Limits, texts_taken: Collection[str] = ()) -> tuple[list[Photograph], dict[str, str]]:
    """The photographs of a request, and the texts beside them.

    Raises Problem for a body of another kind, for no photographs or too many, and for texts in other fields than those that are taken.
    """
    kind = kind_of(request.headers.get("content-type", ""))
    texts: dict[str, str] = {}
    if kind == STREAM:
        given = [("image 1", await request.body())]
        given = [one for one in given if one[1]]
    elif kind == FORM:
        async with request.form(max_files=limits.max_photographs, max_fields=FIELDS, max_part_size=FIELD_BYTES) as form:
            given, texts = await _parts(form, texts_taken)
    else:
        raise Problem(415, "media-type", f"a body of type {kind[:100] or 'none'}", f"Send {FORM} with {FIELD}, or {STREAM}")
    if not given:
        raise Problem(422, "no-photograph", "no photograph in the request", f"Send one or more as {FIELD}")
    return [Photograph(name, data, wrong_with(data, limits)) for name, data in given], texts


async def _parts(form: FormData, texts_taken: Collection[str]) -> tuple[list[tuple[str, bytes]], dict[str, str]]:
    given, texts = list[tuple[str, bytes]](), dict[str, str]()
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name != FIELD:
                raise Problem(422, "unknown-field", f"a file in the field {name[:100]!r}", f"Send photographs as {FIELD}")
            given.append((_called(value.filename, len(given)), await value.read()))
        elif name == FIELD:
            raise Problem(422, "no-photograph", f"{FIELD} is text, not a file", f"Send {FIELD} as a file, with a file name")
        elif name not in texts_taken or name in texts:
            what = "comes twice" if name in texts else "is not taken"
            raise Problem(422, "unknown-field", f"the field {name[:100]!r} {what}", "See /openapi.json for what is taken")
        else:
            texts[name] = value
    return given, texts


def _called(name: str | None, place: int) -> str:
    """The last part of the name that a sender gave a file: only ever shown, never opened."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in last if sign.isprintable())[:200] or f"image {place + 1}"


def wrong_with(data: bytes, limits: Limits) -> Problem | None:
    """Why a photograph is not taken, by its size and its header alone: no pixel is decoded."""
    if len(data) > limits.photograph_bytes:
        return Problem(413, "too-large", f"{len(data):,} bytes, over {limits.photograph_bytes:,}", "Send a smaller photograph")
    if not data:
        return Problem(422, "empty-file", "an empty file", "Send the bytes of an image file")
    try:
        width, height, kind, animated = header(data)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        if isinstance(error, Image.DecompressionBombError):
            return _too_many("too many pixels", limits)
        return Problem(415, "not-an-image", "not an image that is read here", f"Send one of: {', '.join(FORMATS)}")
    except Exception:  # decoders raise whatever a broken file makes them trip over
        return Problem(422, "broken-image", "broken at its start", "Send the whole file")
    if width * height > limits.pixels or max(width, height) > LONGEST_SIDE:
        return _too_many(f"{width} × {height} pixels", limits)
    if animated and kind in MOVING:
        return Problem(422, "animated", f"a {kind} of several frames", "Send a single photograph")
    return None


def _too_many(what: str, limits: Limits) -> Problem:
    return Problem(413, "too-many-pixels", f"{what}, over {limits.pixels:,}", "Send a smaller photograph")


def broken(reason: str) -> Problem:
    """A photograph that turned out to be unreadable when it was decoded."""
    return Problem(422, "broken-image", reason, "Send an image that can be read")


def refuse_all_bad(problems: Sequence[Problem | None]) -> None:
    """Raise the first problem where not one photograph is without: there is nothing to answer then."""
    if problems and all(problems):
        first = problems[0]
        assert first is not None
        raise first
