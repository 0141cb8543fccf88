"""Errors as RFC 9457 problem documents: what is wrong, and what to do about it. Never a path of this machine, never a stack trace."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from repr.errors import UserError
from repr.lookup.refused import Refused

log = logging.getLogger(__name__)

MEDIA = "application/problem+json"
REFUSALS = {"busy": 503, "full": 507, "read-only": 403, "broken": 500, "away": 503}
DISK = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EACCES: "read-only", errno.EROFS: "read-only", errno.EPERM: "read-only"}
WORDS = {
    "busy": ("another process is writing to the index", "Say the same again in a moment"),
    "full": ("the disk is full", "Free some space on the server and say the same again"),
    "read-only": ("the index cannot be written to", "Check the permissions of its folder on the server"),
    "broken": ("the index cannot be used", "See the server's log"),
    "away": ("the store of vectors does not answer", "Come again in a moment"),
}
REMEDIES = {
    404: "See /openapi.json for what there is",
    405: "See /openapi.json for what there is",
    500: "See the server's log",
}


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="Which kind of error, the same for all of its kind.")
    title: str = Field(description="The kind in words.")
    status: int
    detail: str = Field(description="What is wrong.")
    remedy: str = Field(description="What to do about it.")


class Problem(Exception):
    """An error that the caller is told. name: of its kind, "too-large"; headers: of the answer."""

    def __init__(self, status: int, name: str, detail: str, remedy: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.name, self.detail, self.remedy, self.headers = status, name, detail, remedy, dict(headers or {})

    def document(self) -> ProblemDocument:
        """Its body."""
        title = HTTPStatus(self.status).phrase
        return ProblemDocument(
            type=f"urn:product-repr:{self.name}", title=title, status=self.status, detail=self.detail, remedy=self.remedy
        )

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.document().model_dump(), self.status, self.headers, media_type=MEDIA)


def of_user_error(error: UserError) -> Problem:
    """An error of the library, without the place on this machine where it is."""
    if isinstance(error, Refused):
        return refused(error.kind)
    return Problem(422, "refused", error.message.replace("`", ""), (error.remedy or "Change the request").replace("`", ""))


def refused(kind: str) -> Problem:
    """What the index could not do."""
    headers = {"Retry-After": "1"} if REFUSALS[kind] == 503 else {}
    return Problem(REFUSALS[kind], kind, *WORDS[kind], headers)


def install(app: FastAPI) -> None:
    """Have every error of the app answered as a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(UserError)
    async def _user_error(_: Request, error: UserError) -> JSONResponse:
        if isinstance(error, Refused):
            log.warning(str(error))
        return of_user_error(error).response()

    @app.exception_handler(OSError)
    async def _disk(_: Request, error: OSError) -> JSONResponse:
        if error.errno not in DISK:
            log.error("A request failed", exc_info=error)
            return refused("broken").response()
        log.warning(str(error))
        return refused(DISK[error.errno]).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5])
        return Problem(422, "invalid", faults, "See /openapi.json for what is taken").response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        remedy = REMEDIES.get(error.status_code, "Change the request")
        return Problem(error.status_code, name, str(error.detail), remedy, error.headers).response()

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> JSONResponse:
        return Problem(500, "internal", "the request failed", REMEDIES[500]).response()
