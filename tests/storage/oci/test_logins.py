import base64
import json

import pytest

from fairlead.errors import StorageError
from fairlead.storage.oci.logins import Login, login_for, merged
from fairlead.storage.oci.reference import parse


def config(**auths: dict[str, str]) -> str:
    return json.dumps({"auths": auths, "credsStore": "a-program-that-is-not-run"})


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_a_login_is_read_in_each_of_its_forms() -> None:
    both = config(**{"a.io": auth("me:pass:word"), "b.io": {"username": "me", "password": "p"}})

    assert login_for(parse("a.io/x"), both) == Login(user="me", password="pass:word")
    assert login_for(parse("b.io/x"), both) == Login(user="me", password="p")
    assert login_for(parse("c.io/x"), both) == Login()
    token = config(**{"c.io": auth("00:") | {"identitytoken": "refresh"}})
    assert login_for(parse("c.io/x"), token).refresh_token == "refresh"


def test_the_login_for_the_longest_part_of_the_name_is_taken() -> None:
    both = config(**{"a.io": auth("all:1"), "a.io/team": auth("team:2")})

    assert login_for(parse("a.io/team/iris"), both).user == "team"
    assert login_for(parse("a.io/teamster/iris"), both).user == "all"


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_has_many_names(key: str) -> None:
    assert login_for(parse("acme/iris"), config(**{key: auth("me:p")})).user == "me"


@pytest.mark.parametrize("key", ["https://a.io", "https://a.io/v2/", "a.io/"])
def test_a_registry_may_be_written_as_a_url(key: str) -> None:
    assert login_for(parse("a.io/iris"), config(**{key: auth("me:p")})).user == "me"


@pytest.mark.parametrize("text", ["{", '{"auths": []}', '{"auths": {"a.io": {"auth": "***"}}}'])
def test_what_is_no_configuration_names_the_variable(text: str) -> None:
    with pytest.raises(StorageError, match="DOCKER_AUTH_CONFIG"):
        login_for(parse("a.io/x"), text)


def test_several_configurations_know_all_logins() -> None:
    whole = merged([config(**{"a.io": auth("a:1")}), config(**{"b.io": auth("b:2")})])

    assert [login_for(parse(name), whole).user for name in ("a.io/x", "b.io/x")] == ["a", "b"]
