"""The definitions are upstream's by name, right by an API server's rules, and keep whatever users wrote into them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from fairlead.backends.kubernetes.install import crds
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.openapi import pruned
from fairlead.dialects.seldon import SeldonDialect
from support import structural

DIALECTS = (SeldonDialect(), KServeDialect(), BentoDialect())
DEFINITIONS = {each["spec"]["names"]["kind"]: each for each in crds.definitions(DIALECTS)}
CONVERTED = {"BentoDeployment"}
GOLDEN = Path(__file__).parents[3] / "golden"
UPSTREAM = {
    "SeldonDeployment": ("seldondeployments.machinelearning.seldon.io", "Namespaced", ["sdep"]),
    "InferenceService": ("inferenceservices.serving.kserve.io", "Namespaced", ["isvc"]),
    "ServingRuntime": ("servingruntimes.serving.kserve.io", "Namespaced", []),
    "ClusterServingRuntime": ("clusterservingruntimes.serving.kserve.io", "Cluster", []),
    "InferenceGraph": ("inferencegraphs.serving.kserve.io", "Namespaced", ["ig"]),
    "TrainedModel": ("trainedmodels.serving.kserve.io", "Namespaced", ["tm"]),
    "ClusterStorageContainer": ("clusterstoragecontainers.serving.kserve.io", "Cluster", []),
    "LocalModelCache": ("localmodelcaches.serving.kserve.io", "Cluster", []),
    "LocalModelNamespaceCache": ("localmodelnamespacecaches.serving.kserve.io", "Namespaced", []),
    "LocalModelNodeGroup": ("localmodelnodegroups.serving.kserve.io", "Cluster", []),
    "LocalModelNode": ("localmodelnodes.serving.kserve.io", "Cluster", []),
    "LLMInferenceService": ("llminferenceservices.serving.kserve.io", "Namespaced", ["llmisvc"]),
    "BentoRequest": ("bentorequests.resources.yatai.ai", "Namespaced", []),
    "Bento": ("bentoes.resources.yatai.ai", "Namespaced", []),
    "BentoDeployment": ("bentodeployments.serving.yatai.ai", "Namespaced", []),
    "LLMInferenceServiceConfig": ("llminferenceserviceconfigs.serving.kserve.io", "Namespaced", []),
}


def _schema(kind: str, version: str = "") -> dict[str, Any]:
    """Of the stored version, if none is named."""
    versions = DEFINITIONS[kind]["spec"]["versions"]
    found = next(each for each in versions if (each["name"] == version if version else each["storage"]))
    schema: dict[str, Any] = found["schema"]["openAPIV3Schema"]
    return schema


def test_names_and_scopes_are_upstreams_so_that_existing_objects_stay() -> None:
    found = {
        kind: (each["metadata"]["name"], each["spec"]["scope"], each["spec"]["names"].get("shortNames", []))
        for kind, each in DEFINITIONS.items()
    }

    assert found == UPSTREAM


def test_records_of_one_machine_are_no_kind_of_a_cluster() -> None:
    assert "Revision" not in DEFINITIONS


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_an_api_server_takes_every_schema(kind: str) -> None:
    for version in DEFINITIONS[kind]["spec"]["versions"]:
        assert structural.faults(version["schema"]["openAPIV3Schema"]) == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_one_version_is_stored_and_all_are_served(kind: str) -> None:
    spec = DEFINITIONS[kind]["spec"]

    assert [version["storage"] for version in spec["versions"]].count(True) == 1
    assert all(version["served"] for version in spec["versions"])
    # What needs our webhook is refused until that is there: an API server by itself would lose its fields.
    assert spec["conversion"]["strategy"] == ("Webhook" if kind in CONVERTED else "None")


def test_versions_of_a_kind_differ_in_their_descriptions_alone() -> None:
    for each in (each for kind, each in DEFINITIONS.items() if kind not in CONVERTED):
        bare = [crds.undescribed(version["schema"]["openAPIV3Schema"]) for version in each["spec"]["versions"]]
        assert all(schema == bare[0] for schema in bare)


def test_every_kind_keeps_its_versions() -> None:
    versions = {kind: [v["name"] for v in each["spec"]["versions"]] for kind, each in DEFINITIONS.items()}

    assert versions["SeldonDeployment"] == ["v1", "v1alpha2", "v1alpha3"]
    assert versions["LLMInferenceService"] == ["v1alpha2", "v1alpha1"]
    assert versions["InferenceService"] == ["v1beta1"]
    assert versions["BentoDeployment"] == ["v2alpha1", "v1alpha3", "v1alpha2", "v1alpha1"]


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_kubectl_can_remember_a_definition_in_its_annotation(kind: str) -> None:
    assert len(json.dumps(DEFINITIONS[kind])) < 262144


def test_a_seldon_deployment_scales_and_has_a_status() -> None:
    for version in DEFINITIONS["SeldonDeployment"]["spec"]["versions"]:
        assert version["subresources"] == {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        }


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_printer_columns_are_of_the_form_that_an_api_server_takes(kind: str) -> None:
    for version in DEFINITIONS[kind]["spec"]["versions"]:
        for column in version.get("additionalPrinterColumns", []):
            assert column["jsonPath"].startswith(".")
            assert column["type"] in {"integer", "number", "string", "boolean", "date"}


def test_the_columns_that_people_read() -> None:
    def names(kind: str) -> list[str]:
        return [each["name"] for each in DEFINITIONS[kind]["spec"]["versions"][0].get("additionalPrinterColumns", [])]

    assert names("SeldonDeployment") == ["State", "Replicas", "Address", "Age"]
    latest = ["Prev", "Latest", "PrevRolledoutRevision", "LatestReadyRevision"]
    assert names("InferenceService") == ["URL", "Ready", *latest, "Age"]
    assert names("ServingRuntime") == ["Disabled", "ModelType", "Containers", "Age"]
    assert names("InferenceGraph")[:2] == ["URL", "Ready"]
    assert names("TrainedModel")[:2] == ["URL", "Ready"]


def _accepted() -> list[Path]:
    """Manifests that mean something, of both dialects."""
    return sorted(plan.parent for plan in GOLDEN.rglob("plan.json"))


@pytest.mark.parametrize("folder", _accepted(), ids=lambda folder: str(folder.relative_to(GOLDEN)))
def test_every_golden_manifest_is_accepted(folder: Path) -> None:
    for document in yaml.safe_load_all((folder / "manifest.yaml").read_text()):
        if document and document["kind"] in DEFINITIONS:
            version = document["apiVersion"].rpartition("/")[2]
            schema = _schema(document["kind"], version if document["kind"] in CONVERTED else "")
            jsonschema.Draft202012Validator(schema).validate(_without_nulls(document))


def _without_nulls(value: Any) -> Any:
    """An API server drops the null of a field that may not be null, before it checks the object."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}


# A pod as people write it, with much that no plan reads.
POD: dict[str, Any] = {
    "containers": [
        {
            "name": "classifier",
            "image": "example/classifier:1",
            "resources": {"limits": {"cpu": "1", "nvidia.com/gpu": 1}, "claims": [{"name": "gpu"}]},
            "lifecycle": {"postStart": {"exec": {"command": ["true"]}}, "stopSignal": "SIGUSR1"},
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "procMount": "Default"},
            "volumeDevices": [{"name": "raw", "devicePath": "/dev/raw"}],
            "readinessProbe": {"grpc": {"port": 9500, "service": "x"}, "terminationGracePeriodSeconds": 5},
            "env": [{"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}],
        }
    ],
    "ephemeralContainers": [{"name": "debug", "image": "busybox", "targetContainerName": "classifier"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
    "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpus"}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
    "volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "x"}}]}}],
    "aFieldOfTheFuture": {"deep": [1, {"er": None}]},
}


def test_whole_pods_of_a_seldon_deployment_are_kept() -> None:
    component = {"metadata": {"name": "x", "creationTimestamp": None, "annotations": {"a": "b"}}, "spec": POD}
    document = {"spec": {"predictors": [{"name": "p", "graph": {"name": "classifier"}, "componentSpecs": [component]}]}}

    jsonschema.Draft202012Validator(_schema("SeldonDeployment")).validate(document)
    assert pruned(document, _schema("SeldonDeployment")) == document


@pytest.mark.parametrize("role", ["predictor", "transformer", "explainer"])
def test_whole_pods_of_an_inference_service_are_kept(role: str) -> None:
    pod = {key: value for key, value in POD.items() if key != "aFieldOfTheFuture"}
    document = {"spec": {"predictor": {}, role: pod}}
    jsonschema.Draft202012Validator(_schema("InferenceService")).validate(document)

    assert pruned(document, _schema("InferenceService"))["spec"][role] == pod


@pytest.mark.parametrize("role", ["predictor", "transformer", "explainer"])
def test_an_inference_service_knows_every_field_of_a_pod(role: str) -> None:
    schemas = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.36.0-local-strict"
    fields = set(json.loads((schemas / "podspec-v1.json").read_text())["properties"])

    assert fields <= set(_schema("InferenceService")["properties"]["spec"]["properties"][role]["properties"])


def test_whole_containers_of_a_runtime_are_kept() -> None:
    document = {"spec": {"containers": POD["containers"], "volumes": POD["volumes"], "affinity": POD["affinity"]}}

    assert pruned(document, _schema("ServingRuntime")) == document


def test_whole_templates_of_a_language_model_are_kept() -> None:
    document = {"spec": {"template": POD, "worker": POD, "prefill": {"template": POD}}}

    assert pruned(document, _schema("LLMInferenceService")) == document
