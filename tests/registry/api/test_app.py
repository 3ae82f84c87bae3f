"""Who gets in, what is not there, and how refusals look to each client."""

import pytest
import requests

from fairlead.registry.callers import Role
from support.registry_server import OLDEST, Http, RegistryServer

MODELS = "/api/v1/model_repositories"


@pytest.mark.parametrize(
    ("version", "status"),
    [("", 400), ("1.0.4", 400), (OLDEST, 400), ("1.0.23", 404), ("1.0.25", 404), ("1.4.39", 404), ("1.2.0rc1", 404)],
)
def test_not_found_is_told_as_each_client_understands_it(http: Http, version: str, status: int) -> None:
    response = http.saying(version)("GET", f"{MODELS}/none")

    assert response.status_code == status
    assert "record not found" in response.json()["error"]


@pytest.mark.parametrize("path", ["/models/v1", "/models/latest", "/models", "/aliases"])
def test_nothing_below_a_missing_repository_is_found(http: Http, path: str) -> None:
    response = http.saying(OLDEST)("GET", f"{MODELS}/none{path}")

    assert (response.status_code, "record not found" in response.text) == (400, True)


def test_an_unknown_path_is_told_with_its_method(http: Http) -> None:
    response = http("GET", "/api/v1/nothing")

    assert (response.status_code, response.json()) == (404, {"message": "not found this router with method GET"})


def test_an_unknown_method_of_a_known_path_is_no_operation(http: Http) -> None:
    response = http("PUT", MODELS)

    assert (response.status_code, response.json()) == (405, {"message": "not found this router with method PUT"})


@pytest.mark.parametrize("token", ["", "wrong", "flt_" + "A" * 43])
def test_without_a_good_token_nobody_gets_in(server: RegistryServer, token: str) -> None:
    response = Http(server.url, token)("GET", "/api/v1/auth/current")

    assert response.status_code == 401
    assert response.json()["message"]
    assert "error" not in response.json()


@pytest.mark.parametrize("path", ["/api/v1/version", "/api/v1/info", "/openapi.json"])
def test_what_everybody_may_know_needs_no_token(server: RegistryServer, path: str) -> None:
    assert requests.get(server.url + path, timeout=10).status_code == 200


def test_a_guest_may_look_and_not_push(server: RegistryServer, name: str) -> None:
    guest = Http(server.url, server.token("guy", Role.GUEST))
    server.http.ok("POST", MODELS, {"name": name})

    refused = guest("POST", f"{MODELS}/{name}/models", {"version": "v1"})

    assert guest.ok("GET", f"{MODELS}/{name}")["name"] == name
    assert (refused.status_code, refused.json()) == (
        403,
        {"error": f"user guy cannot update this model_repository: {name}"},
    )


def test_a_developer_may_not_delete(server: RegistryServer, name: str) -> None:
    server.http.ok("POST", MODELS, {"name": name})

    refused = Http(server.url, server.token("dora"))("DELETE", f"{MODELS}/{name}")

    assert refused.status_code == 403


@pytest.mark.parametrize("body", ["{", "[]", '"text"', '{"name": 5}', '{"description": "no name"}', "\xff", "NaN"])
def test_a_body_that_cannot_be_used_is_refused_with_its_place(http: Http, body: str) -> None:
    response = http("POST", MODELS, data=body.encode("latin-1"))

    assert response.status_code == 400
    assert response.json()["error"].startswith("the body of the request")


def test_a_body_nested_without_end_is_refused(http: Http) -> None:
    response = http("POST", MODELS, data=b'{"labels":' + b"[" * 100_000)

    assert response.status_code == 400


def test_a_body_larger_than_anybody_needs_is_refused(http: Http) -> None:
    response = http("POST", MODELS, data=b" " * (17 << 20))

    assert response.status_code == 413


@pytest.mark.parametrize("query", ["start=-1", "count=x", "start=99999999999999999999", "q=sort:nothing"])
def test_a_list_refuses_what_it_cannot_read(http: Http, query: str) -> None:
    assert http("GET", f"{MODELS}?{query}").status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_pages_of_other_sites_ask_in_vain(http: Http, origin: str) -> None:
    assert http("GET", MODELS, headers={"Origin": origin}).status_code == 403


def test_a_name_that_is_not_the_loopbacks_is_refused_while_only_this_machine_may_ask(http: Http) -> None:
    response = http("GET", MODELS, headers={"Host": "attacker.example"})

    assert (response.status_code, "loopback" in response.json()["message"]) == (403, True)


def test_the_description_is_of_what_there_is(server: RegistryServer) -> None:
    described = requests.get(f"{server.url}/openapi.json", timeout=10).json()

    told = {(path, method.upper()) for path, methods in described["paths"].items() for method in methods}
    assert described["info"]["title"] == "yatai api server"
    assert told == {(each.path, each.method) for each in server.app.operations} - {("/openapi.json", "GET")}
    names = [method["operationId"] for methods in described["paths"].values() for method in methods.values()]
    assert len(names) == len(set(names))
