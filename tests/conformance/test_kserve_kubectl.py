"""kubectl with KServe's resources, in the words of KServe's own documentation, against a whole installation."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.inference_services import PATH
from support.instance import Installation, installation, until
from support.kubectl import Kubectl, find_kubectl
from support.models import train_iris_sklearn

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

QUICK_START = r"""
set -euo pipefail
kubectl create namespace kserve-test

kubectl apply -n kserve-test -f - <<EOF
apiVersion: "serving.kserve.io/v1beta1"
kind: "InferenceService"
metadata:
  name: "sklearn-iris"
spec:
  predictor:
    model:
      modelFormat:
        name: sklearn
      storageUri: "$MODEL"
EOF

kubectl wait --for=condition=Ready --timeout=60s inferenceservice/sklearn-iris -n kserve-test
kubectl get inferenceservices sklearn-iris -n kserve-test

cat <<EOF > "./iris-input.json"
{
  "instances": [
    [6.8,  2.8,  4.8,  1.4],
    [6.0,  3.4,  4.5,  1.6]
  ]
}
EOF

SERVICE_HOSTNAME=$(kubectl get inferenceservice sklearn-iris -n kserve-test -o jsonpath='{.status.url}' \
  | cut -d "/" -f 3)
curl -v -H "Host: ${SERVICE_HOSTNAME}" -H "Content-Type: application/json" \
  "http://${INGRESS_HOST}:${INGRESS_PORT}/v1/models/sklearn-iris:predict" -d @./iris-input.json
echo
curl "http://sklearn-iris.kserve-test.localhost:${INGRESS_PORT}/v1/models/sklearn-iris"
echo
kubectl get pods -n kserve-test -l serving.kserve.io/inferenceservice=sklearn-iris -o name
kubectl logs -n kserve-test -l serving.kserve.io/inferenceservice=sklearn-iris -c kserve-container
kubectl delete inferenceservices sklearn-iris -n kserve-test
"""
COLUMNS = "NAME URL READY PREV LATEST PREVROLLEDOUTREVISION LATESTREADYREVISION AGE"
HEADINGS = {
    "inferencegraphs": "NAME URL READY AGE",
    "trainedmodels": "NAME URL READY AGE",
    "servingruntimes": "NAME DISABLED MODELTYPE CONTAINERS AGE",
    "clusterservingruntimes": "NAME DISABLED MODELTYPE CONTAINERS AGE",
    "revisions": "NAME CONFIG NAME GENERATION READY REASON ACTUAL REPLICAS DESIRED REPLICAS AGE",
}
OTHERS = """
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: line, namespace: default}
spec: {nodes: {root: {routerType: Sequence, steps: [{serviceName: iris}]}}}
---
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: mine, namespace: default}
spec:
  supportedModelFormats: [{name: mine, version: "1"}]
  containers: [{name: kserve-container, image: "example/mine:1"}]
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: shelf, namespace: default}
spec: {predictor: {minReplicas: 1, model: {modelFormat: {name: sklearn}}}}
---
apiVersion: serving.kserve.io/v1alpha1
kind: TrainedModel
metadata: {name: flowers, namespace: default}
spec:
  inferenceService: shelf
  model: {storageUri: "http://127.0.0.1:1/model.joblib", framework: sklearn, memory: 64Mi}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_iris_sklearn(tmp_path_factory.mktemp("models") / "iris")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("kserve-kubectl") / "home") as running:
        yield running


@pytest.fixture
def kubectl(running: Installation) -> Kubectl:
    return Kubectl(running.home / "kubeconfig", running.home / "kubectl-cache")


def manifest(folder: Path, name: str, **predictor: Any) -> str:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": str(folder)}
    return json.dumps(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"predictor": {**predictor, "model": model}},
        }
    )


@pytest.fixture
async def iris(kubectl: Kubectl, folder: Path) -> str:
    """Made by the first test that asks, for all."""
    await kubectl.run("apply", "-f", "-", stdin=manifest(folder, "iris"))
    await kubectl.run("wait", "--for=condition=Ready", "isvc/iris", "--timeout=60s")
    return "iris"


def test_the_quick_start_runs_as_it_is_written(running: Installation, folder: Path, tmp_path: Path) -> None:
    """But for the model, which lies here, and the two variables about where requests go in."""
    host, port = running.url.removeprefix("http://").split(":")
    env = {"KUBECONFIG": str(running.home / "kubeconfig"), "MODEL": str(folder), "HOME": str(tmp_path)}
    env |= {"INGRESS_HOST": host, "INGRESS_PORT": port, "NO_PROXY": "*"}
    env["PATH"] = f"{find_kubectl().parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", QUICK_START], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "inferenceservice.serving.kserve.io/sklearn-iris condition met" in said
    url = f"http://sklearn-iris.kserve-test.localhost:{port}"
    heading, row = (line.split() for line in said.splitlines() if line.startswith(("NAME", "sklearn-iris ")))
    assert heading == COLUMNS.split()
    assert row[:-1] == ["sklearn-iris", url, "True", "100", "sklearn-iris-predictor-00001"]
    assert '{"predictions":[1,1]}' in said
    assert '{"name":"sklearn-iris","ready":true}' in said.replace(" ", "").lower()
    assert "pod/sklearn-iris-predictor-00001-" in said
    assert "fairlead.dataplane.worker ready" in said
    assert 'inferenceservice.serving.kserve.io "sklearn-iris" deleted' in said


async def test_every_kind_has_kserves_columns(kubectl: Kubectl, iris: str) -> None:
    await kubectl.run("apply", "-f", "-", stdin=OTHERS)

    told = {kind: (await kubectl.run("get", kind, "-A")).splitlines()[0].split() for kind in HEADINGS}
    short = await kubectl.run("get", "isvc,ig,tm,rev", "-o", "name")

    assert {kind: words[1:] if words[0] == "NAMESPACE" else words for kind, words in told.items()} == {
        kind: heading.split() for kind, heading in HEADINGS.items()
    }
    assert set(short.split()) >= {
        f"inferenceservice.serving.kserve.io/{iris}",
        "inferencegraph.serving.kserve.io/line",
        "trainedmodel.serving.kserve.io/flowers",
        f"revision.serving.knative.dev/{iris}-predictor-00001",
    }
    runtimes = await kubectl.run("get", "clusterservingruntimes")
    assert next(line for line in runtimes.splitlines() if "kserve-xgbserver" in line).split()[1:3] == [
        "xgboost",
        "kserve-container",
    ]
    assert "mine" in (await kubectl.run("get", "servingruntimes")).splitlines()[1]
    await kubectl.run("delete", "-f", "-", stdin=OTHERS)


async def test_describe_shows_conditions_and_events(kubectl: Kubectl, iris: str) -> None:
    told = await kubectl.run("describe", "inferenceservice", iris)

    for words in ("PredictorReady", "IngressReady", "Transition Status:     UpToDate", "InferenceServiceReady"):
        assert words in told


async def test_fields_are_explained(kubectl: Kubectl) -> None:
    predictor = await kubectl.run("explain", "isvc.spec.predictor")
    deep = await kubectl.run("explain", "inferenceservices.spec.predictor.model.modelFormat.name")
    nodes = await kubectl.run("explain", "inferencegraphs.spec.nodes")
    runtime = await kubectl.run("explain", "clusterservingruntimes.spec.supportedModelFormats")

    assert "canaryTrafficPercent" in predictor
    assert "sklearn, xgboost" in deep
    assert "routerType" in nodes
    assert "autoSelect" in runtime


async def test_a_service_is_patched_edited_and_replaced(kubectl: Kubectl, folder: Path, iris: str) -> None:
    merge = await kubectl.run("patch", "isvc", iris, "--type=merge", "-p", '{"spec":{"predictor":{"maxReplicas":4}}}')
    operations = '[{"op":"replace","path":"/spec/predictor/maxReplicas","value":5}]'
    await kubectl.run("patch", "isvc", iris, "--type=json", "-p", operations)
    patched = (await kubectl.json("get", "isvc", iris))["spec"]["predictor"]["maxReplicas"]
    edited = await kubectl.run("edit", "isvc", iris, KUBE_EDITOR="sed -i 's/maxReplicas: 5/maxReplicas: 6/'")
    after_edit = (await kubectl.json("get", "isvc", iris))["spec"]["predictor"]["maxReplicas"]
    replaced = await kubectl.run("replace", "-f", "-", stdin=manifest(folder, iris))
    await kubectl.run("annotate", "isvc", iris, "team=flowers")
    await kubectl.run("label", "isvc", iris, "team=flowers")
    found = await kubectl.json("get", "isvc", "-l", "team=flowers")

    assert ("patched" in merge, "edited" in edited, "replaced" in replaced) == (True, True, True)
    assert (patched, after_edit) == (5, 6)
    assert "maxReplicas" not in found["items"][0]["spec"]["predictor"]


async def test_apply_says_what_would_change_and_what_is_wrong(kubectl: Kubectl, folder: Path, iris: str) -> None:
    wanted = manifest(folder, iris, minReplicas=1)
    differing = await kubectl.run("diff", "-f", "-", stdin=wanted, expect=1)
    dry = await kubectl.run("apply", "--dry-run=server", "-f", "-", stdin=wanted)
    unknown = await kubectl.run("apply", "-f", "-", stdin=wanted.replace("minReplicas", "minReplica"), expect=1)
    many = await kubectl.run("apply", "-f", "-", stdin=manifest(folder, iris, minReplicas=5, maxReplicas=2), expect=1)

    assert "+    minReplicas: 1" in differing
    assert "configured (server dry run)" in dry
    assert 'unknown field "spec.predictor.minReplica"' in unknown
    assert "'MinReplicas' cannot be greater than MaxReplicas" in many


async def test_a_service_is_applied_on_the_server_waited_for_and_deleted(
    kubectl: Kubectl, running: Installation, folder: Path
) -> None:
    said = await kubectl.run("apply", "--server-side", "-f", "-", stdin=manifest(folder, "brief"))
    await kubectl.run("wait", "--for=condition=PredictorReady", "isvc", "brief", "--timeout=60s")
    await kubectl.run("wait", "--for=jsonpath={.status.modelStatus.transitionStatus}=UpToDate", "isvc/brief")
    await kubectl.run("wait", "--for=condition=Ready", "isvc/brief", "--timeout=60s")
    deleted = await kubectl.run("delete", "isvc", "brief")

    assert "serverside-applied" in said
    assert "deleted" in deleted
    until(lambda: running.api_answer(f"{PATH}/brief").status == 404, what="the end of the service")
    assert "brief" not in await kubectl.run("get", "pods,revisions", "-o", "name")
