"""The registry's description, held against the registry with a client made of the description alone."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as open_api_checks

from support.registry_server import Http, RegistryServer

pytestmark = [pytest.mark.slow(15), pytest.mark.timeout(300)]

_CHECKS = [
    checks.not_a_server_error,
    open_api_checks.status_code_conformance,
    open_api_checks.content_type_conformance,
    open_api_checks.response_headers_conformance,
    open_api_checks.response_schema_conformance,
]
_EXAMPLES = 4
# Names that are there, so that not every question is about nothing.
_KNOWN = {"repository": "known", "version": "v1", "alias": "stable", "cluster": "default"}


@pytest.fixture(scope="module")
def known(server: RegistryServer) -> Http:
    """A registry in which something is."""
    http = server.http
    for kind in ("model", "bento"):
        path = f"/api/v1/{kind}_repositories"
        http.ok("POST", path, {"name": "known", "labels": [{"key": "a", "value": "b"}]})
        http.ok("POST", f"{path}/known/{kind}s", {"version": "v1", "manifest": {"module": "m", "size_bytes": 1}})
        http.ok("PUT", f"{path}/known/aliases/stable", {"version": "v1"})
    return http


def test_the_registry_answers_as_its_description_says(known: Http) -> None:
    schema = schemathesis.openapi.from_url(f"{known.url}/openapi.json")
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(found) > 60

    # What is deleted is not there for the next question.
    operations = sorted(found, key=lambda each: each.method == "delete")
    answered = {operation.label for operation in operations if _hold(operation, known)}

    # Who asks at random is refused often; that all are refused would show nothing.
    assert len(answered) > len(operations) / 3, sorted({operation.label for operation in operations} - answered)


def _hold(operation: Any, http: Http) -> bool:
    """Whether any question was answered with success."""
    successes = 0

    @seed(1)
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        variables = case.path_parameters or {}
        if sum(map(ord, str(variables))) % 2:
            variables.update({name: known for name, known in _KNOWN.items() if name in variables})
        headers = {"X-YATAI-API-TOKEN": http.token, "X-Bentoml-Version": "1.4.39"}
        answer = case.call(base_url=http.url, session=http.session, headers=headers, timeout=20, allow_redirects=False)
        assert b"internal error" not in answer.content
        case.validate_response(answer, checks=_CHECKS)
        nonlocal successes
        successes += answer.status_code < 400

    ask()
    return successes > 0
