"""SeldonDeployments in a real cluster, from `kubectl apply` to answers: pods, statuses, roll-outs, take-over."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from support.real_cluster import IMAGE, Namespace, Refused, asking, kubectl, lacks, small, until
from support.real_servers import WHOLE

if why := lacks():
    pytest.skip(why, allow_module_level=True)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

Json = dict[str, Any]
PATH = ":8000/api/v1.0/predictions"
FLOWER = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}
CODE = {
    "Doubling.py": """
class Doubling:
    def transform_input(self, X, names=None, meta=None):
        return X * 2

    def predict(self, X, names=None, meta=None):
        return X * 2
""",
    "Averaging.py": """
class Averaging:
    def aggregate(self, Xs, names=None, meta=None):
        return sum(Xs) / len(Xs)
""",
}


def sdep(graph: Json, *pods: Json, name: str = "iris", annotations: Json | None = None, **predictor: Any) -> Json:
    small_orchestrator = {"resources": small()}
    only = {"name": "default", "graph": graph, "componentSpecs": list(pods), "svcOrchSpec": small_orchestrator}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name},
        "spec": {"annotations": annotations or {}, "predictors": [{**only, **predictor}]},
    }


def model(uri: str, **more: Any) -> Json:
    return {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri, **more}


def written_by_users(*classes: tuple[str, str, str]) -> Json:
    """A pod of containers (name, class, service type) whose image knows nothing of Seldon's own servers."""
    containers = [
        {
            "name": name,
            "image": os.environ[IMAGE],
            "imagePullPolicy": "IfNotPresent",
            "command": ["fairlead", "serve", class_, f"--service-type={type_}"],
            "workingDir": "/code",
            "resources": small(),
            "volumeMounts": [{"name": "code", "mountPath": "/code"}],
        }
        for name, class_, type_ in classes
    ]
    return {"spec": {"containers": containers, "volumes": [{"name": "code", "configMap": {"name": "code"}}]}}


def available(space: Namespace, name: str = "iris") -> Json:
    """Its status, once it is Available with what is asked for now."""

    def so() -> Json:
        doc = space.find("sdep", name)
        status: Json = doc.get("status") or {}
        is_current = status.get("observedGeneration") == doc["metadata"]["generation"]
        return status if is_current and status.get("state") == "Available" else {}

    return until(so, within_s=300)


def containers_of(space: Namespace, deployment: str) -> list[str]:
    return [one["name"] for one in space.find("deploy", deployment)["spec"]["template"]["spec"]["containers"]]


def answer(space: Namespace, service: str, path: str, body: Json) -> Json:
    """Of a Service whose pods are ready. A node hears of them by itself, and until then refuses connections: ours, and
    those of an orchestrator to its nodes."""

    def asked() -> Json:
        try:
            found: Json = space.post(service, path, body)
        except URLError:
            return {}
        return found

    return until(asked, within_s=30)


def setosa(told: Json) -> bool:
    return bool(told["data"]["ndarray"][0][0] > 0.9)


@pytest.mark.parametrize(
    ("fuse", "containers"), [("true", ["classifier"]), ("false", ["classifier", "seldon-container-engine"])]
)
def test_a_prepackaged_model_answers(space: Namespace, iris: str, fuse: str, containers: list[str]) -> None:
    space.apply(sdep(model(iris), annotations={"fairlead.dev/fuse": fuse}))

    available(space)

    assert containers_of(space, "iris-default-0-classifier") == containers
    assert setosa(answer(space, "iris-default", PATH, FLOWER))
    assert setosa(answer(space, "iris-default-classifier", ":9000/api/v1.0/predictions", FLOWER))


def test_a_node_without_orchestrator_and_one_with_an_orchestrator_elsewhere_answer(space: Namespace, iris: str) -> None:
    alone = sdep(model(iris), name="alone")
    alone["spec"]["predictors"][0]["annotations"] = {"seldon.io/no-engine": "true"}
    apart = sdep(model(iris), name="apart", annotations={"seldon.io/engine-separate-pod": "true"})
    space.apply(alone, apart)

    available(space, "alone")
    available(space, "apart")

    assert setosa(answer(space, "alone-default", ":9000/api/v1.0/predictions", FLOWER))
    assert setosa(answer(space, "apart-default", PATH, FLOWER))
    assert containers_of(space, "apart-default-svc-orch") == ["seldon-container-engine"]


def test_v2_is_spoken_where_the_manifest_says_so(space: Namespace, iris: str) -> None:
    doc = sdep(model(iris))
    doc["spec"]["protocol"] = "v2"
    space.apply(doc)

    available(space)

    inputs = [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]
    told = answer(space, "iris-default", ":8000/v2/models/classifier/infer", {"inputs": inputs})
    assert told["outputs"][0]["data"] == [0]


def test_a_graph_of_users_containers_over_two_pods_answers(space: Namespace) -> None:
    space.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": CODE})
    models = [{"name": name, "type": "MODEL"} for name in ("one", "other")]
    mean = {"name": "mean", "type": "COMBINER", "children": models}
    first = written_by_users(("first", "Doubling", "TRANSFORMER"), ("mean", "Averaging", "COMBINER"))
    second = written_by_users(("one", "Doubling", "MODEL"), ("other", "Doubling", "MODEL"))
    graph = {"name": "first", "type": "TRANSFORMER", "children": [mean]}
    space.apply(sdep(graph, first, second, name="graph"))

    available(space, "graph")

    told = answer(space, "graph-default", PATH, {"data": {"ndarray": [[1.0, 2.0]]}})
    assert told["data"]["ndarray"] == [[4.0, 8.0]]


def test_a_roll_out_loses_no_request(space: Namespace, iris: str) -> None:
    space.apply(sdep(model(iris)))
    available(space)
    answer(space, "iris-default", PATH, FLOWER)
    url, is_over = space.url("iris-default") + PATH, threading.Event()

    with ThreadPoolExecutor() as pool:
        failures = pool.submit(asking, url, FLOWER, lambda: not is_over.is_set())
        try:
            space.apply(sdep(model(iris), annotations={"release": "next"}))
            available(space)
            earlier = until(lambda: len(space.names("pods")) == 1, within_s=90)
        finally:
            is_over.set()

    assert earlier
    assert failures.result() == []


def test_scaling_reaches_every_pod_of_the_deployment_and_its_status(space: Namespace, iris: str) -> None:
    space.apply(sdep(model(iris)))
    available(space)

    space.command("scale", "sdep/iris", "--replicas=2")

    until(lambda: available(space).get("replicas") == 2)
    assert space.find("deploy", "iris-default-0-classifier")["spec"]["replicas"] == 2


def test_what_is_changed_or_deleted_by_hand_is_put_right(space: Namespace, iris: str) -> None:
    space.apply(sdep(model(iris)))
    available(space)
    name = "iris-default-0-classifier"
    before = space.find("deploy", name)["spec"]

    theirs = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "somebody/elses:1"}]
    space.command("patch", "deploy", name, "--type=json", "-p", json.dumps(theirs))
    space.command("delete", "service", "iris-default")

    until(lambda: space.find("service", "iris-default"))
    until(lambda: space.find("deploy", name)["spec"] == before)


def _fetching_nothing(doc: Json) -> None:
    doc["spec"]["predictors"][0]["graph"]["modelUri"] += ".not-there"


def _of_no_image(doc: Json) -> None:
    container = {"name": "classifier", "image": "registry.invalid/nobody/nothing:1"}
    doc["spec"]["predictors"][0] |= {
        "graph": {"name": "classifier", "type": "MODEL"},
        "componentSpecs": [{"spec": {"containers": [container]}}],
    }


def _too_big(doc: Json) -> None:
    doc["spec"]["predictors"][0]["svcOrchSpec"] = {"resources": {"requests": {"memory": "900Ti"}}}


def _crashing(doc: Json) -> None:
    containers = [
        {"name": "classifier", "image": os.environ[IMAGE], "command": ["sh", "-c", "echo no weights; exit 3"]}
    ]
    doc["spec"]["predictors"][0] |= {
        "graph": {"name": "classifier", "type": "MODEL"},
        "componentSpecs": [{"spec": {"containers": containers}}],
    }


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (_fetching_nothing, "HTTP 404"),
        (_of_no_image, "nobody/nothing:1"),
        (_too_big, "Insufficient memory"),
        (_crashing, "no weights"),
    ],
)
def test_the_status_says_why_it_is_not_there(
    space: Namespace, iris: str, spoiled: Callable[[Json], None], words: str
) -> None:
    doc = sdep(model(iris))
    spoiled(doc)

    space.apply(doc)

    until(lambda: words in str(space.status("sdep", "iris").get("description")))
    assert space.status("sdep", "iris")["state"] != "Available"


def test_what_is_wrong_is_refused_in_seldons_words(space: Namespace, iris: str) -> None:
    doc = sdep(model(iris))
    doc["spec"]["predictors"] *= 2

    with pytest.raises(Refused) as refusal:
        space.apply(doc)

    assert 'The SeldonDeployment "iris" is invalid' in str(refusal.value)
    assert "Duplicate predictor name" in str(refusal.value)
    assert "Traffic must sum to 100 for multiple predictors" in str(refusal.value)


def test_objects_of_seldons_operator_are_taken_over_in_place(space: Namespace, iris: str) -> None:
    """Its own field manager was `manager`; the label of somebody else's operator keeps ours away until all is there."""
    doc = sdep(model(iris), replicas=0)
    doc["metadata"]["labels"] = {"seldon.io/controller-id": "the-one-before"}
    space.apply(doc)
    owner = {key: doc[key] for key in ("apiVersion", "kind")} | {"name": "iris", "controller": True}
    owner["uid"] = space.find("sdep", "iris")["metadata"]["uid"]
    labels = {"app": "iris-default-0-classifier"}
    container = {"name": "theirs", "image": os.environ[IMAGE]}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    metadata = {"name": labels["app"], "namespace": space.name, "ownerReferences": [owner]}
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    kubectl("create", "--field-manager=manager", "-f", "-", given=theirs)
    before = space.find("deploy", labels["app"])

    space.command("label", "sdep", "iris", "seldon.io/controller-id-")

    until(lambda: containers_of(space, labels["app"]) == ["classifier"])
    after = space.find("deploy", labels["app"])
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["selector"] == before["spec"]["selector"]


def test_canaries_and_shadows_have_services_and_events_of_their_own(space: Namespace, iris: str) -> None:
    doc = sdep(model(iris), traffic=75)
    (main,) = doc["spec"]["predictors"]
    doc["spec"]["predictors"] += [{**main, "name": "canary", "traffic": 25}]
    doc["spec"]["predictors"] += [{**main, "name": "shadow", "traffic": 0, "shadow": True}]
    space.apply(doc)

    status = available(space)

    for name in ("default", "canary", "shadow"):
        assert f"iris-{name}" in status["serviceStatus"]
        assert setosa(answer(space, f"iris-{name}", PATH, FLOWER))
    told = json.loads(space.command("get", "events", "-o", "json"))["items"]
    reasons = {one["reason"] for one in told if one["involvedObject"]["kind"] == "SeldonDeployment"}
    assert reasons >= {"CreateDeployment", "CreateService", "Updated"}


def test_everything_goes_with_the_resource(space: Namespace, iris: str) -> None:
    space.apply(sdep(model(iris), replicas=0))
    until(lambda: space.names("deploy"))

    space.command("delete", "sdep", "iris")

    until(lambda: not space.names("deploy") and not space.names("services"))


def test_fairlead_itself_reads_the_cluster(space: Namespace, iris: str) -> None:
    space.apply(sdep(model(iris), replicas=0))
    available(space)

    def fairlead(*words: str) -> str:
        program = str(Path(sys.executable).with_name("fairlead"))
        where = ("-n", space.name, "--kubeconfig", os.environ[WHOLE])
        return subprocess.run([program, *words, *where], capture_output=True, text=True, check=True).stdout

    assert "condition met" in fairlead("wait", "sdep", "iris")
    assert "Available" in fairlead("get", "sdep")
    assert "State:        Available" in fairlead("describe", "sdep", "iris")
