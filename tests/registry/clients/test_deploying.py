"""`bentoml deploy` and `bentoml deployment …` by every client that has them, and what each makes of others' work."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.bentoml_clients import Bentoml, Made, made
from support.deployment_places import FakePlace
from support.deployments import NEW_MANIFEST, OLD_MANIFEST, mark_uploaded
from support.registry_server import RegistryServer

pytestmark = pytest.mark.slow

NEW, OLD = ("1.4.39", "1.3.22", "1.2.20"), ("1.1.11", "1.0.25")
Client = Callable[[str], Bentoml]
BUILDER = {"is_bento_image_builder": "true"}


@pytest.fixture(scope="module")
def place(server: RegistryServer) -> FakePlace:
    """Where deployments of these tests are put."""
    found = FakePlace()
    server.registry.clusters.places.by_name["default"] = found
    return found


@pytest.fixture
def bento(server: RegistryServer, place: FakePlace) -> Callable[[Made], str]:
    """Have what a client has made in the registry, as if it had been pushed."""
    assert place is not None

    def have(made: Made) -> str:
        for kind, tag in (("model", made.model), ("bento", made.bento)):
            name, version = tag.split(":")
            server.http("POST", f"/api/v1/{kind}_repositories", {"name": name, "description": ""})
            path = f"/api/v1/{kind}_repositories/{name}/{kind}s"
            body = {"version": version, "manifest": _manifest(kind, made), "build_at": "2026-01-01 00:00:00.000000"}
            answer = server.http("POST", path, body)
            if answer.status_code == 200:
                server.run(mark_uploaded(server.registry, answer.json()["uid"]))
        return made.bento

    return have


def _manifest(kind: str, made: Made) -> dict[str, Any]:
    if kind == "model":
        return {"module": "bentoml.sklearn", "api_version": "v1", "bentoml_version": "1.0", "size_bytes": 1}
    described = yaml.safe_load((made.home / "bentos" / made.bento.replace(":", "/") / "bento.yaml").read_text())
    if described.get("entry_service") or described.get("services"):
        entry = {
            "entry_service": "IrisClassifier",
            "services": [{"name": "IrisClassifier", "service": "", "models": []}],
        }
        return {**NEW_MANIFEST, **entry}
    return OLD_MANIFEST


def _deployed(place: FakePlace, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = place.objects["BentoDeployment", "default", name]["spec"]
    return spec


@pytest.mark.parametrize("version", NEW)
def test_a_new_client_goes_the_whole_way(
    clients: Client, place: FakePlace, bento: Callable[[Made], str], tmp_path: Path, version: str
) -> None:
    client, name = clients(version), f"new-{version.replace('.', '-')}"
    tag = bento(made(version))
    scaled = ("--scaling-min", "1", "--scaling-max", "3", "--env", "A=B", "--strategy", "Recreate")

    said = client("deploy", tag, "-n", name, *scaled, "--instance-type", "cpu.1", "--no-wait")
    assert said.code == 0, said.out
    assert f"/deployments/{name}" in said.out.replace("\n", "")
    assert _deployed(place, name)["autoscaling"] == {"minReplicas": 1, "maxReplicas": 3}
    assert {"name": "A", "value": "B"} in _deployed(place, name)["envs"]

    shown = client("deployment", "get", name, "-o", "json")
    found = json.loads(shown.out[shown.out.index("{") :])
    assert (found["bento"], found["status"]["status"]) == (tag, "image-building")
    assert found["config"]["services"]["IrisClassifier"]["scaling"]["max_replicas"] == 3

    assert name in client("deployment", "list").out
    said = client("deployment", "update", name, "--scaling-max", "5")
    assert said.code == 0, said.out
    assert _deployed(place, name)["autoscaling"] == {"minReplicas": 1, "maxReplicas": 5}
    assert {"name": "A", "value": "B"} in _deployed(place, name)["envs"]

    wanted = {"name": name, "bento": tag, "cluster": "default", "services": {"IrisClassifier": {}}}
    (tmp_path / "wanted.yaml").write_text(yaml.safe_dump(wanted))
    said = client("deployment", "apply", "-f", str(tmp_path / "wanted.yaml"))
    assert said.code == 0, said.out
    assert _deployed(place, name)["autoscaling"] == {"minReplicas": 1, "maxReplicas": 1}

    refused = client("deployment", "delete", name)
    assert "deployment is not terminated" in refused.out
    for verb in ("terminate", "delete"):
        said = client("deployment", verb, name)
        assert said.code == 0, said.out
    assert ("BentoDeployment", "default", name) not in place.objects
    assert name not in client("deployment", "list").out


@pytest.mark.parametrize("version", OLD)
def test_an_old_client_goes_the_whole_way(
    clients: Client, place: FakePlace, bento: Callable[[Made], str], tmp_path: Path, version: str
) -> None:
    client, name = clients(version), f"old-{version.replace('.', '-')}"
    repository, _, number = bento(made(version)).partition(":")
    config = {
        "hpa_conf": {"min_replicas": 1, "max_replicas": 3},
        "envs": [{"key": "A", "value": "B"}],
        "runners": {"iris_clf": {"hpa_conf": {"min_replicas": 2, "max_replicas": 2}}},
        "enable_ingress": True,
    }
    target = {"type": "stable", "bento_repository": repository, "bento": number, "config": config}
    body = {"name": name, "mode": "deployment", "targets": [target]}
    (tmp_path / "wanted.json").write_text(json.dumps(body))

    said = client("deployment", "create", "-f", str(tmp_path / "wanted.json"), "-o", "json")
    assert said.code == 0, said.out
    assert _deployed(place, name)["runners"] == [
        {"name": "iris_clf", "autoscaling": {"minReplicas": 2, "maxReplicas": 2}}
    ]
    again = client("deployment", "create", "-f", str(tmp_path / "wanted.json"))
    assert "already exists" in again.out

    shown = client("deployment", "get", name, "-o", "json")
    assert shown.code == 0, shown.out
    assert '"A"' in shown.out
    listed = client("deployment", "list")
    assert (listed.code, name in listed.out, "image-building" in listed.out) == (0, True, True), listed.out

    target["config"] = {**config, "envs": [{"key": "A", "value": "C"}]}
    update = {**body, "kube_namespace": "default", "cluster_name": "default", "description": "flowers"}
    (tmp_path / "changed.json").write_text(json.dumps(update))
    said = client("deployment", "update", "-f", str(tmp_path / "changed.json"))
    assert said.code == 0, said.out
    assert _deployed(place, name)["envs"] == [{"name": "A", "value": "C"}]
    for verb in ("terminate", "delete"):
        said = client("deployment", verb, name)
        assert said.code == 0, said.out
    assert ("BentoDeployment", "default", name) not in place.objects


def test_old_and_new_clients_see_each_others_deployments(
    clients: Client, server: RegistryServer, bento: Callable[[Made], str], tmp_path: Path
) -> None:
    new, old = clients("1.4.39"), clients("1.1.11")
    tag = bento(made("1.4.39"))
    repository, _, number = bento(made("1.1.11")).partition(":")
    target = {"type": "stable", "bento_repository": repository, "bento": number, "config": {"enable_ingress": True}}
    (tmp_path / "old.json").write_text(json.dumps({"name": "by-old", "targets": [target]}))

    assert new("deploy", tag, "-n", "by-new", "--no-wait").code == 0
    assert old("deployment", "create", "-f", str(tmp_path / "old.json")).code == 0

    for client in (new, old):
        listed = client("deployment", "list")
        assert (listed.code, "by-old" in listed.out, "by-new" in listed.out) == (0, True, True), listed.out
        for name in ("by-new", "by-old"):
            assert client("deployment", "get", name).code == 0
    said = new("deployment", "update", "by-old", "--scaling-max", "4")
    assert said.code == 0, said.out
    seen = server.http.ok("GET", "/api/v1/clusters/default/namespaces/default/deployments/by-old")
    assert seen["latest_revision"]["targets"][0]["config"]["hpa_conf"]["max_replicas"] == 4


def test_clients_that_wait_read_the_builders_log_until_it_runs(
    clients: Client, server: RegistryServer, place: FakePlace, bento: Callable[[Made], str]
) -> None:
    begun = {}
    for version in (NEW[0], NEW[-1]):
        client, name = clients(version), f"waits-{version.replace('.', '-')}"
        tag = bento(made(version))
        repository, _, number = tag.partition(":")
        server.run(place.add_pod("default", f"builder-of-{name}", **BUILDER, bento_repository=repository, bento=number))
        place.logs["default", f"builder-of-{name}"] = [b"step one of the image\n"]
        begun[name] = client.start("deploy", tag, "-n", name, "--timeout", "60")
        threading.Thread(target=_runs_once_read, args=(server, place, name)).start()

    for name, command in begun.items():
        said = command.wait()
        assert said.code == 0, said.out
        assert "step one of the image" in said.out, name
        assert "is ready" in said.out.replace("\n", " "), name


def _runs_once_read(server: RegistryServer, place: FakePlace, name: str) -> None:
    """The bento is here and its pod answers as soon as somebody has read the builder's log."""
    server.run(place.was_read("default", f"builder-of-{name}"))
    document = place.objects["BentoDeployment", "default", name]
    here = {"conditions": [{"type": "BentoAvailable", "status": "True"}]}
    server.run(place.set("BentoRequest", "default", document["spec"]["bento"], status=here))
    server.run(place.add_pod("default", f"{name}-0", bento_deployment=name))


@pytest.mark.parametrize("version", NEW)
def test_secrets_are_managed_and_given(
    clients: Client, place: FakePlace, bento: Callable[[Made], str], version: str
) -> None:
    client, name = clients(version), f"hush-{version.replace('.', '-')}"
    tag = bento(made(version))
    said = client("secret", "create", name, "-t", "env", "TOKEN=hush-hush")
    if version == "1.2.20":
        assert "No such command" in said.out
        return
    assert said.code == 0, said.out
    listed = client("secret", "list")
    assert (listed.code, name in listed.out, "hush-hush" in listed.out) == (0, True, False), listed.out
    assert client("deploy", tag, "-n", name, "--secret", name, "--no-wait").code == 0
    source = {"secretKeyRef": {"name": name, "key": "TOKEN"}}
    assert {"name": "TOKEN", "valueFrom": source} in _deployed(place, name)["envs"]
    assert client("secret", "delete", name).code == 0


def test_instance_types_are_listed(clients: Client, place: FakePlace) -> None:
    assert place is not None
    said = clients("1.4.39")("deployment", "list-instance-types")
    assert (said.code, "cpu.1" in said.out, "gpu.1" in said.out) == (0, True, True), said.out
