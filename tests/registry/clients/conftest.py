"""Real BentoML clients against a real registry, one process of each version for all tests of a file."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.bentoml_clients import VERSIONS, Bentoml, Made, bentoml, made
from support.registry_server import RegistryServer, registry_server

Client = Callable[[str], Bentoml]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def clients(server: RegistryServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """BentoML of a version, with what it has made in its home, logged in; started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, Bentoml] = {}

        def client(version: str) -> Bentoml:
            if version not in started:
                home = tmp_path_factory.mktemp("home")
                started[version] = stack.enter_context(bentoml(version, home))
                said = started[version].login(server.url, server.owner)
                assert said.code == 0, said.out
            return started[version]

        yield client


@pytest.fixture(params=VERSIONS)
def client(request: pytest.FixtureRequest, clients: Client) -> Bentoml:
    """Each version in turn."""
    version: str = request.param
    return clients(version)


@pytest.fixture
def makings(client: Bentoml) -> Made:
    """What the client's version has made."""
    return made(client.version)


@pytest.fixture
def empty(client: Bentoml, tmp_path: Path) -> Bentoml:
    """The same client with a home that holds nothing but its login."""
    return client.elsewhere(tmp_path / "empty")
