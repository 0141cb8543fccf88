"""POST /v1/lookup, and /v1/check for photographs that are to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from repr.lookup import products
from repr.lookup.matches import Answer
from repr.lookup.newcomers import Inspected, inspect
from repr.server import models
from repr.server.answers import ResultTold, documented, errors, of_bad, problem_of, told
from repr.server.keys import reader
from repr.server.photographs import BODY, Photograph, photographs, refuse_all_bad
from repr.server.service import Served, Service

MOST = 100  # products an answer
router = APIRouter(dependencies=[Depends(reader)])


@router.post(
    "/v1/lookup", response_model=models.Lookup, responses=errors(415), openapi_extra=BODY, summary="Which products photographs show"
)
async def lookup(request: Request, service: Served, k: Annotated[int, Query(ge=1, le=MOST)] = 10) -> Response:
    """The k products most like each photograph, best first. With one bad photograph among several the others are answered."""
    given, _ = await photographs(request, service.limits)
    refuse_all_bad([one.wrong for one in given])
    good = [one for one in given if one.wrong is None]
    unnamed = await service.lookup([one.data for one in good], k)
    named = [replace(answer, query=photograph.name) for photograph, answer in zip(good, unnamed, strict=True)]
    service.remember([one.data for one in good], named)
    answers = dict(zip(map(id, good), named, strict=True))
    of = [answers.get(id(one)) for one in given]
    problems = [problem_of(photograph, answer) for photograph, answer in zip(given, of, strict=True)]
    for problem in problems:
        service.metrics.photographs.labels("answered" if problem is None else problem.name).inc()
    refuse_all_bad(problems)
    results = await service.read(lambda: _results(service, given, of))
    return documented({"results": results, "synthetic": service.synthetic, "passed_over": []})


def _results(service: Service, given: Sequence[Photograph], answers: Sequence[Answer | None]) -> list[ResultTold]:
    store, results = service.index.store, list[ResultTold]()
    for photograph, answer in zip(given, answers, strict=True):
        problem = problem_of(photograph, answer)
        if problem is not None or answer is None:
            assert problem is not None
            results.append(of_bad(photograph, problem))
        else:
            results.append(told(answer.as_json(), store, 200))
    return results


@router.post("/v1/check", response_model=models.Checks, responses=errors(415), openapi_extra=BODY, summary="What is odd about photographs")
async def check(request: Request, service: Served, product: Annotated[str, Query(max_length=models.LONGEST)] = "") -> Response:
    """Before photographs are stored: which are blurred, show nothing, are stored already, or look like another product than this one."""
    given, _ = await photographs(request, service.limits)
    good = [one for one in given if one.wrong is None]
    results = await service.inspect(lambda: _checks(service, given, good, product))
    return documented({"results": results})


def _checks(service: Service, given: Sequence[Photograph], good: Sequence[Photograph], product: str) -> list[dict[str, object]]:
    inspected = dict(zip(map(id, good), inspect(service.index, [one.data for one in good], product), strict=True)) if good else {}
    return [{"query": one.name, "findings": _findings(service, one, inspected.get(id(one)))} for one in given]


def _findings(service: Service, photograph: Photograph, inspected: Inspected | None) -> list[dict[str, object]]:
    if inspected is None:
        assert photograph.wrong is not None
        return [{"kind": "unreadable", "text": photograph.wrong.detail, "product": None, "image_id": None, "score": None}]
    store = service.index.store
    return [
        {
            "kind": one.kind,
            "text": one.text,
            "product": one.product,
            "image_id": products.evidence(store, one.product, one.image) if one.product is not None and one.image is not None else None,
            "score": one.score,
        }
        for one in inspected.findings
    ]
