"""KServe's manifests in a whole cluster: real pods, real Services, what they answer and what their services tell."""

import json
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from fairlead.protocols import protos
from support.grpc_calls import as_bytes
from support.peers import peer
from support.real_cluster import Namespace, Refused, asking, host, kubectl_proxy, lacks, post, small, somebody, until
from support.s3 import ACCESS_KEY, SECRET_KEY, s3_server

if why := lacks():
    pytest.skip(why, allow_module_level=True)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Json = dict[str, Any]
ROWS = {"instances": [[6.8, 2.8, 4.8, 1.4], [5.0, 3.4, 1.4, 0.2]]}
CLASSES = {"predictions": [1, 0]}
# Old clusters have no autoscaling/v2.
STANDARD = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "none"}


def isvc(name: str, predictor: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": STANDARD},
        "spec": {"predictor": predictor, **spec},
    }


def model(uri: str = "", **fields: Any) -> Json:
    source = {"storageUri": uri} if uri else {}
    return {"model": {"modelFormat": {"name": "sklearn"}, "resources": small(), **source, **fields}}


def alpha(kind: str, name: str, **spec: Any) -> Json:
    metadata = {"name": name, "annotations": STANDARD} if kind == "InferenceGraph" else {"name": name}
    return {"apiVersion": "serving.kserve.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def failure(space: Namespace, name: str) -> Json:
    """The last failure of a model, once there is one."""

    def told() -> Json:
        found: Json = (space.status("isvc", name).get("modelStatus") or {}).get("lastFailureInfo") or {}
        return found

    return until(told)


def test_a_framework_s_own_object_is_a_model_that_answers_v1_v2_and_grpc(space: Namespace, iris: str) -> None:
    grpc_port = [{"name": "h2c", "protocol": "TCP", "containerPort": 9000}]
    space.apply(
        isvc("old", {"sklearn": {"storageUri": iris, "resources": small()}}),
        isvc("v2", model(iris, protocolVersion="v2")),
        isvc("grpc", model(iris, protocolVersion="v2", ports=grpc_port)),
    )
    space.ready("old", "v2", "grpc")

    doc = space.find("isvc", "old")
    assert doc["spec"]["predictor"]["model"]["modelFormat"] == {"name": "sklearn"}
    assert doc["status"]["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
    assert doc["status"]["address"] == {"url": f"http://old-predictor.{space.name}.svc.cluster.local"}
    assert space.post("old-predictor", "/v1/models/old:predict", ROWS) == CLASSES
    flat = [value for row in ROWS["instances"] for value in row]
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": flat}
    assert space.post("v2-predictor", "/v2/models/v2/infer", {"inputs": [tensor]})["outputs"][0]["data"] == [1, 0]
    assert classes_by_grpc(space, "grpc", flat) == [1, 0]


def classes_by_grpc(space: Namespace, name: str, flat: list[float]) -> list[int]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [2, 4], "contents": {"fp32_contents": flat}}
    request = as_bytes("inference.ModelInferRequest", {"model_name": name, "inputs": [tensor]})
    with grpc.insecure_channel(space.url(f"{name}-predictor").removeprefix("http://") + ":80") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        data = call(request, timeout=30, wait_for_ready=True)
    answer = protos.message("inference.ModelInferResponse").FromString(data)
    return list(answer.outputs[0].contents.int64_contents)


def test_a_transformer_an_explainer_and_one_in_the_same_pod(space: Namespace, iris: str) -> None:
    beside = somebody("transformer", "--predictor_host", "localhost:8080", "--http_port", "8090", port=8090)
    beside["containers"][0]["name"] = "transformer-container"
    space.apply(
        isvc("apart", model(iris), transformer=somebody("transformer"), explainer=somebody("echo")),
        isvc("beside", {**model(iris), **beside}),
    )
    space.ready("apart", "beside")

    asked = space.post("apart-transformer", "/v1/models/apart:predict", ROWS)
    assert asked == {**CLASSES, "transformed": True}
    assert "--predictor_host" in space.post("apart-explainer", "/v1/models/apart:explain", ROWS)["flags"]
    assert space.post("beside-predictor", "/v1/models/beside:predict", ROWS) == {**CLASSES, "transformed": True}
    assert set(space.status("isvc", "apart")["components"]) == {"predictor", "transformer", "explainer"}


def test_requests_are_gathered_and_their_payloads_logged(space: Namespace, iris: str) -> None:
    logger = {"mode": "all", "url": f"http://sink-predictor.{space.name}/"}
    batcher = {"maxBatchSize": 4, "maxLatency": 200}
    space.apply(isvc("sink", somebody("sink")), isvc("iris", {**model(iris), "logger": logger, "batcher": batcher}))
    space.ready("sink", "iris")

    answer = space.post("iris-predictor", "/v1/models/iris:predict", ROWS)
    asked, answered = until(lambda: (kept := space.get("sink-predictor"))[1:] and kept)

    assert answer["predictions"] == CLASSES["predictions"]
    assert answer["batchId"]
    assert json.loads(asked["body"]) == ROWS
    assert asked["headers"]["ce-type"] == "org.kubeflow.serving.inference.request"
    assert asked["headers"]["ce-id"] == answered["headers"]["ce-id"] != ""
    assert asked["headers"]["ce-inferenceservicename"] == "iris"


def test_models_come_from_buckets_with_keys_and_from_claims(space: Namespace, iris_folder: Path) -> None:
    with s3_server(iris_folder.parent, host=host()) as store:
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        entry = {"type": "s3", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "bucket": iris_folder.name}
        said = {"endpoint": store.url.removeprefix("http://"), "usehttps": "0", "region": "us-east-1"}
        place = {"accessModes": ["ReadWriteMany"], "storageClassName": space.name}
        size = {"storage": "1Mi"}
        space.apply(
            secret("keys", keys, {f"serving.kserve.io/s3-{name}": value for name, value in said.items()}),
            secret("storage-config", {"mine": json.dumps({**entry, "endpoint_url": store.url, "region": "us-east-1"})}),
            core("ServiceAccount", "robot", secrets=[{"name": "keys"}]),
            core(
                "PersistentVolume",
                space.name,
                spec={**place, "capacity": size, "hostPath": {"path": str(readable(iris_folder))}},
            ),
            core("PersistentVolumeClaim", "claim", spec={**place, "resources": {"requests": size}}),
            isvc("robot", {**model(f"s3://{iris_folder.name}/iris"), "serviceAccountName": "robot"}),
            isvc("entry", model(storage={"key": "mine", "path": "iris"})),
            isvc("claim", model("pvc://claim/iris")),
        )
        try:
            space.ready("robot", "entry", "claim")
        finally:
            space.command("delete", "persistentvolume", space.name, "--wait=false")

    for name in ("robot", "entry", "claim"):
        assert space.post(f"{name}-predictor", f"/v1/models/{name}:predict", ROWS) == CLASSES


def core(kind: str, name: str, **fields: Any) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


def secret(name: str, data: dict[str, str], annotations: dict[str, str] | None = None) -> Json:
    doc = core("Secret", name, stringData=data)
    return {**doc, "metadata": {"name": name, "annotations": annotations or {}}}


def readable(folder: Path) -> Path:
    """A folder that a pod's user can read, with all folders above it."""
    for path in (folder, *folder.parents, *folder.rglob("*")):
        if path.stat().st_uid == folder.stat().st_uid:
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return folder


def test_models_of_others_come_and_go_in_a_server(space: Namespace, iris: str) -> None:
    source = {"framework": "sklearn", "storageUri": iris, "memory": "64Mi"}
    space.apply(isvc("shared", model()))
    space.apply(*(alpha("TrainedModel", name, inferenceService="shared", model=source) for name in ("one", "two")))
    space.ready("shared")
    space.ready("one", "two", kind="trainedmodel")

    assert until(lambda: is_answer(space, "one")), "one"
    assert until(lambda: is_answer(space, "two")), "two"
    space.command("delete", "trainedmodel", "two")
    assert until(lambda: not is_answer(space, "two"))
    assert is_answer(space, "one")


def is_answer(space: Namespace, name: str) -> bool:
    try:
        return bool(space.post("shared-predictor", f"/v1/models/{name}:predict", ROWS) == CLASSES)
    except OSError:
        return False


def test_what_cannot_be_served_says_why(space: Namespace, iris: str) -> None:
    without = somebody("echo")
    without["containers"][0] |= {"image": "nowhere/none:1", "imagePullPolicy": "Never"}
    server = {"name": "kserve-container", "image": "nowhere/none:1"}
    formats = [{"name": "own", "autoSelect": True}]
    space.apply(
        alpha("ServingRuntime", "off", disabled=True, supportedModelFormats=formats, containers=[server]),
        isvc("lost", model(f"{iris}.not")),
        isvc("unknown", model(iris, runtime="nobody-s")),
        isvc("disabled", model(iris, runtime="off")),
        isvc("imageless", without),
    )

    assert failure(space, "unknown")["reason"] == "RuntimeNotRecognized"
    assert failure(space, "disabled")["reason"] == "RuntimeDisabled"
    assert failure(space, "imageless")["reason"] == "RuntimeUnhealthy"
    assert "HTTP 404" in failure(space, "lost")["message"]
    assert space.until_condition("isvc", "lost", "Ready", "False")["reason"] == "MinimumReplicasUnavailable"
    assert "nobody-s" in space.until_condition("isvc", "unknown", "Ready", "False")["message"]


def test_what_no_cluster_should_have_is_refused_at_once(space: Namespace) -> None:
    sklearn = {"storageUri": "s3://a/b"}
    refused = {
        "exactly one of [Name, SKLearn,": isvc("two", {"sklearn": sklearn, "xgboost": sklearn}),
        "'MinReplicas' cannot be greater than MaxReplicas": isvc(
            "many", {"minReplicas": 3, "maxReplicas": 1, "sklearn": sklearn}
        ),
        'the InferenceService "1st" is invalid: a InferenceService name must consist of lower case': isvc(
            "1st", {"sklearn": sklearn}
        ),
        "splitter node: the sum of traffic weights for all routing targets should be 100": alpha(
            "InferenceGraph",
            "half",
            nodes={"root": {"routerType": "Splitter", "steps": [{"serviceName": "a", "weight": 30}]}},
        ),
    }

    for words, doc in refused.items():
        with pytest.raises(Refused) as raised:
            space.apply(doc)
        assert words in str(raised.value)


def test_no_request_is_lost_while_pods_are_replaced(space: Namespace, iris: str) -> None:
    space.apply(isvc("iris", model(iris)))
    space.ready("iris")
    (before,) = space.names("pods")
    url = f"{space.url('iris-predictor')}/v1/models/iris:predict"
    stop = threading.Event()
    lost: list[str] = []
    asker = threading.Thread(target=lambda: lost.extend(asking(url, ROWS, lambda: not stop.is_set())))

    asker.start()
    try:
        space.apply(isvc("iris", model(iris, env=[{"name": "CHANGED", "value": "yes"}])))
        until(lambda: before not in space.names("pods"))
    finally:
        stop.set()
        asker.join()

    assert lost == []
    space.ready("iris")


def test_what_somebody_takes_away_comes_back_and_what_is_stopped_goes(space: Namespace) -> None:
    space.apply(isvc("mine", somebody("echo")))
    space.ready("mine")
    old = [space.find(kind, "mine-predictor")["metadata"]["uid"] for kind in ("deployment", "service")]

    space.command("delete", "deployment,service", "mine-predictor")
    until(lambda: all(uid_of(space, kind) not in ("", *old) for kind in ("deployment", "service")))
    space.ready("mine")
    assert space.post("mine-predictor", "/any", {})["path"] == "/any"

    space.command("annotate", "isvc", "mine", "serving.kserve.io/stop=true")
    space.until_condition("isvc", "mine", "Stopped", "True")
    until(lambda: not space.names("deployment"))
    space.command("annotate", "isvc", "mine", "serving.kserve.io/stop-")
    space.ready("mine")
    space.command("delete", "isvc", "mine")
    until(lambda: not space.names("deployment,service"))


def uid_of(space: Namespace, kind: str) -> str:
    metadata: dict[str, str] = space.find(kind, "mine-predictor").get("metadata") or {}
    return metadata.get("uid", "")


def test_a_runtime_s_change_and_a_canary_reach_a_service(space: Namespace, iris: str) -> None:
    formats = [{"name": "own", "autoSelect": True}]

    def runtime(pod: Json) -> Json:
        return alpha("ServingRuntime", "own", supportedModelFormats=formats, **pod)

    own = model(iris, modelFormat={"name": "own"})
    space.apply(runtime(somebody("echo", "--as", "first")), isvc("own", own))
    space.ready("own")
    assert space.post("own-predictor", "/", {})["flags"] == ["--as", "first"]

    space.apply(runtime(somebody("echo", "--as", "second")))
    until(lambda: space.post("own-predictor", "/", {})["flags"] == ["--as", "second"])
    args = ["--as", "canary"]
    canary = {"trafficPercent": 20, "predictor": {"name": "next", "model": {**own["model"], "args": args}}}
    space.apply(isvc("own", own, canary=[canary]))
    space.until_condition("isvc", "own", "CanaryPredictorReady", "True")

    assert space.post("own-next-predictor", "/", {})["flags"] == ["--as", "second", *args]
    (told,) = space.status("isvc", "own")["canaryStatuses"]
    assert (told["name"], told["ready"], told["trafficPercent"]) == ("next", True, 20)


def test_graphs_of_all_routers_answer(space: Namespace, iris: str) -> None:
    big, small_ = "[@this].#(instances.0.0>6)", "[@this].#(instances.0.0<=6)"
    steps = {
        "Sequence": [{"serviceName": "iris"}, {"serviceName": "other", "data": "$request"}],
        "Ensemble": [{"name": "a", "serviceName": "iris"}, {"name": "b", "serviceName": "other"}],
        "Splitter": [{"serviceName": "iris", "weight": 100}, {"serviceName": "other", "weight": 0}],
        "Switch": [{"serviceName": "iris", "condition": big}, {"serviceName": "other", "condition": small_}],
    }
    space.apply(isvc("iris", model(iris)), isvc("other", somebody("echo")))
    space.apply(
        *(
            alpha("InferenceGraph", kind.lower(), nodes={"root": {"routerType": kind, "steps": of_kind}})
            for kind, of_kind in steps.items()
        ),
        alpha("InferenceGraph", "lost", nodes={"root": {"routerType": "Sequence", "steps": [{"serviceName": "no"}]}}),
    )
    space.ready(*(kind.lower() for kind in steps), kind="inferencegraph")

    other = {"path": "/v1/models/other:predict", "flags": []}
    assert space.post("sequence", "/", ROWS) == other
    assert space.post("ensemble", "/", ROWS) == {"a": CLASSES, "b": other}
    assert space.post("splitter", "/", ROWS) == CLASSES
    assert space.post("switch", "/", ROWS) == CLASSES
    assert space.post("switch", "/", {"instances": [[5.0, 3.4, 1.4, 0.2]]}) == other
    lost = space.until_condition("inferencegraph", "lost", "Ready", "False")
    assert lost["message"] == "Failed to find graph service no"


def test_kserve_s_own_client_creates_waits_and_deletes(space: Namespace, iris: str, tmp_path: Path) -> None:
    with kubectl_proxy(tmp_path) as kubeconfig, peer("kserve", "kserve_client_driver") as process:

        def call(method: str, **arguments: Any) -> Any:
            said = process.ask(kubeconfig=str(kubeconfig), call=method, arguments=arguments)
            return said["returned"]

        doc = isvc("iris", {"sklearn": {"storageUri": iris, "resources": small()}})
        doc["metadata"]["namespace"] = space.name
        where = {"name": "iris", "namespace": space.name}
        call("create", inferenceservice={"$new": doc})
        call("wait_isvc_ready", **where, timeout_seconds=120, polling_interval=1)
        assert call("is_isvc_ready", **where)
        assert post(f"{space.url('iris-predictor')}/v1/models/iris:predict", ROWS) == CLASSES
        call("delete", **where)
    until(lambda: not space.names("isvc,deployment"))
