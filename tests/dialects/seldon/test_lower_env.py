import json

import pytest

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.dialects.variables import expand
from fairlead.errors import InvalidManifest
from fairlead.plan.model import EnvFrom, KeyRef
from support.sdep import MODEL, lower, lower_unit, one, pod, predictor, sdep, variables

IMAGE = "acme/model:1"
CATALOG = Catalog(
    entries={"acme/model": Entry(runtime="python", target="Model", env=(("A", "catalog"), ("B", "catalog")))}
)


def test_the_contract_of_wrapped_models_is_there() -> None:
    doc = sdep(
        predictor(labels={"b": "2", "a": "1"}, graph={**MODEL, "parameters": [{"name": "method", "value": "predict"}]})
    )

    env = variables(lower_unit(doc))

    assert env["PREDICTIVE_UNIT_ID"] == "classifier"
    assert env["PREDICTIVE_UNIT_IMAGE"] == "seldonio/sklearnserver:1.18.2"
    assert env["PREDICTOR_ID"] == "default"
    assert env["PREDICTOR_LABELS"] == '{"a":"1","b":"2","version":"default"}'
    assert env["SELDON_DEPLOYMENT_ID"] == "iris"
    assert env["SELDON_EXECUTOR_ENABLED"] == "true"
    assert env["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] == env["PREDICTIVE_UNIT_SERVICE_PORT"] == "9000"
    assert env["PREDICTIVE_UNIT_GRPC_SERVICE_PORT"] == "9500"
    assert env["PREDICTIVE_UNIT_METRICS_SERVICE_PORT"] == "6000"
    assert env["PREDICTIVE_UNIT_METRICS_ENDPOINT"] == "/prometheus"
    assert json.loads(env["PREDICTIVE_UNIT_PARAMETERS"]) == [
        {"name": "method", "value": "predict", "type": "STRING"},
        {"name": "model_uri", "value": "/mnt/models", "type": "STRING"},
    ]


def test_a_plain_container_has_parameters_only_when_there_are_some() -> None:
    graph = {"name": "m", "parameters": [{"name": "x", "value": "1", "type": "INT"}]}

    assert "PREDICTIVE_UNIT_PARAMETERS" not in variables(lower_unit(one({"name": "m", "image": IMAGE}), CATALOG))
    env = variables(lower_unit(one({"name": "m", "image": IMAGE}, graph), CATALOG))
    assert env["PREDICTIVE_UNIT_PARAMETERS"] == '[{"name":"x","value":"1","type":"INT"}]'


def test_the_grpc_transport_decides_the_service_port() -> None:
    assert variables(lower_unit(sdep(transport="grpc")))["PREDICTIVE_UNIT_SERVICE_PORT"] == "9500"


def test_a_variable_of_the_users_keeps_its_value_and_its_neighbours() -> None:
    env = [
        {"name": "BEFORE", "value": "1"},
        {"name": "PREDICTIVE_UNIT_SERVICE_PORT", "value": "7000"},
        {"name": "PREDICTIVE_UNIT_PARAMETERS", "value": "[]"},
        {"name": "AFTER", "value": "2"},
    ]
    graph = {"name": "m", "parameters": [{"name": "x", "value": "1"}]}

    found = variables(lower_unit(one({"name": "m", "image": IMAGE, "env": env}, graph), CATALOG))

    assert (found["BEFORE"], found["AFTER"]) == ("1", "2")
    assert found["PREDICTIVE_UNIT_SERVICE_PORT"] == "7000"
    assert found["PREDICTIVE_UNIT_PARAMETERS"] == "[]"


def test_what_the_platform_always_sets_wins() -> None:
    env = [{"name": "PREDICTOR_ID", "value": "mine"}]

    assert variables(lower_unit(one({"name": "m", "image": IMAGE, "env": env}), CATALOG))["PREDICTOR_ID"] == "default"


def test_variables_of_the_catalog_give_way_to_the_manifests() -> None:
    env = [{"name": "A", "value": "manifest"}]

    found = variables(lower_unit(one({"name": "m", "image": IMAGE, "env": env}), CATALOG))

    assert (found["A"], found["B"]) == ("manifest", "catalog")


def test_values_may_come_from_secrets_and_config_maps() -> None:
    env = [
        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
    ]
    sources = [{"secretRef": {"name": "all"}, "prefix": "P_"}, {"configMapRef": {"name": "c", "optional": True}}]
    doc = one({"name": "m", "image": IMAGE, "env": env, "envFrom": sources})

    plan = lower(doc, CATALOG)

    unit = plan.components[0].revision.units[0]
    assert {item.name: item.source for item in unit.env if item.source} == {
        "S": KeyRef(kind="Secret", name="s", key="k"),
        "C": KeyRef(kind="ConfigMap", name="c", key="k", optional=True),
    }
    assert unit.env_from == (
        EnvFrom(kind="Secret", name="all", prefix="P_"),
        EnvFrom(kind="ConfigMap", name="c", optional=True),
    )
    assert plan.secrets == ("all", "s")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "iris-default-0-m"),
        ("metadata.namespace", "seldon"),
        ("metadata.labels['version']", "default"),
        ("metadata.annotations['seldon.io/x']", "y"),
        ("metadata.annotations['absent']", ""),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod_have_their_value(path: str, value: str) -> None:
    container = {"name": "m", "image": IMAGE, "env": [{"name": "F", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}
    doc = one(container)
    doc["spec"]["annotations"] = {"seldon.io/x": "y"}

    assert variables(lower_unit(doc, CATALOG))["F"] == value


def test_a_field_without_meaning_is_left_out_with_a_warning() -> None:
    env = [{"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "spec.hostname"}}}]

    plan = lower(one({"name": "m", "image": IMAGE, "env": env}), CATALOG)

    assert "F" not in variables(plan.components[0].revision.units[0])
    assert plan.warnings == (
        "spec.predictors[0].componentSpecs[0].spec.containers[0].env[0]: "
        "F is not set: the field spec.hostname has no value here",
    )


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "1", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.memory", "1Mi", "256"),
        ("limits.cpu", "0", "2"),
    ],
)
def test_resources_of_the_container_are_numbers(resource: str, divisor: str, value: str) -> None:
    reference = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    resources = {"limits": {"cpu": "1500m"}, "requests": {"memory": "256Mi"}}
    container = {"name": "m", "image": IMAGE, "resources": resources, "env": [{"name": "F", "valueFrom": reference}]}

    assert variables(lower_unit(one(container), CATALOG))["F"] == value


def test_a_source_of_no_kind_is_refused() -> None:
    doc = one({"name": "m", "image": IMAGE, "env": [{"name": "F", "valueFrom": {}}], "envFrom": [{"prefix": "x"}]})

    with pytest.raises(InvalidManifest) as caught:
        lower(doc, CATALOG)

    assert [problem.message.split(" needs ")[-1] for problem in caught.value.problems] == [
        "a secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef",
        "needs a secretRef or a configMapRef",
    ]


def test_references_are_replaced_by_earlier_literals_only() -> None:
    known = {"A": "1", "B.C": "2"}

    assert expand("$(A)-$(B.C)-$(D)-$$(A)-$A-$(", known) == "1-2-$(D)-$(A)-$A-$("


def test_the_orchestrators_variables_come_from_annotations_and_its_own_env() -> None:
    orchestrator = {"env": [{"name": "LOG_LEVEL", "value": "INFO"}]}
    annotations = {
        "seldon.io/engine-log-level": "DEBUG",
        "seldon.io/engine-some-thing": "x",
        "seldon.io/engine-separate-pod": "true",
    }
    doc = sdep(
        predictor(svcOrchSpec=orchestrator, componentSpecs=[pod({"name": "classifier"})]), annotations=annotations
    )

    env = lower(doc).components[0].revision.env

    assert {item.name: item.value for item in env} == {"LOG_LEVEL": "INFO", "SOME_THING": "x"}


@pytest.mark.parametrize(
    ("value", "is_told"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
def test_routing_is_told_unless_it_is_asked_not_to(value: str, is_told: bool) -> None:
    orchestrator = {"env": [{"name": "SELDON_ENABLE_ROUTING_INJECTION", "value": value}]}

    assert lower(sdep()).components[0].revision.include_routing is True
    assert lower(sdep(predictor(svcOrchSpec=orchestrator))).components[0].revision.include_routing is is_told
