"""The real kubectl against the API, in the ways people use it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fairlead.control.api.kinds import POD
from fairlead.control.api.kubeconfig import write_kubeconfig
from fairlead.dialects.base import Kind
from fairlead.errors import InvalidManifest, Problem, Where
from support.kubectl import Kubectl
from support.objects import owner_of
from support.serving_api import SDEP, ApiServer, ListedLogs, sdep, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MANIFEST = """
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata:
  name: iris
  namespace: seldon
  creationTimestamp: null
spec:
  replicas: 1
  predictors:
  - name: default
    graph:
      name: classifier
      implementation: SKLEARN_SERVER
      modelUri: gs://models/iris
"""


def webhook(_operation: str, _kind: Kind, new: dict[str, Any], _old: dict[str, Any] | None) -> dict[str, Any]:
    if new["kind"] == "SeldonDeployment" and not new["spec"]["predictors"]:
        problem = Problem(where=Where(path="spec"), field="spec", message="Graph contains no predictors")
        text = 'SeldonDeployment.machinelearing.seldon.io "" is invalid: spec: Invalid value: "": '
        raise InvalidManifest([problem], message=text + "Graph contains no predictors")
    return new


@pytest.fixture
async def logs() -> ListedLogs:
    return ListedLogs()


@pytest.fixture
async def api(tmp_path: Path, logs: ListedLogs) -> AsyncIterator[ApiServer]:
    async with serving(tmp_path, admission=webhook, pods=logs) as server:
        yield server


@pytest.fixture
async def kubectl(api: ApiServer, tmp_path: Path) -> Kubectl:
    write_kubeconfig(tmp_path / "kubeconfig", api.url)
    kubectl = Kubectl(tmp_path / "kubeconfig", tmp_path / "cache")
    await kubectl.run("create", "namespace", "seldon")
    return kubectl


async def apply(kubectl: Kubectl, manifest: str = MANIFEST, *options: str) -> str:
    return await kubectl.run("apply", "-f", "-", *options, stdin=manifest)


async def iris(api: ApiServer) -> dict[str, Any]:
    return await api.store.get(SDEP, "seldon", "iris")


async def test_apply_creates_then_configures_then_leaves_alone(api: ApiServer, kubectl: Kubectl) -> None:
    assert "created" in await apply(kubectl)
    assert "unchanged" in await apply(kubectl)
    assert "configured" in await apply(kubectl, MANIFEST.replace("replicas: 1", "replicas: 2"))
    assert (await iris(api))["spec"]["replicas"] == 2


async def test_apply_removes_what_the_manifest_no_longer_says(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)

    await apply(kubectl, MANIFEST.replace("  replicas: 1\n", ""))

    assert "replicas" not in (await iris(api))["spec"]


async def test_apply_without_validation_works_too(api: ApiServer, kubectl: Kubectl) -> None:
    assert "created" in await apply(kubectl, MANIFEST, "--validate=false")


async def test_apply_of_an_unknown_field_is_refused_by_its_name(kubectl: Kubectl) -> None:
    manifest = MANIFEST.replace("replicas: 1", "replica: 1")

    refused = await kubectl.run("apply", "-f", "-", stdin=manifest, expect=1)

    assert "unknown field" in refused
    assert "replica" in refused


async def test_apply_of_a_wrong_type_or_a_broken_rule_says_where(kubectl: Kubectl) -> None:
    text = "protocol: nonsense\n  predictors:"
    refused = await kubectl.run(
        "apply", "--validate=false", "-f", "-", stdin=MANIFEST.replace("predictors:", text), expect=1
    )
    empty = MANIFEST.partition("  predictors:")[0] + "  predictors: []\n"
    denied = await kubectl.run("apply", "-f", "-", stdin=empty, expect=1)

    assert 'spec.protocol: Unsupported value: "nonsense": supported values: "seldon", "tensorflow", "v2"' in refused
    assert 'The SeldonDeployment "iris" is invalid: spec: Invalid value: "": Graph contains no predictors' in denied


async def test_several_documents_with_everything_they_refer_to(api: ApiServer, kubectl: Kubectl) -> None:
    bundle = """
apiVersion: v1
kind: Secret
metadata: {name: rclone, namespace: seldon}
stringData: {RCLONE_CONFIG_S3_TYPE: s3}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: seldon}
data: {level: debug}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: models, namespace: seldon}
secrets: [{name: rclone}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: models, namespace: seldon}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
"""
    said = await apply(kubectl, bundle + MANIFEST)

    assert said.count("created") == 5
    again = await apply(kubectl, bundle.replace("debug", "info") + MANIFEST)
    assert again.count("configured") >= 1
    secret = await kubectl.json("get", "secret", "rclone", "-n", "seldon")
    assert secret["data"] == {"RCLONE_CONFIG_S3_TYPE": "czM="}
    claims = await kubectl.run("get", "pvc", "-n", "seldon")
    assert "Bound" in claims
    assert "1Gi" in claims
    assert "RWO" in claims


async def test_server_side_apply_and_its_conflicts(api: ApiServer, kubectl: Kubectl) -> None:
    assert "serverside-applied" in await apply(kubectl, MANIFEST, "--server-side")
    await kubectl.run("scale", "sdep/iris", "-n", "seldon", "--replicas=4")

    refused = await kubectl.run("apply", "--server-side", "-f", "-", stdin=MANIFEST, expect=1)
    forced = await apply(kubectl, MANIFEST, "--server-side", "--force-conflicts")

    assert "Apply failed with 1 conflict" in refused
    assert ".spec.replicas" in refused
    assert "serverside-applied" in forced
    assert (await iris(api))["spec"]["replicas"] == 1


async def test_a_client_side_manifest_moves_to_server_side_apply(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)

    said = await apply(kubectl, MANIFEST.replace("replicas: 1", "replicas: 3"), "--server-side")

    assert "serverside-applied" in said
    assert "Warning" not in said
    assert (await iris(api))["spec"]["replicas"] == 3


async def test_get_shows_columns_and_every_output_form(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)
    await api.store.update_status(
        SDEP, "seldon", "iris", {"state": "Available", "replicas": 1, "address": {"url": "http://iris"}}
    )

    table = (await kubectl.run("get", "sdep", "-n", "seldon")).splitlines()
    wide = await kubectl.run("get", "sdep", "-n", "seldon", "-o", "wide")
    name = await kubectl.run("get", "seldondeployments", "-A", "-o", "name")
    columns = "custom-columns=N:.metadata.name,S:.status.state"
    custom = await kubectl.run("get", "sdep.v1alpha2.machinelearning.seldon.io", "-n", "seldon", "-o", columns)
    yaml = await kubectl.run("get", "sdep", "iris", "-n", "seldon", "-o", "yaml")

    assert table[0].split() == ["NAME", "STATE", "REPLICAS", "AGE"]
    assert table[1].split()[:3] == ["iris", "Available", "1"]
    assert "http://iris" in wide
    assert name.strip() == "seldondeployment.machinelearning.seldon.io/iris"
    assert custom.split() == ["N", "S", "iris", "Available"]
    assert "state: Available" in yaml


async def test_get_watch_shows_changes_as_they_come(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)
    watching = await kubectl.start("get", "sdep", "-n", "seldon", "-w")
    assert watching.stdout is not None
    lines = []

    async with asyncio.timeout(30):
        for state in ("Creating", "Available"):
            lines.append((await watching.stdout.readline()).decode())
            if len(lines) == 1:  # the heading; the first row follows
                lines.append((await watching.stdout.readline()).decode())
            await api.store.update_status(SDEP, "seldon", "iris", {"state": state})
        lines.append((await watching.stdout.readline()).decode())
    watching.terminate()
    await watching.communicate()

    assert [line.split()[1] for line in lines[2:]] == ["Creating", "Available"]


async def test_describe_shows_status_and_events(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)
    document = await api.store.update_status(SDEP, "seldon", "iris", {"state": "Failed", "description": "no bucket"})
    await api.store.record_event(document, "DownloadFailed", "gs://models/iris: no such bucket", "Warning")

    described = await kubectl.run("describe", "sdep", "iris", "-n", "seldon")
    events = await kubectl.run("get", "events", "-n", "seldon")

    assert "no bucket" in described
    assert "DownloadFailed" in described
    assert "gs://models/iris: no such bucket" in described
    assert events.splitlines()[1].split()[1:4] == ["Warning", "DownloadFailed", "seldondeployment/iris"]


async def test_edit_writes_back_what_the_editor_leaves(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)

    said = await kubectl.run("edit", "sdep", "iris", "-n", "seldon", KUBE_EDITOR="sed -i 's/replicas: 1$/replicas: 7/'")

    assert "edited" in said
    assert (await iris(api))["spec"]["replicas"] == 7


async def test_patch_in_its_three_ways(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)
    in_seldon = ("-n", "seldon")

    await kubectl.run("patch", "sdep", "iris", *in_seldon, "--type=merge", "-p", '{"spec":{"replicas":2}}')
    operations = json.dumps([{"op": "add", "path": "/spec/annotations", "value": {"a": "b"}}])
    await kubectl.run("patch", "sdep", "iris", *in_seldon, "--type=json", "-p", operations)
    await kubectl.run("create", "configmap", "c", "--from-literal=a=1", *in_seldon)
    await kubectl.run("patch", "configmap", "c", *in_seldon, "-p", '{"data":{"b":"2"}}')
    refused = await kubectl.run("patch", "sdep", "iris", *in_seldon, "-p", '{"spec":{"replicas":9}}', expect=1)

    spec = (await iris(api))["spec"]
    assert (spec["replicas"], spec["annotations"]) == (2, {"a": "b"})
    assert (await kubectl.json("get", "configmap", "c", *in_seldon))["data"] == {"a": "1", "b": "2"}
    assert "application/strategic-merge-patch+json is not supported" in refused or "UnsupportedMediaType" in refused


async def test_scale_label_annotate_and_select(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)

    await kubectl.run("scale", "sdep", "iris", "-n", "seldon", "--replicas=3")
    await kubectl.run("scale", "sdep", "iris", "-n", "seldon", "--current-replicas=3", "--replicas=4")
    await kubectl.run("label", "sdep", "iris", "-n", "seldon", "team=ml")
    await kubectl.run("annotate", "sdep", "iris", "-n", "seldon", "note=mine")
    await kubectl.run("annotate", "sdep", "iris", "-n", "seldon", "note-")

    document = await iris(api)
    assert document["spec"]["replicas"] == 4
    assert "note" not in document["metadata"]["annotations"]
    assert "iris" in await kubectl.run("get", "sdep", "-A", "-l", "team in (ml,web)")
    assert "No resources found" in await kubectl.run("get", "sdep", "-n", "seldon", "-l", "team!=ml")


async def test_wait_returns_when_the_condition_holds(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)
    ways = ["--for=condition=Ready", *(["--for=jsonpath={.status.state}=Available"] if kubectl.minor >= 23 else [])]
    waiting = [await kubectl.start("wait", way, "sdep/iris", "-n", "seldon", "--timeout=30s") for way in ways]

    status = {"state": "Available", "conditions": [{"type": "Ready", "status": "True"}]}
    await api.store.update_status(SDEP, "seldon", "iris", status)

    async with asyncio.timeout(30):
        for process in waiting:
            out, err = await process.communicate()
            assert b"condition met" in out, err


async def test_diff_shows_what_apply_would_change_and_changes_nothing(api: ApiServer, kubectl: Kubectl) -> None:
    await apply(kubectl)
    before = await iris(api)
    changed = MANIFEST.replace("replicas: 1", "replicas: 5")

    same = await kubectl.run("diff", "-f", "-", stdin=MANIFEST)
    different = await kubectl.run("diff", "-f", "-", stdin=changed, expect=1)
    dry = await apply(kubectl, changed, "--dry-run=server")

    assert same == ""
    assert "+  replicas: 5" in different
    assert "(server dry run)" in dry
    assert await iris(api) == before


async def test_delete_waits_until_the_object_is_gone_and_a_namespace_takes_the_rest(
    api: ApiServer, kubectl: Kubectl
) -> None:
    await apply(kubectl)
    await apply(kubectl, MANIFEST.replace("name: iris", "name: rose"))

    deleted = await kubectl.run("delete", "sdep", "iris", "-n", "seldon")
    emptied = await kubectl.run("delete", "namespace", "seldon")
    missing = await kubectl.run("delete", "sdep", "iris", "-n", "default", expect=1)

    assert '"iris" deleted' in deleted
    assert '"seldon" deleted' in emptied
    assert 'seldondeployments.machinelearning.seldon.io "iris" not found' in missing
    assert not (await api.store.list(SDEP)).items


async def test_explain_and_api_resources_describe_the_kinds(kubectl: Kubectl) -> None:
    explained = await kubectl.run("explain", "sdep.spec.replicas")
    resources = await kubectl.run("api-resources", "--namespaced=true", "-o", "name")

    assert "How many." in explained
    assert "integer" in explained
    assert "seldondeployments.machinelearning.seldon.io" in resources.split()
    assert "pods" in resources.split()


async def test_pods_are_listed_described_and_their_logs_read(
    api: ApiServer, kubectl: Kubectl, logs: ListedLogs
) -> None:
    owner = await api.store.create(SDEP, sdep("iris", "seldon"))
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    container = {"name": "classifier", "image": "sklearnserver"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "iris-0",
            "namespace": "seldon",
            "uid": "u",
            "creationTimestamp": started,
            "labels": {"seldon-deployment-id": "iris"},
            "ownerReferences": [owner_of(owner)],
        },
        "spec": {"nodeName": "here", "containers": [container]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    **container,
                    "imageID": "",
                    "ready": True,
                    "restartCount": 2,
                    "state": {"running": {"startedAt": started}},
                }
            ],
        },
    }
    await api.store.mirror(POD, [pod], owner_uid=owner["metadata"]["uid"])
    logs.lines[("seldon", "iris-0")] = ["loading", "ready"]

    table = (await kubectl.run("get", "pods", "-n", "seldon")).splitlines()
    described = await kubectl.run("describe", "pod", "iris-0", "-n", "seldon")
    tail = await kubectl.run("logs", "iris-0", "-n", "seldon", "--tail=1")
    by_label = await kubectl.run("logs", "-l", "seldon-deployment-id=iris", "-n", "seldon")
    refused = await kubectl.run("delete", "pod", "iris-0", "-n", "seldon", expect=1)
    following = await kubectl.start("logs", "-f", "iris-0", "-n", "seldon", "-c", "classifier")
    assert following.stdout is not None
    async with asyncio.timeout(30):
        first = [await following.stdout.readline() for _ in range(2)]
        logs.lines[("seldon", "iris-0")].append("predicted")
        logs.more.set()
        later = await following.stdout.readline()
    following.terminate()
    await following.communicate()

    assert table[1].split()[:4] == ["iris-0", "1/1", "Running", "2"]
    assert "Restart Count:  2" in described
    assert tail == "ready\n"
    assert "loading" in by_label
    assert "MethodNotAllowed" in refused
    assert (first, later) == ([b"loading\n", b"ready\n"], b"predicted\n")


async def test_kubectl_may_do_everything_and_says_which_server_it_talks_to(kubectl: Kubectl) -> None:
    assert (await kubectl.run("auth", "can-i", "create", "sdep")).strip() == "yes"
    assert "*.*" in await kubectl.run("auth", "can-i", "--list")
    assert "v1.32" in await kubectl.run("version")


async def test_secrets_and_config_maps_are_created_from_literals(kubectl: Kubectl) -> None:
    await kubectl.run("create", "secret", "generic", "s", "--from-literal=a=b", "-n", "seldon")
    await kubectl.run("create", "configmap", "c", "--from-literal=a=b", "-n", "seldon")
    await kubectl.run("create", "serviceaccount", "sa", "-n", "seldon")

    listed = await kubectl.run("get", "secret,configmap,serviceaccount", "-n", "seldon")
    data = await kubectl.run("get", "secret", "s", "-n", "seldon", "-o", "jsonpath={.data.a}")

    assert ["secret/s", "Opaque", "1"] in [line.split()[:3] for line in listed.splitlines()]
    assert data == "Yg=="
