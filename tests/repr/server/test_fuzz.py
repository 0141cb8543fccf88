"""The service against its own schema: whatever schemathesis makes of it is answered as the schema says, and nothing breaks."""

from __future__ import annotations

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from starlette.testclient import TestClient

from tests.repr.server.shop import AS_WRITER, Open, fill

CHECKS = [
    *(not_a_server_error, checks.status_code_conformance, checks.content_type_conformance),
    *(checks.response_schema_conformance, checks.response_headers_conformance),
]
SHORT = hypothesis.settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def fuzzed(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return opened(fill(tmp_path_factory.mktemp("fuzzed")))


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_is_answered_is_what_the_schema_says(fuzzed: TestClient, mode: GenerationMode) -> None:
    schema, statuses = schemathesis.openapi.from_dict(fuzzed.get("/openapi.json").json()), list[int]()
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.path_parameters or operation.body):
            continue

        @SHORT
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def _try(case: schemathesis.Case) -> None:
            made = requests.Request(**case.as_transport_kwargs(base_url="http://testserver", headers=AS_WRITER)).prepare()
            response = fuzzed.request(str(made.method), str(made.url), headers=dict(made.headers), content=made.body or b"")
            statuses.append(response.status_code)
            case.validate_response(response, checks=CHECKS)

        _try()
    assert len(statuses) > 50 and set(statuses) & ({200, 201} if mode is GenerationMode.POSITIVE else {422})
    assert fuzzed.get("/v1/index").status_code == 200
