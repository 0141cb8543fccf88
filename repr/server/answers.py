"""From what the index says to what the service answers: JSON objects, with ids of images in the place of paths that callers cannot open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from fastapi.responses import JSONResponse

from repr.lookup import products
from repr.lookup.matches import Answer, AnswerJson, MatchJson
from repr.lookup.store import Store
from repr.records import SCHEMA, Json
from repr.server.photographs import Photograph, broken
from repr.server.problems import MEDIA, Problem, ProblemDocument


class MatchTold(MatchJson):
    """A match with the id of its image."""

    image_id: int | None


class ResultTold(AnswerJson, total=False):
    """An answer with its status."""

    status: int


def told(answer: AnswerJson, store: Store, status: int) -> ResultTold:
    """The object of one photograph's answer."""
    matches = [
        cast(MatchTold, {**match, "image_id": products.evidence(store, match["product"], match["image"])}) for match in answer["matches"]
    ]
    return cast(ResultTold, {**answer, "status": status, "matches": matches})


def of_bad(photograph: Photograph, problem: Problem) -> ResultTold:
    """The object of a photograph that is not taken."""
    return {"query": photograph.name, "status": problem.status, "unknown": None, "matches": [], "error": problem.detail}


def problem_of(photograph: Photograph, answer: Answer | None) -> Problem | None:
    """What is wrong with a photograph, found before it was decoded or then; None for nothing."""
    if photograph.wrong is not None or answer is None:
        return photograph.wrong
    return broken(answer.error) if answer.error else None


def documented(content: Mapping[str, object], status: int = 200) -> JSONResponse:
    """An object with the version of its form."""
    return JSONResponse(cast(Json, {"schema": SCHEMA, **content}), status)


def errors(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Problem documents of these statuses, for the schema; with those that any request may get."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    every: Sequence[int] = sorted({*statuses, 400, 401, 408, 413, 422, 429, 500, 503, 504})
    return {status: {"model": ProblemDocument, "content": content, "description": "A problem"} for status in every}
