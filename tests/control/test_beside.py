"""One port for two APIs: which of them a request is for."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairlead.control.beside import Beside
from fairlead.registry.api.app import RegistryApp
from support.registry_server import registry_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryApp]:
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server.app


class Named:
    """An application that says its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "said", "name": self._name})


class Claiming(Named):
    """One that claims what the registry's claims."""

    def __init__(self, registry: RegistryApp) -> None:
        super().__init__("registry")
        self.claims = registry.claims


async def asked(app: ASGIApp, path: str, kind: str = "http", **headers: str) -> Message:
    """What answers at a path: its name, or how it refuses."""
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    given = {"host": "localhost:8090", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: dict[str, Any] = {
        "type": kind,
        "path": path,
        "method": "GET",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await app(scope, _nothing, send)
    return said[0]


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def beside(registry: Any, *, is_local: bool = True) -> Beside:
    return Beside(Named("kubernetes"), Claiming(registry), is_local=is_local)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/model_repositories/iris/models/v1/download", "registry"),
        ("/api/v1/bentos", "registry"),
        ("/api/v1/auth/current", "registry"),
        ("/api/v1/version", "registry"),
        ("/openapi.json", "registry"),
        ("/login", "registry"),
        ("/api/v1", "kubernetes"),
        ("/api/v1/namespaces/seldon/secrets", "kubernetes"),
        ("/api/v1/pods", "kubernetes"),
        ("/api/v1/secrets", "kubernetes"),
        ("/apis/machinelearning.seldon.io/v1/seldondeployments", "kubernetes"),
        ("/openapi/v2", "kubernetes"),
        ("/version", "kubernetes"),
        ("/healthz", "kubernetes"),
        ("/api/v1/events", "kubernetes"),
    ],
)
async def test_paths_tell_the_two_apart(registry: RegistryApp, path: str, name: str) -> None:
    assert (await asked(beside(registry), path))["name"] == name


@pytest.mark.parametrize(
    "headers",
    [
        {"x_yatai_api_token": "t"},
        {"x_yatai_organization": "default"},
        {"cookie": "other=1; yatai-session-v2=abc"},
    ],
)
async def test_events_are_the_registrys_for_whoever_speaks_its_language(
    registry: RegistryApp, headers: dict[str, str]
) -> None:
    assert (await asked(beside(registry), "/api/v1/events", **headers))["name"] == "registry"


async def test_a_cookie_of_something_else_changes_nothing(registry: RegistryApp) -> None:
    assert (await asked(beside(registry), "/api/v1/events", cookie="session=1"))["name"] == "kubernetes"


@pytest.mark.parametrize(("kind", "word"), [("http", "http.response.start"), ("websocket", "websocket.close")])
async def test_a_foreign_host_is_refused_while_only_this_machine_may_ask(
    registry: RegistryApp, kind: str, word: str
) -> None:
    path = "/api/v1/bentos"

    refused = await asked(beside(registry), path, kind, host="attacker.example")
    let_in = await asked(beside(registry, is_local=False), path, kind, host="attacker.example")

    assert refused["type"] == word
    assert let_in["name"] == "registry"


async def test_a_page_of_another_site_opens_no_socket(registry: RegistryApp) -> None:
    closed = await asked(registry, "/ws/v1/anything", "websocket", origin="https://attacker.example")

    assert (closed["type"], closed["code"]) == ("websocket.close", 4403)
