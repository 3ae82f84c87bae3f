"""Real clients and every way to transfer bytes: to addresses that we signed, and to those of a real S3 server."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.registry.service import RegistryConfig
from support.bentoml_clients import VERSIONS, Bentoml, logging_in, made, tree
from support.registry_server import RegistryServer, registry_server
from support.s3 import S3Server, s3_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Clients = Callable[[str], Bentoml]
# The lines of clients that transfer each in their own way.
_LINES = ("1.4.39", "1.2.20", "1.1.11", "1.0.22")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    root = tmp_path_factory.mktemp("s3")
    (root / "models").mkdir()
    with s3_server(root, is_alone=True) as server:
        yield server


def serving(folder: Path, strategy: str, s3: S3Server | None = None) -> RegistryConfig:
    if s3 is None:
        return RegistryConfig.of_home(folder / "registry", transmission_strategy=strategy)
    config = RegistryConfig.of_home(folder / "registry", store="s3://models/registry", transmission_strategy=strategy)
    return replace(config, store_env=s3.env())


def push_and_pull(clients: Clients, version: str, home: Path) -> None:
    client, makings = clients(version), made(version)
    other = client.elsewhere(home)

    pushed = client("push", makings.bento)
    pulled = other("pull", makings.bento)

    assert (pushed.code, pulled.code) == (0, 0), pushed.out + pulled.out
    assert tree(other.home, makings.bento, kind="bentos") == makings.tree(makings.bento, kind="bentos")


def states(server: RegistryServer, version: str) -> set[str]:
    """The upload states of what a version made."""
    makings = made(version)
    found = set()
    for kind, tag in (("bento", makings.bento), ("model", makings.model)):
        name, _, wanted = tag.partition(":")
        shown = server.http.ok("GET", f"/api/v1/{kind}_repositories/{name}/{kind}s/{wanted}")
        found.add(shown["upload_status"])
    return found


@pytest.mark.parametrize("strategy", ["", "presigned_url"])
def test_addresses_of_ours_do_for_every_client(processes: Clients, tmp_path: Path, strategy: str) -> None:
    with registry_server(tmp_path, serving(tmp_path, strategy)) as server:
        clients = logging_in(processes, server.url, server.owner)
        for version in VERSIONS if strategy else _LINES:
            push_and_pull(clients, version, tmp_path / version)
            assert states(server, version) == {"success"}


@pytest.mark.parametrize("strategy", ["", "presigned_url", "proxy"])
def test_bytes_go_straight_to_a_bucket_and_come_from_it(
    processes: Clients, s3: S3Server, tmp_path: Path, strategy: str
) -> None:
    with registry_server(tmp_path, serving(tmp_path, strategy, s3)) as server:
        clients = logging_in(processes, server.url, server.owner)
        for version in ("1.4.39", "1.1.11"):
            push_and_pull(clients, version, tmp_path / version)
            assert states(server, version) == {"success"}
        shown = server.http.ok("GET", "/api/v1/bentos?count=1")["items"][0]
        path = f"/api/v1/bento_repositories/{shown['repository']['name']}/bentos/{shown['version']}"
        address = server.http.ok("PATCH", f"{path}/presign_download_url")["presigned_download_url"]
        assert address.startswith(s3.url)
