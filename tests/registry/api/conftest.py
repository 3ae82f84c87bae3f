"""One registry for all tests of a file: each test has repositories of its own."""

from collections.abc import Iterator

import pytest

from support.registry_server import Http, RegistryServer, registry_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def http(server: RegistryServer) -> Http:
    """The owner's requests, as BentoML's newest client."""
    return server.http


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    words = request.node.name.removeprefix("test_").lower().replace("[", "-").replace("]", "")
    return "".join(letter if letter.isalnum() else "-" for letter in words)[:60].strip("-")
