"""`bentoml cloud login`, by every version: what it writes, and what it says when it is turned away."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support.bentoml_clients import Bentoml
from support.registry_server import RegistryServer

pytestmark = pytest.mark.slow


def test_a_login_is_written_to_the_clients_home(client: Bentoml, server: RegistryServer, tmp_path: Path) -> None:
    token = server.token("ada")

    said = client.at(tmp_path / "home").login(f"{server.url}/", token)

    written = yaml.safe_load((tmp_path / "home" / ".yatai.yaml").read_text())
    context = next(each for each in written["contexts"] if each["name"] == written["current_context_name"])
    assert (said.code, "ogged in" in said.out, "default" in said.out) == (0, True, True), said.out
    assert (context["email"], context["api_token"]) == ("ada@example.com", token)
    assert context["endpoint"].rstrip("/") == server.url


def test_a_wrong_token_is_turned_away(client: Bentoml, server: RegistryServer, tmp_path: Path) -> None:
    said = client.at(tmp_path / "home").login(server.url, "wrong")

    # 1.3 says so and ends as if it were well.
    assert said.code == (0 if client.version.startswith("1.3") else 1)
    assert "401" in said.out, said.out
    assert not (tmp_path / "home" / ".yatai.yaml").exists()


@pytest.mark.parametrize("version", ["1.4.39", "1.1.11"])
def test_an_expired_token_is_turned_away(
    clients: Callable[[str], Bentoml], server: RegistryServer, tmp_path: Path, version: str
) -> None:
    token = server.token("eve", lasts_s=60.0)
    server.clock.ahead_s += 61.0

    said = clients(version).at(tmp_path / "home").login(server.url, token)

    assert (said.code, "401" in said.out) == (1, True), said.out
    # 1.4 has words of its own for a 401.
    assert version == "1.4.39" or "the api token is expired" in said.out
