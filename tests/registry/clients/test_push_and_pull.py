"""Real clients push and pull: what comes back is what went in, whichever version asks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.bentoml_clients import VERSIONS, Bentoml, Made, made, tree
from support.registry_server import RegistryServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Clients = Callable[[str], Bentoml]


def push_both(client: Bentoml, makings: Made) -> None:
    """`bentoml push` takes the bento's models along."""
    said = client("push", makings.bento)
    assert said.code == 0, said.out


def pull_model(client: Bentoml, tag: str, bento: str) -> None:
    """Up to 1.0.25 `bentoml models pull` fails in the client, and `bentoml pull` brings models along."""
    said = client("pull", bento) if client.version == "1.0.25" else client("models", "pull", tag)
    assert said.code == 0, said.out


def described(server: RegistryServer, tag: str, kind: str) -> dict[str, object]:
    name, _, version = tag.partition(":")
    found: dict[str, object] = server.http.ok("GET", f"/api/v1/{kind}_repositories/{name}/{kind}s/{version}")
    return found


def test_a_bento_and_its_model_come_back_with_identical_trees(
    client: Bentoml, makings: Made, empty: Bentoml, server: RegistryServer
) -> None:
    push_both(client, makings)

    pulled = empty("pull", makings.bento)
    pull_model(empty, makings.model, makings.bento)

    assert pulled.code == 0, pulled.out
    assert tree(empty.home, makings.bento, kind="bentos") == makings.tree(makings.bento, kind="bentos")
    assert tree(empty.home, makings.model, kind="models") == makings.tree(makings.model, kind="models")
    assert described(server, makings.bento, "bento")["upload_status"] == "success"


def test_what_is_there_is_pushed_again_only_when_it_is_forced(
    client: Bentoml, makings: Made, server: RegistryServer
) -> None:
    push_both(client, makings)
    before = described(server, makings.bento, "bento")

    again = client("push", makings.bento)
    unchanged = described(server, makings.bento, "bento")
    forced = client("push", "--force", makings.bento)
    replaced = described(server, makings.bento, "bento")

    assert (again.code, forced.code) == (0, 0), again.out + forced.out
    assert unchanged["upload_finished_at"] == before["upload_finished_at"]
    assert replaced["upload_finished_at"] != before["upload_finished_at"]
    assert replaced["manifest"] == before["manifest"]


def test_labels_and_the_manifest_are_what_the_client_said(
    client: Bentoml, makings: Made, server: RegistryServer
) -> None:
    said = client("models", "push", makings.model)
    push_both(client, makings)

    model, bento = described(server, makings.model, "model"), described(server, makings.bento, "bento")

    assert said.code == 0, said.out
    assert model["labels"] == [{"key": "owner", "value": "tests"}, {"key": "stage", "value": "demo"}]
    assert bento["labels"] == [{"key": "team", "value": "flowers"}]
    assert json.loads(json.dumps(model["manifest"]))["module"] == "bentoml.sklearn"
    assert client.version in json.dumps(bento["manifest"])
    assert server.http.ok("GET", "/api/v1/labels?resource_type=bento") == [{"key": "team", "values": ["flowers"]}]


# 1.0.22 asks for a version called `latest`, and for none without the word.
@pytest.mark.parametrize(("version", "word"), [("1.4.39", ""), ("1.4.39", ":latest"), ("1.0.22", ":latest")])
def test_the_newest_model_is_pulled_without_its_version(
    clients: Clients, server: RegistryServer, tmp_path: Path, version: str, word: str
) -> None:
    client, makings = clients(version), made(version)
    push_both(client, makings)
    name = makings.model.partition(":")[0]
    newest = server.http.ok("GET", f"/api/v1/model_repositories/{name}/models", params={"count": "1"})["items"][0]
    other = client.elsewhere(tmp_path / "other")

    said = other("models", "pull", f"{name}{word}")

    assert said.code == 0, said.out
    assert tree(other.home, f"{name}:{newest['version']}", kind="models")


@pytest.mark.parametrize("puller", ["1.4.39", "1.1.11", "1.0.22"])
def test_bentos_of_every_version_are_pulled_by_others(clients: Clients, tmp_path: Path, puller: str) -> None:
    other = clients(puller).elsewhere(tmp_path / "other")
    for version in VERSIONS:
        makings = made(version)
        push_both(clients(version), makings)

        said = other("pull", makings.bento)

        # What 1.2 writes into its manifests, 1.0 and 1.1 cannot read.
        is_readable = version != "1.2.20" or puller == "1.4.39"
        assert said.code == (0 if is_readable else 1), f"{version}: {said.out}"
        if is_readable:
            pulled = tree(other.home, makings.bento, kind="bentos")
            assert pulled == makings.tree(makings.bento, kind="bentos")


def test_two_clients_that_push_the_same_at_once_leave_it_whole(
    clients: Clients, server: RegistryServer, tmp_path: Path
) -> None:
    client, makings = clients("1.4.39"), made("1.4.39")
    for kind, tag in (("bento", makings.bento), ("model", makings.model)):
        name, _, version = tag.partition(":")
        server.http("DELETE", f"/api/v1/{kind}_repositories/{name}/{kind}s/{version}", params={"force": "true"})

    both = [client.start("push", "--force", makings.bento) for _ in range(2)]
    said = [each.wait() for each in both]

    other = client.elsewhere(tmp_path / "other")
    assert other("pull", "--with-models", makings.bento).code == 0
    assert 0 in {each.code for each in said}, said
    assert tree(other.home, makings.bento, kind="bentos") == makings.tree(makings.bento, kind="bentos")
    assert tree(other.home, makings.model, kind="models") == makings.tree(makings.model, kind="models")


def test_a_model_that_is_on_hugging_face_is_pushed_and_pulled_by_its_description(
    clients: Clients, server: RegistryServer, tmp_path: Path
) -> None:
    manifest = {
        "module": "",
        "api_version": "v1",
        "bentoml_version": "1.4.39",
        "size_bytes": 0,
        "metadata": {"registry": "huggingface", "model_id": "gpt2", "revision": "main", "endpoint": "http://hub"},
        "context": {},
        "options": {},
    }
    server.http.ok("POST", "/api/v1/model_repositories", {"name": "gpt2"})
    server.http.ok("POST", "/api/v1/model_repositories/gpt2/models", {"version": "main", "manifest": manifest})

    said = clients("1.4.39").elsewhere(tmp_path / "other")("models", "pull", "gpt2:main")

    assert (said.code, "No content to download" in said.out) == (0, True), said.out
