from typing import Any

import pytest

from fairlead.dialects.base import ALONE, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve.config import InferenceServiceConfig, SecurityConfig, read_config
from fairlead.dialects.kserve.dialect import KServeDialect
from fairlead.dialects.kserve.inference_service.defaults import with_defaults
from fairlead.errors import InvalidManifest
from support.stored_docs import DocumentWorld

CONFIG = read_config(ALONE)


def isvc(predictor: Any, *, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "iris", "namespace": "default"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": predictor, **spec},
    }


def defaulted(doc: dict[str, Any], config: InferenceServiceConfig = CONFIG, world: World = ALONE) -> dict[str, Any]:
    return with_defaults(doc, config, world)


def predictor(doc: dict[str, Any]) -> Any:
    return defaulted(doc)["spec"]["predictor"]


def configured(**changes: Any) -> InferenceServiceConfig:
    return CONFIG.model_copy(update=changes)


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("sklearn", None),
        ("xgboost", None),
        ("tensorflow", None),
        ("pytorch", None),
        ("triton", "v2"),
        ("onnx", "v2"),
        ("huggingface", "v2"),
        ("pmml", None),
        ("lightgbm", None),
        ("paddle", None),
    ],
)
def test_a_frameworks_own_object_becomes_a_model(name: str, protocol: str | None) -> None:
    found = predictor(isvc({"minReplicas": 2, name: {"storageUri": "gs://m/iris", "args": ["--x"]}}))

    model = {"modelFormat": {"name": name}, "storageUri": "gs://m/iris", "args": ["--x"]}
    assert found == {"minReplicas": 2, "model": {**model, **({"protocolVersion": protocol} if protocol else {})}}


def test_a_frameworks_object_that_is_applied_again_replaces_the_model_it_became() -> None:
    before = {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://m/1"}
    merged = {"model": before, "xgboost": {"storageUri": "gs://m/2"}}

    assert predictor(isvc(merged)) == {"model": {"modelFormat": {"name": "xgboost"}, "storageUri": "gs://m/2"}}


def test_two_frameworks_stay_for_the_rules_to_refuse_also_when_they_are_asked_later() -> None:
    once = defaulted(isvc({"sklearn": {"storageUri": "s3://a"}, "xgboost": {}}))
    twice = defaulted(once)

    assert twice == once
    with pytest.raises(InvalidManifest, match="exactly one of"):
        KServeDialect().validate(twice, catalog=Catalog(), world=ALONE)


def test_a_protocol_that_is_written_stays() -> None:
    assert predictor(isvc({"onnx": {"protocolVersion": "grpc-v2"}}))["model"]["protocolVersion"] == "grpc-v2"


@pytest.mark.parametrize(("name", "protocol"), [("triton", "v2"), ("vLLM", "v2"), ("onnx", None), ("vllm", None)])
def test_some_formats_speak_v2(name: str, protocol: str | None) -> None:
    assert predictor(isvc({"model": {"modelFormat": {"name": name}}}))["model"].get("protocolVersion") == protocol


def test_the_format_is_an_annotation_unless_there_is_one() -> None:
    model = {"model": {"modelFormat": {"name": "sklearn"}}}

    assert defaulted(isvc(model))["metadata"]["annotations"] == {"modelFormat": "sklearn"}
    kept = defaulted(isvc(model, annotations={"modelFormat": "mine"}))
    assert kept["metadata"]["annotations"] == {"modelFormat": "mine"}


@pytest.mark.parametrize(
    ("written", "default", "expected"),
    [
        ("RawDeployment", "Knative", "Standard"),
        ("Serverless", "Standard", "Knative"),
        ("Standard", "Knative", "Standard"),
        (None, "RawDeployment", "Standard"),
        (None, "ModelMesh", "ModelMesh"),
        (None, "Serverless", None),
        ("Fast", "Knative", "Fast"),
    ],
)
def test_deployment_modes_get_their_present_names(written: str | None, default: str, expected: str | None) -> None:
    key = "serving.kserve.io/deploymentMode"
    doc = isvc({"containers": [{"image": "m"}]}, annotations={key: written} if written else None)
    deploy = CONFIG.deploy.model_copy(update={"default_deployment_mode": default})

    found = defaulted(doc, configured(deploy=deploy))

    assert (found["metadata"].get("annotations") or {}).get(key) == expected


ENOUGH = {"cpu": "1", "memory": "2Gi"}
RESOURCES = {"requests": ENOUGH, "limits": ENOUGH}


def test_a_custom_predictor_gets_its_name_and_resources() -> None:
    named = {"name": "kserve-container", "image": "m", "resources": RESOURCES}

    assert predictor(isvc({"containers": [{"name": "mine", "image": "m"}]}))["containers"] == [named]
    several = [{"image": "m"}, {"name": "side", "image": "s"}]
    assert predictor(isvc({"containers": several}))["containers"] == [named, {"name": "side", "image": "s"}]


def test_of_several_containers_the_named_one_is_the_predictor() -> None:
    written = [{"name": "side", "image": "s"}, {"name": "kserve-container", "image": "m"}]

    found = predictor(isvc({"containers": written}))["containers"]

    assert [("resources" in one, one["name"]) for one in found] == [(False, "side"), (True, "kserve-container")]


def test_resources_that_are_written_stay_and_no_limit_is_below_its_request() -> None:
    resources = {"requests": {"cpu": "4"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": "1"}}

    found = predictor(isvc({"containers": [{"image": "m", "resources": resources}]}))["containers"][0]["resources"]

    assert found == {
        "requests": {"cpu": "4", "memory": "2Gi"},
        "limits": {"cpu": "4", "memory": "1Gi", "nvidia.com/gpu": "1"},
    }


def test_containers_beside_a_model_stay_as_they_are() -> None:
    side = [{"name": "transformer-container", "image": "t"}]
    canary = [{"predictor": {"name": "v2", "containers": side}, "trafficPercent": 10}]

    found = defaulted(isvc({"sklearn": {}, "containers": side}, canary=canary))["spec"]

    assert found["predictor"]["containers"] == side
    assert "resources" not in found["predictor"]["model"]
    assert found["canary"] == canary


def test_a_canarys_framework_becomes_a_model_too() -> None:
    canary = [{"predictor": {"name": "v2", "sklearn": {"storageUri": "gs://m/v2"}}, "trafficPercent": 10}]

    found = defaulted(isvc({"sklearn": {}}, canary=canary))["spec"]["canary"][0]["predictor"]

    assert found == {"name": "v2", "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://m/v2"}}


def test_transformers_and_explainers_get_the_name_and_the_resources_of_a_server() -> None:
    containers = [{"name": "mine", "image": "m"}, {"name": "side", "image": "s"}]

    spec = defaulted(
        isvc({"sklearn": {}}, transformer={"containers": containers}, explainer={"containers": containers})
    )

    for role in ("transformer", "explainer"):
        first, second = spec["spec"][role]["containers"]
        assert (first["name"], first["resources"], second) == ("kserve-container", RESOURCES, containers[1])


def test_the_art_explainer_gets_its_version_and_resources() -> None:
    found = defaulted(isvc({"sklearn": {}}, explainer={"art": {"type": "SquareAttack"}}))["spec"]["explainer"]["art"]

    assert found == {"type": "SquareAttack", "runtimeVersion": "latest", "resources": RESOURCES}


def test_tokens_are_not_mounted_when_the_settings_say_so() -> None:
    doc = isvc({"sklearn": {}, "automountServiceAccountToken": True}, transformer={"containers": [{"image": "m"}]})

    spec = defaulted(doc, configured(security=SecurityConfig(auto_mount_service_account_token=False)))["spec"]

    assert spec["predictor"]["automountServiceAccountToken"] is True
    assert spec["transformer"]["automountServiceAccountToken"] is False


def cache(name: str, uri: str, namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    kind = "LocalModelNamespaceCache" if namespace else "LocalModelCache"
    return {"kind": kind, "metadata": metadata, "spec": {"sourceModelUri": uri, "nodeGroups": ["workers", "gpus"]}}


def marked(uri: str, *caches: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, str]:
    enabled = CONFIG.local_model.model_copy(update={"enabled": True})
    doc = isvc({"sklearn": {"storageUri": uri}}, annotations=annotations)
    metadata = defaulted(doc, configured(local_model=enabled), DocumentWorld(caches))["metadata"]
    found = {**metadata.get("labels", {}), **metadata["annotations"]}
    prefix = "internal.serving.kserve.io/"
    return {key.removeprefix(prefix): text for key, text in found.items() if key.startswith(prefix)}


def test_a_cached_model_is_marked() -> None:
    expected = {"localmodel": "iris", "localmodel-sourceuri": "gs://m/iris", "localmodel-pvc-name": "iris-workers"}

    assert marked("gs://m/iris", cache("iris", "gs://m/iris")) == expected
    assert marked("gs://m/iris/v1", cache("iris", "gs://m/iris/")) == expected | {
        "localmodel-sourceuri": "gs://m/iris/"
    }
    assert marked("gs://m/iris-2", cache("iris", "gs://m/iris")) == {}


def test_a_namespaces_cache_comes_first() -> None:
    found = marked("gs://m/iris", cache("all", "gs://m/iris"), cache("own", "gs://m/iris", "default"))

    assert (found["localmodel"], found["localmodel-namespace"]) == ("own", "default")


def test_a_service_may_choose_a_node_group_or_none() -> None:
    held = cache("iris", "gs://m/iris")

    chosen = marked("gs://m/iris", held, annotations={"serving.kserve.io/nodegroup": "gpus"})
    assert chosen["localmodel-pvc-name"] == "iris-gpus"
    assert marked("gs://m/iris", held, annotations={"serving.kserve.io/nodegroup": "other"}) == {}
    assert marked("gs://m/iris", held, annotations={"serving.kserve.io/disable-localmodel": "true"}) == {}


def test_an_old_mark_goes_when_no_cache_holds_the_model() -> None:
    assert marked("gs://m/iris", annotations={"internal.serving.kserve.io/localmodel-pvc-name": "old"}) == {}


def test_defaults_are_the_same_the_second_time_and_change_no_argument() -> None:
    doc = isvc({"onnx": {"storageUri": "gs://m/iris"}}, transformer={"containers": [{"image": "m"}]})
    before = repr(doc)

    once = defaulted(doc)

    assert defaulted(once) == once
    assert repr(doc) == before


@pytest.mark.parametrize("spec", [None, "text", {"sklearn": "text"}, {"containers": {"a": 1}}])
def test_what_cannot_be_read_is_left_for_the_rules(spec: Any) -> None:
    assert defaulted(isvc(spec)) == isvc(spec)
