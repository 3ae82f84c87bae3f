"""Deployments over the API: what clients of each dialect send and read, clusters, instance types and secrets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fairlead.registry.callers import Role
from fairlead.registry.values import Kind
from support.deployment_places import FakePlace
from support.deployments import NEW_MANIFEST, OLD_MANIFEST, mark_uploaded, v1_body, v2_body
from support.registry_server import Http, RegistryServer

OLD, NEW = "1.1.11", "1.4.39"
ONE = "/api/v1/clusters/default/namespaces/default/deployments"
V2 = "/api/v2/deployments"


@pytest.fixture(scope="module")
def place(server: RegistryServer) -> FakePlace:
    """Where the registry's first cluster runs, with two bentos to run there."""
    found = FakePlace()
    server.registry.clusters.places.by_name["default"] = found
    for tag, manifest in (("iris:v1", NEW_MANIFEST), ("iris:v2", NEW_MANIFEST), ("old:v1", OLD_MANIFEST)):
        name, version = tag.split(":")
        server.http("POST", "/api/v1/bento_repositories", {"name": name, "description": ""})
        body = {"version": version, "manifest": manifest, "build_at": "2026-01-01 00:00:00.000000"}
        made = server.http.ok("POST", f"/api/v1/bento_repositories/{name}/bentos", body)
        server.run(mark_uploaded(server.registry, made["uid"]))
    return found


@pytest.fixture
def made(http: Http, place: FakePlace, name: str) -> Iterator[str]:
    """A deployment of a new client's, under the test's own name."""
    http.ok("POST", f"{V2}?cluster=", v2_body(name=name))
    yield name
    http.ok("POST", f"{V2}/{name}/terminate?cluster=")
    assert place is not None
    http.ok("DELETE", f"{V2}/{name}?cluster=")


def test_a_new_client_reads_back_what_it_sent(http: Http, made: str) -> None:
    found = http.ok("GET", f"{V2}/{made}?cluster=")

    assert (found["name"], found["status"], found["kube_namespace"]) == (made, "image-building", "default")
    assert found["cluster"]["organization_name"] == "default"
    assert found["cluster"]["is_first"] is True
    (target,) = found["latest_revision"]["targets"]
    sent = {key: value for key, value in v2_body().items() if key not in ("bento", "name", "dev")}
    assert target["config"] == sent
    assert (target["bento"]["repository"]["name"], target["bento"]["version"]) == ("iris", "v1")
    assert target["bento"]["manifest"] == NEW_MANIFEST


def test_an_old_client_sees_it_in_its_own_words(http: Http, made: str) -> None:
    found = http.saying(OLD).ok("GET", f"{ONE}/{made}")

    (target,) = found["latest_revision"]["targets"]
    assert target["type"] == "stable"
    assert target["config"]["hpa_conf"] == {"min_replicas": 1, "max_replicas": 2}
    assert target["config"]["enable_ingress"] is True
    assert found["mode"] is None


def test_an_old_client_makes_one_that_a_new_one_sees(http: Http, place: FakePlace, name: str) -> None:
    target: dict[str, Any] = {
        "type": "stable",
        "bento_repository": "old",
        "bento": "v1",
        "config": {"envs": [{"key": "A", "value": "1"}]},
    }
    body = v1_body(name=name, targets=[target], mode="deployment", labels=[{"key": "team", "value": "a"}])

    made = http.saying(OLD).ok("POST", "/api/v1/clusters/default/deployments", body)

    assert (made["mode"], made["labels"]) == ("deployment", [{"key": "team", "value": "a"}])
    meta = place.objects["BentoDeployment", "default", name]["metadata"]
    config = made["latest_revision"]["targets"][0]["config"]
    assert config == {
        **target["config"],
        "kubeResourceUid": meta["uid"],
        "kubeResourceVersion": meta["resourceVersion"],
    }
    seen = http.ok("GET", f"{V2}/{name}?cluster=")["latest_revision"]["targets"][0]["config"]
    assert seen["services"]["apiserver"]["envs"] == [{"name": "A", "value": "1"}]


def test_every_list_has_it(http: Http, made: str) -> None:
    paths = [
        f"{V2}?cluster=&all=true&count=&q=&search=&start=",
        f"{V2}?cluster=default",
        "/api/v1/deployments",
        "/api/v1/clusters/default/deployments?count=1000",
        "/api/v1/bento_repositories/iris/deployments",
        "/api/v1/bento_repositories/iris/bentos/v1/deployments",
    ]
    for path in paths:
        assert made in {each["name"] for each in http.ok("GET", path)["items"]}, path
    assert http.ok("GET", "/api/v1/bento_repositories/iris/bentos/v2/deployments")["items"] == []


def test_an_update_and_a_repetition_are_revisions(http: Http, made: str) -> None:
    http.ok("PUT", f"{V2}/{made}?cluster=default", v2_body(bento="iris:v2"))
    http.ok("PUT", f"{V2}/{made}/void_update?cluster=")

    listed = http.ok("GET", f"{ONE}/{made}/revisions?count=10")

    assert [each["status"] for each in listed["items"]] == ["active", "inactive", "inactive"]
    assert [each["targets"][0]["bento"]["version"] for each in listed["items"]] == ["v2", "v2", "v1"]
    last = http.ok("GET", f"{ONE}/{made}/revisions/{listed['items'][-1]['uid']}")
    assert last["targets"][0]["bento"]["version"] == "v1"
    assert http.ok("GET", f"{ONE}/{made}/terminal_records")["items"] == []
    http.ok("PATCH", f"{ONE}/{made}", {"description": "flowers", "targets": None})
    assert http.ok("POST", f"{ONE}/{made}/sync_status")["description"] == "flowers"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bento": "iris:v9"}, "can't find bento: iris:v9"),
        ({"bento": None}, "bento: Input should be a valid string"),
        ({"name": "No Name"}, "a DNS-1035 label must consist of"),
        ({"dev": True}, "codespaces (bentoml code) are not run here"),
        ({"services": {"Iris": {"instance_type": "huge"}}}, "there is no instance type 'huge'"),
        ({"secrets": ["none"]}, "get secret none: record not found"),
        ({"services": {"Iris": {"scaling": {"min_replicas": -1}}}}, "services.Iris.scaling.min_replicas"),
    ],
)
def test_what_cannot_be_deployed_is_refused_with_the_reason(
    http: Http, place: FakePlace, change: dict[str, Any], words: str
) -> None:
    response = http("POST", V2, v2_body(**{"name": "refused", **change}))

    assert (response.status_code, words in response.json()["error"]) == (400, True), response.text
    assert ("BentoDeployment", "default", "refused") not in place.objects


@pytest.mark.parametrize(("version", "status"), [(NEW, 404), (OLD, 404), ("", 400)])
def test_one_that_is_not_there_is_told_as_each_client_understands_it(
    http: Http, place: FakePlace, version: str, status: int
) -> None:
    assert place is not None
    for path in (f"{V2}/none?cluster=", f"{ONE}/none"):
        response = http.saying(version)("GET", path)
        assert (response.status_code, "record not found" in response.text) == (status, True)


def test_one_that_runs_is_not_deleted(http: Http, made: str) -> None:
    response = http("DELETE", f"{ONE}/{made}")

    assert (response.status_code, response.json()) == (400, {"error": "deployment is not terminated"})


def test_one_at_zero_runs_for_old_clients(http: Http, server: RegistryServer, place: FakePlace, made: str) -> None:
    document = place.objects["BentoDeployment", "default", made]
    here = {"conditions": [{"type": "BentoAvailable", "status": "True"}]}
    server.run(place.set("BentoRequest", "default", document["spec"]["bento"], status=here))
    asleep = {"conditions": [{"type": "Available", "status": "True"}]}
    spec = {**document["spec"], "autoscaling": {"minReplicas": 0, "maxReplicas": 1}}
    server.run(place.set("BentoDeployment", "default", made, spec=spec, status=asleep))

    assert http.ok("GET", f"{V2}/{made}?cluster=")["status"] == "scaled-to-zero"
    assert http.saying(OLD).ok("GET", f"{ONE}/{made}")["status"] == "running"


def test_a_bento_that_is_gone_from_the_registry_is_still_named(http: Http, server: RegistryServer, made: str) -> None:
    http.ok("PUT", f"{V2}/{made}?cluster=", v2_body(bento="iris:v2"))
    owner = server.run(server.accounts.people.owner())
    server.run(server.registry.versions.delete(owner, Kind.BENTO, "iris", "v2", force=True))

    bento = http.saying(OLD).ok("GET", f"{ONE}/{made}")["latest_revision"]["targets"][0]["bento"]

    assert (bento["version"], bento["repository"]["name"], bento["manifest"]["models"]) == ("v2", "iris", [])


def test_the_cluster_says_where_deployments_go_and_how_large_they_may_be(http: Http, place: FakePlace) -> None:
    assert place is not None
    listed = http.ok("GET", "/api/v1/clusters?count=1")
    assert [each["name"] for each in listed["items"]] == ["default"]
    cluster = http.ok("GET", "/api/v1/clusters/default")
    assert cluster["config"]["default_deployment_kube_namespace"] == "default"
    assert "cpu.1" in [each["name"] for each in cluster["resource_instances"]]
    assert cluster["organization"]["name"] == "default"
    assert http.ok("GET", "/api/v1/current_org/major_cluster")["uid"] == cluster["uid"]
    sizes = http.ok("GET", "/api/v1/instance_types?cluster=")
    assert sizes[0]["config"]["resources"]["requests"] == {"cpu": "500m", "memory": "1024Mi"}


def test_a_cluster_is_added_and_changed_and_knows_its_operators(http: Http, name: str) -> None:
    cluster = name[:40]
    http.ok("POST", "/api/v1/clusters", {"name": cluster, "description": "far", "kube_config": "", "config": None})
    config = {"default_deployment_kube_namespace": "team-a"}
    assert http.ok("PATCH", f"/api/v1/clusters/{cluster}", {"config": config})["config"] == {
        **config,
        "ingress_ip": "",
        "aws": "",
    }
    heartbeat = {"name": "deployment", "kube_namespace": "yatai-deployment", "version": "1.1.21"}
    http.ok("POST", f"/api/v1/clusters/{cluster}/yatai_components", heartbeat)
    http.ok("POST", f"/api/v1/clusters/{cluster}/yatai_components", heartbeat)
    listed = http.ok("GET", f"/api/v1/clusters/{cluster}/yatai_components")
    assert [(each["name"], each["version"]) for each in listed] == [("deployment", "1.1.21")]
    assert listed[0] in http.ok("GET", "/api/v1/yatai_components")
    refused = http("POST", V2, v2_body(name="far-away"), params={"cluster": cluster})
    assert (refused.status_code, "nothing runs deployments of cluster" in refused.text) == (409, True)


def test_secrets_go_in_and_are_never_given_back(http: Http, place: FakePlace, name: str) -> None:
    secret = name[:30]
    content = {"type": "env", "items": [{"key": "TOKEN", "value": "hush-hush"}], "path": None, "stage": None}
    made = http.ok("POST", "/api/v1/org_secrets", {"name": secret, "description": "d", "content": content})
    listed = http.ok("GET", "/api/v1/org_secrets?count=10&q=&search=&start=0&all=true")
    shown = http.ok("GET", f"/api/v1/org_secrets/{secret}")
    http.ok("POST", V2, v2_body(name=f"{secret}-dep", secrets=[secret]))

    assert "hush-hush" not in json.dumps([made, listed, shown])
    assert shown["content"]["items"] == [{"key": "TOKEN", "sub_path": None, "value": None}]
    assert place.objects["Secret", "default", secret]["data"] == {"TOKEN": "aHVzaC1odXNo"}
    envs = place.objects["BentoDeployment", "default", f"{secret}-dep"]["spec"]["envs"]
    assert {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "TOKEN"}}} in envs
    content["items"] = [{"key": "OTHER", "value": "x"}]
    changed = http.ok("PATCH", f"/api/v1/org_secrets/{secret}", {"content": content})
    assert (changed["description"], changed["content"]["items"][0]["key"]) == ("d", "OTHER")
    http.ok("DELETE", f"/api/v1/org_secrets/{secret}")
    assert http("GET", f"/api/v1/org_secrets/{secret}").status_code == 404


def test_files_cannot_be_given_to_deployments_here(http: Http, place: FakePlace) -> None:
    assert place is not None
    content = {"type": "mountfile", "items": [{"key": "f", "value": "x"}], "path": "/etc/f"}
    http.ok("POST", "/api/v1/org_secrets", {"name": "a-file", "content": content})

    refused = http("POST", V2, v2_body(name="with-a-file", secrets=["a-file"]))

    assert "a-file is of type mountfile; deployments here can have those of type env" in refused.json()["error"]


def test_codespaces_are_refused_in_a_sentence(http: Http, made: str) -> None:
    for method, body in (("GET", None), ("POST", {"files": []}), ("DELETE", {"paths": []})):
        response = http(method, f"{V2}/{made}/files?cluster=", body)
        assert (response.status_code, "bentoml deploy" in response.json()["error"]) == (400, True)


def test_editors_get_a_schema_of_the_body(http: Http) -> None:
    schema = http.ok("GET", "/api/v1/deployment_creation_json_schema")

    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert schema["required"] == ["targets", "name"]
    assert {"TargetBody", "TargetConfig", "Hpa"} <= set(schema["definitions"])


def test_developers_need_a_role_in_the_cluster(server: RegistryServer, place: FakePlace) -> None:
    assert place is not None
    developer = Http(server.url, server.token("dev", Role.DEVELOPER))

    response = developer("POST", V2, v2_body(name="by-dev"))

    assert response.status_code == 403
    assert response.json() == {"error": "user dev cannot update this cluster: default"}


def test_the_page_that_clients_print_shows_the_deployment(http: Http, server: RegistryServer, made: str) -> None:
    asked_in = Http(server.url, "", "")("GET", f"/deployments/{made}", allow_redirects=False)
    page = http("GET", f"/deployments/{made}")

    assert (asked_in.status_code, asked_in.headers["location"]) == (303, f"/login?redirect=%2Fdeployments%2F{made}")
    assert (page.status_code, "image-building" in page.text, "iris:v1" in page.text) == (200, True, True)
    assert http("GET", "/deployments/none").status_code == 404
