"""Real BentoML clients against a real registry, one process of each version for all tests of a file."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.bentoml_clients import VERSIONS, Bentoml, Made, bentoml, logging_in, made
from support.registry_server import RegistryServer, registry_server

Client = Callable[[str], Bentoml]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A process for each version, with what the version has made in its home; started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, Bentoml] = {}

        def process(version: str) -> Bentoml:
            if version not in started:
                started[version] = stack.enter_context(bentoml(version, tmp_path_factory.mktemp("home")))
            return started[version]

        yield process


@pytest.fixture(scope="module")
def clients(processes: Client, server: RegistryServer) -> Client:
    """BentoML of a version, logged in to the registry of this file."""
    return logging_in(processes, server.url, server.owner)


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
