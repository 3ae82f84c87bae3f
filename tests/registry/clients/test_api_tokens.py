"""`bentoml api-token` of the newest client: make, list, show and delete one's own tokens."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.bentoml_clients import Bentoml
from support.registry_server import RegistryServer

pytestmark = pytest.mark.slow

_TOKEN = re.compile(r"flt_[\w-]{43}")


def test_tokens_are_made_listed_shown_and_deleted(
    clients: Callable[[str], Bentoml], server: RegistryServer, tmp_path: Path
) -> None:
    ada = clients("1.4.39").at(tmp_path / "home")
    ada.login(server.url, server.token("ada"))

    made = ada("api-token", "create", "ci", "--scope", "read_organization", "-o", "json")
    secret = _TOKEN.search(made.out)
    assert (made.code, secret is not None) == (0, True), made.out
    assert secret is not None
    http = server.http.by(secret[0])
    assert [repository["name"] for repository in http.ok("GET", "/api/v1/models")["items"]] == []
    refused = http("POST", "/api/v1/model_repositories", {"name": "m", "description": ""})
    assert (refused.status_code, refused.json()) == (
        403,
        {"error": "the api_token need the scopes: api or write_organization"},
    )

    listed = ada("api-token", "list", "-o", "json")
    uid = next(
        each["uid"] for each in server.http.by(server.token("ada")).ok("GET", "/api/v1/api_tokens?search=ci")["items"]
    )
    shown = ada("api-token", "get", uid)
    deleted = ada("api-token", "delete", uid)

    assert (listed.code, '"ci"' in listed.out, secret[0] in listed.out) == (0, True, False), listed.out
    assert (shown.code, deleted.code) == (0, 0), shown.out + deleted.out
    assert http("GET", "/api/v1/auth/current").status_code == 401
